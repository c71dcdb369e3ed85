#include "kernels/arguments.h"

#include "kernels/backend.h"

#include <type_traits>
#include <utility>

namespace bkd::kernels {
namespace {

struct AnyMember {
    template <class T>
    operator T() const;  // only ever named in an unevaluated initialiser
};

template <class Args, std::size_t... I>
constexpr bool has_members(std::index_sequence<I...>) {
    return requires { Args{(static_cast<void>(I), AnyMember{})...}; };
}

template <class Args, std::size_t N = 16>
constexpr std::size_t member_count() {
    if constexpr (N == 0 || has_members<Args>(std::make_index_sequence<N>{}))
        return N;
    else
        return member_count<Args, N - 1>();
}

// Takes an aggregate apart with structured bindings.
template <class Args, class Visitor>
void for_each_member(const Args& a, Visitor&& visit) {
    constexpr std::size_t n = member_count<Args>();
    static_assert(n >= 1 && n <= 16);
    const auto all = [&](const auto&... member) { (visit(member), ...); };
#define BKD_MEMBERS(count, ...)        \
    if constexpr (n == count) {        \
        const auto& [__VA_ARGS__] = a; \
        all(__VA_ARGS__);              \
    }
    BKD_MEMBERS(1, a1)
    BKD_MEMBERS(2, a1, a2)
    BKD_MEMBERS(3, a1, a2, a3)
    BKD_MEMBERS(4, a1, a2, a3, a4)
    BKD_MEMBERS(5, a1, a2, a3, a4, a5)
    BKD_MEMBERS(6, a1, a2, a3, a4, a5, a6)
    BKD_MEMBERS(7, a1, a2, a3, a4, a5, a6, a7)
    BKD_MEMBERS(8, a1, a2, a3, a4, a5, a6, a7, a8)
    BKD_MEMBERS(9, a1, a2, a3, a4, a5, a6, a7, a8, a9)
    BKD_MEMBERS(10, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10)
    BKD_MEMBERS(11, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11)
    BKD_MEMBERS(12, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12)
    BKD_MEMBERS(13, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13)
    BKD_MEMBERS(14, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14)
    BKD_MEMBERS(15, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15)
    BKD_MEMBERS(16, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16)
#undef BKD_MEMBERS
}

// visit(view, is_output, is_read) of every View and ConstView that is there.
template <class Args, class Visitor>
void for_each_view(const Args& args, Visitor&& visit) {
    for_each_member(args, [&](const auto& member) {
        using Member = std::remove_cvref_t<decltype(member)>;
        if constexpr (std::is_same_v<Member, ConstView>) {
            if (member) visit(member, false, true);
        } else if constexpr (std::is_same_v<Member, View>) {
            if (member) visit(member, true, false);
        } else if constexpr (std::is_same_v<Member, Out>) {
            if (member) visit(member.view, true, member.accumulate);
        } else if constexpr (requires { Member::holds_views; })
            for_each_view(member, visit);
    });
}

}

template <class Args>
ViewArguments views_of(const Args& args) {
    ViewArguments views;
    for_each_view(args, [&](const auto& view, bool is_output, bool is_read) { views.push(view, is_output, is_read); });
    return views;
}

template <class Args>
void change_view(Args& args, std::size_t i, const View& to) {
    for_each_view(args, [&](const auto& seen, bool, bool) {
        if (i-- == 0) const_cast<std::remove_cvref_t<decltype(seen)>&>(seen) = to;  // of args, which is not const
    });
}

#define BKD_OP_ARGUMENTS(op, Args)                \
    template ViewArguments views_of(const Args&); \
    template void change_view(Args&, std::size_t, const View&);
#define BKD_FAMILY_ARGUMENTS(accessor, Class, OPS) OPS(BKD_OP_ARGUMENTS)
BKD_FAMILIES(BKD_FAMILY_ARGUMENTS)

}
