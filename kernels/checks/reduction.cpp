#include "kernels/reduction.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

void check_axes(const Checker& check, const ConstView& whole, Axes axes) {
    BKD_CHECK_OP(check, axes.bits >> whole.rank() == 0, "axes beyond those of {}", whole.shape.str());
}

}

void check(const Sum& args) {
    const Checker check("sum");
    check.stored("x", args.x);
    check_axes(check, args.x, args.axes);
    check.like("y", args.y.view, args.x, reduced_shape(args.x.shape, args.axes));
    check.apart(args);
}

void check(const Broadcast& args) {
    const Checker check("broadcast");
    check.stored("y", args.y.view);
    check_axes(check, args.y.view, args.axes);
    check.like("x", args.x, args.y.view, reduced_shape(args.y.view.shape, args.axes));
    check.apart(args);
}

void check(const ColumnSum& args) {
    const Checker check("column_sum");
    check.stored("x", args.x);
    check.rank("x", args.x, 1, Shape::max_rank);
    check.real("y", args.y.view, {args.x.dim(-1)});
    check.apart(args);
}

void check(const CountNonfinite& args) {
    const Checker check("count_nonfinite");
    check.stored("x", args.x);
    BKD_CHECK_OP(check, args.x.count() <= std::int64_t{1} << 30, "x {} has more than 2^30 values", args.x.shape.str());
    check.typed("count", args.count.view, DType::i32, {1});
    check.apart(args);
}

}
