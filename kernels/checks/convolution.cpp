#include "kernels/convolution.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {

void check(const Conv2dForward& args) {
    const Checker check("conv2d_forward");
    check.real("x", args.x);
    check.real("w", args.w);
    check.real("y", args.y, convolution_shape(args.x.shape, args.w.shape, args.geometry));
    check.optional_real("bias", args.bias, {args.w.dim(0)});
    check.apart(args);
}

void check(const Conv2dBackwardData& args) {
    const Checker check("conv2d_backward_data");
    check.real("w", args.w);
    check.real("dx", args.dx.view);
    check.real("dy", args.dy, convolution_shape(args.dx.view.shape, args.w.shape, args.geometry));
    check.apart(args);
}

void check(const Conv2dBackwardWeight& args) {
    const Checker check("conv2d_backward_weight");
    check.real("x", args.x);
    check.real("dw", args.dw.view);
    check.real("dy", args.dy, convolution_shape(args.x.shape, args.dw.view.shape, args.geometry));
    check.apart(args);
}

}
