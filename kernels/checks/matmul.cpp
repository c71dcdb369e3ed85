#include "kernels/matmul.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

// What forward and backward have in common.
template <class Args>
void check_cosines(const Checker& check, const Args& args) {
    check.stored("x", args.x);
    check.rank("x", args.x, 2, 2);
    check.rank("w", args.w, 2, 2);
    const std::int64_t n = args.x.dim(0), o = args.w.dim(0);
    check.like("w", args.w, args.x, {o, args.x.dim(1)});
    check.like_or_real("y", args.y, args.x, {n, o});
    check.real("x_norm", args.x_norm, {n});
    check.real("w_norm", args.w_norm, {o});
}

}

void check(const Gemm& args) {
    const Checker check("gemm");
    check.stored("a", args.a);
    check.like("b", args.b, args.a, args.b.shape);
    check.rank("a", args.a, 2, Shape::max_rank);
    check.rank("b", args.b, args.a.rank(), args.a.rank());
    const Shape &a = args.a.shape, &b = args.b.shape;
    Shape out = a;
    out.set(-2, a[args.transpose_a ? -1 : -2]);
    out.set(-1, b[args.transpose_b ? -2 : -1]);
    BKD_CHECK_OP(check, a[args.transpose_a ? -2 : -1] == b[args.transpose_b ? -1 : -2],
                 "a {}{} and b {}{} differ in their inner extent", a.str(), args.transpose_a ? " transposed" : "",
                 b.str(), args.transpose_b ? " transposed" : "");
    for (int i = 0; i < a.rank() - 2; ++i)
        BKD_CHECK_OP(check, a[i] == b[i], "a {} and b {} are not equal batches", a.str(), b.str());
    check.like_or_real("out", args.out.view, args.a, out);
    check.optional_real("bias", args.bias, {out[-1]});
    check.apart(args);
}

void check(const CosineLinearForward& args) {
    const Checker check("cosine_linear_forward");
    check_cosines(check, args);
    check.apart(args);
}

void check(const CosineLinearBackward& args) {
    const Checker check("cosine_linear_backward");
    check_cosines(check, args);
    check.like("dy", args.dy, args.x, args.y.shape);
    check.optional_like("dx", args.dx.view, args.x);
    if (args.dw) check.like_or_real("dw", args.dw.view, args.w, args.w.shape);
    check.apart(args);
}

}
