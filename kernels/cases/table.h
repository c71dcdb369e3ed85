#pragma once
// The table of cases with the types of arguments forgotten: what tests, `bkd check-ops` and `bkd bench` walk.
// A family's file ends with BKD_CASES_OF(loss, Loss, BKD_LOSS_OPS), which needs `cases(const Args*)` of every op: an op
// without cases does not compile.
#include "kernels/cases/case.h"

#include <memory>

namespace bkd::kernels {

// Arguments made on one backend's memory, ready to be run any number of times.
struct PreparedCase {
    std::function<void(const Backend&, Stream&)> launch;  // through the gate of kernels/stream.h
    int view_count = 0;                                   // tensor arguments, left-out ones not counted
    int matrix_count = 0;                                 // those of two axes or more, and two elements or more
};

struct SpoiledArgument {
    int view = 0;
    Spoil spoil = Spoil::rank;
};

struct CaseEntry {
    std::string attributes, distribution;
    bool bench;
    Invariant invariant;
    bool f32_only;
    std::function<PreparedCase(CaseMemory&, const SpoiledArgument*)> prepare;  // with one argument spoiled, unless null
};

struct OpCases {
    std::string family, op;
    bool has_bf16;
    SameBits same_bits;
    std::vector<std::pair<int, Spoil>> legal;
    std::vector<CaseEntry> entries;
};

// Every op of every family, in the order of BKD_FAMILIES and of their lists.
std::vector<OpCases> all_op_cases();

// One case of one op in one dtype.
struct CaseReference {
    const OpCases* op;
    const CaseEntry* entry;
    DType dtype;
    std::string id() const {
        return fmt::format("{}/{}/{}/{}", op->op, entry->attributes, name_of(dtype), entry->distribution);
    }
};

struct CaseFilter {
    std::vector<std::string> ops{};            // patterns with * and ?, any of them; none: every op
    std::string id_regex{};                    // found anywhere in the id (CasePattern)
    std::vector<DType> dtypes{};               // none: all
    std::vector<std::string> distributions{};  // by name, none: all
    bool tests = true, bench = false;          // which of the two kinds of case
};

// The cases a filter lets through, in table order. InputError E0203 for a regular expression that is none.
std::vector<CaseReference> select(const std::vector<OpCases>& table, const CaseFilter& filter);

// The tensor arguments that are put in the place of others, by their number; none if `how` does not apply here.
std::vector<std::pair<std::size_t, View>> spoiled_views(const ViewArguments& views, const SpoiledArgument& how);

// The erasure: `launch` names the op on a backend's family.
template <class Args>
OpCases erased(const char* family, const char* op, Cases<Args> typed,
               void (*launch)(const Backend&, Stream&, const Args&)) {
    OpCases erased{family, op, typed.has_bf16, typed.same_bits, std::move(typed.legal), {}};
    for (Case<Args>& c : typed.all) {
        erased.entries.push_back(
            {std::move(c.attributes), std::move(c.distribution), c.bench, std::move(c.invariant), c.f32_only,
             [make = std::move(c.args), launch](CaseMemory& memory, const SpoiledArgument* spoiled) {
                 const auto args = std::make_shared<Args>(make(memory));
                 const ViewArguments views = views_of(*args);
                 PreparedCase prepared;
                 prepared.view_count = static_cast<int>(views.size());
                 for (const ViewArgument& argument : views)
                     prepared.matrix_count += argument.view.rank() >= 2 && argument.view.count() >= 2 ? 1 : 0;
                 if (spoiled != nullptr) {
                     const auto wrong = spoiled_views(views, *spoiled);
                     if (wrong.empty()) return prepared;
                     for (const auto& [at, view] : wrong) change_view(*args, at, view);
                 }
                 prepared.launch = [args, launch](const Backend& backend, Stream& stream) {
                     launch(backend, stream, *args);
                 };
                 return prepared;
             }});
    }
    return erased;
}

#define BKD_CASES_OF(accessor, Class, OPS)                                                 \
    void append_##accessor(std::vector<OpCases>& table) {                                  \
        [[maybe_unused]] constexpr const char* family = #accessor;                         \
        using Family = Class;                                                              \
        struct Of {                                                                        \
            static const Family& on(const Backend& backend) { return backend.accessor(); } \
        };                                                                                 \
        OPS(BKD_CASES_OF_OP)                                                               \
    }
#define BKD_CASES_OF_OP(op, Args)                                                               \
    table.push_back(erased<Args>(family, #op, cases(static_cast<const Args*>(nullptr)),         \
                                 [](const Backend& backend, Stream& stream, const Args& args) { \
                                     Family::On{Of::on(backend), stream}.op(args);              \
                                 }));

}
