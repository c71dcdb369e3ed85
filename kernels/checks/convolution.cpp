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

void check(const Conv2dBackwardData& args) {
    const Checker check("conv2d_backward_data");
    check.stored("w", args.w);
    check.like("dx", args.dx.view, args.w, args.dx.view.shape);
    check.like("dy", args.dy, args.w, convolution_shape(args.dx.view.shape, args.w.shape, args.geometry));
    check.apart(args);
}

void check(const Conv2dBackwardWeight& args) {
    const Checker check("conv2d_backward_weight");
    check.stored("x", args.x);
    check.real("dw", args.dw.view);
    check.like("dy", args.dy, args.x, convolution_shape(args.x.shape, args.dw.view.shape, args.geometry));
    check.apart(args);
}

}
