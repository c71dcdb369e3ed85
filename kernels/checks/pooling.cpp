#include "kernels/pooling.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

void check_shortcut(const Checker& check, const ConstView& x, const ConstView& y, std::int64_t stride) {
    check.stored("x", x);
    check.rank("x", x, 4, 4);
    check.rank("y", y, 4, 4);
    BKD_CHECK_OP(check, stride >= 1, "stride is {}", stride);
    BKD_CHECK_OP(check, y.dim(3) >= x.dim(3), "y {} has fewer channels than x {}", y.shape.str(), x.shape.str());
    check.like("y", y, x, {x.dim(0), (x.dim(1) + stride - 1) / stride, (x.dim(2) + stride - 1) / stride, y.dim(3)});
}

void check_global(const Checker& check, const ConstView& x, const ConstView& y) {
    check.stored("x", x);
    check.rank("x", x, 4, 4);
    check.like("y", y, x, {x.dim(0), x.dim(3)});
    BKD_CHECK_OP(check, x.dim(1) >= 1 && x.dim(2) >= 1, "x {} has no pixel", x.shape.str());
}

}

void check(const MaxPoolForward& args) {
    const Checker check("max_pool_forward");
    check.stored("x", args.x);
    const Shape y = pooling_shape(args.x.shape, args.window);
    check.like("y", args.y, args.x, y);
    check.typed("index", args.index, DType::i32, y);
    check.apart(args);
}

void check(const MaxPoolBackward& args) {
    const Checker check("max_pool_backward");
    check.stored("dx", args.dx.view);
    const Shape y = pooling_shape(args.dx.view.shape, args.window);
    check.like("dy", args.dy, args.dx.view, y);
    check.typed("index", args.index, DType::i32, y);
    check.apart(args);
}

void check(const AvgPoolForward& args) {
    const Checker check("avg_pool_forward");
    check.stored("x", args.x);
    check.like("y", args.y, args.x, pooling_shape(args.x.shape, args.window));
    check.apart(args);
}

void check(const AvgPoolBackward& args) {
    const Checker check("avg_pool_backward");
    check.stored("dx", args.dx.view);
    check.like("dy", args.dy, args.dx.view, pooling_shape(args.dx.view.shape, args.window));
    check.apart(args);
}

void check(const GlobalAvgPoolForward& args) {
    const Checker check("global_avg_pool_forward");
    check_global(check, args.x, args.y);
    check.apart(args);
}

void check(const GlobalAvgPoolBackward& args) {
    const Checker check("global_avg_pool_backward");
    check_global(check, args.dx.view, args.dy);
    check.apart(args);
}

void check(const ShortcutAForward& args) {
    const Checker check("shortcut_a_forward");
    check_shortcut(check, args.x, args.y, args.stride);
    check.apart(args);
}

void check(const ShortcutABackward& args) {
    const Checker check("shortcut_a_backward");
    check_shortcut(check, args.dx.view, args.dy, args.stride);
    check.apart(args);
}

}
