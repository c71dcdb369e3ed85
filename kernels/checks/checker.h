#pragma once
// The words in which checks/<family>.cpp speak: each throws LogicError "op: what must hold: what was seen".
#include "kernels/arguments.h"

#include <initializer_list>
#include <utility>

namespace bkd::kernels {

// The condition as text, with the op's name in front: BKD_CHECK_OP(check, m >= 2, "x {} has no variance",
// x.shape.str()).
#define BKD_CHECK_OP(check, condition, ...) \
    (static_cast<bool>(condition) ? void() : ::bkd::fail_check((check).op, #condition, fmt::format(__VA_ARGS__)))

class Checker {
public:
    explicit Checker(const char* name) : op(name) {}
    const char* const op;

    // The argument is there, has that dtype (real: f64 on `reference`, f32 elsewhere) and that shape.
    void real(const char* name, const ConstView& view) const;
    void real(const char* name, const ConstView& view, const Shape& shape) const;
    // "f32 bf16" of a contract: real or bf16.
    void stored(const char* name, const ConstView& view) const;
    void stored(const char* name, const ConstView& view, const Shape& shape) const;
    // "as x" of a contract: x's dtype and x's or another shape.
    void like(const char* name, const ConstView& view, const ConstView& x) const;
    void like(const char* name, const ConstView& view, const ConstView& x, const Shape& shape) const;
    // "as x, or f32"
    void like_or_real(const char* name, const ConstView& view, const ConstView& x, const Shape& shape) const;
    void typed(const char* name, const ConstView& view, DType type) const;
    void typed(const char* name, const ConstView& view, DType type, const Shape& shape) const;
    // The same, unless it is left out.
    void optional_real(const char* name, const ConstView& view, const Shape& shape) const;
    void optional_like(const char* name, const ConstView& view, const ConstView& x) const;
    void optional_typed(const char* name, const ConstView& view, DType type, const Shape& shape) const;
    // [1] or [n] real numbers: one for all, or one a row.
    void one_or_each(const char* name, const ConstView& view, std::int64_t n) const;
    void rank(const char* name, const ConstView& view, int at_least, int at_most) const;

    // No output overlaps another argument, except the pairs that may be one and the same memory.
    using Pair = std::pair<ConstView, ConstView>;
    template <class Args>
    void apart(const Args& args, std::initializer_list<Pair> may_be_same = {}) const {
        apart(views_of(args), may_be_same);
    }

    void apart(const ViewArguments& all, std::initializer_list<Pair> may_be_same) const;

private:
    void disjoint(const ConstView& a, const ConstView& b, std::initializer_list<Pair> may_be_same) const;
};

}
