#include "kernels/convolution.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {

void check(const Conv2dForward& args) {
    const Checker check("conv2d_forward");
    check.stored("x", args.x);
    check.like("w", args.w, args.x, args.w.shape);
    check.like("y", args.y, args.x, convolution_shape(args.x.shape, args.w.shape, args.geometry));
    check.optional_real("bias", args.bias, {args.w.dim(0)});
    check.apart(args);
}

void check(const Conv2dBackward& args) {
    const Checker check("conv2d_backward");
    check.stored("x", args.x);
    check.like("w", args.w, args.x, args.w.shape);
    check.like("dy", args.dy, args.x, convolution_shape(args.x.shape, args.w.shape, args.geometry));
    if (args.dx) check.like("dx", args.dx.view, args.x, args.x.shape);
    check.optional_real("dw", args.dw.view, args.w.shape);
    check.apart(args);
}

}
