#include "engine/ops/convolution.h"

#include "engine/ops/elementwise.h"

namespace bkd {

// y[n,p,q,k] = b[k] + sum_{r,s,c} x[n, p sh - ph + r, q sw - pw + s, c] w[k,r,s,c]
Tensor conv2d(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
              const kernels::ConvolutionGeometry& geometry) {
    Tensor y = ctx.empty(kernels::convolution_shape(x.shape(), w.shape(), geometry), x.dtype());
    ctx.convolution().conv2d_forward({.x = x, .w = w.operand(x.dtype()), .bias = bias, .y = y, .geometry = geometry});
    ctx.record("conv2d", y, {x, w, bias}, [=](Context& back, const Tensor& dy, Gradients& grad) {
        const Out dx = grad.out(x), dw = grad.out(w, back.real());
        if (dx || dw)
            back.convolution().conv2d_backward(
                {.x = x, .w = w.operand(dy.dtype()), .dy = dy, .dx = dx, .dw = dw, .geometry = geometry});
        if (Out db = grad.out(bias)) back.reduction().column_sum({.x = dy, .y = db});
    });
    return y;
}

// y = max(b + sum x w + residual, 0)
Tensor conv2d_relu(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                   const kernels::ConvolutionGeometry& geometry, const Tensor& residual) {
    BKD_CHECK(ctx.tape() == nullptr, "conv2d_relu has no gradient");
    const Tensor y = conv2d(ctx, x, w, bias, geometry);
    if (residual)
        ctx.activation().add_relu_forward({.a = y, .b = residual, .y = y});
    else
        ctx.activation().relu_forward({.x = y, .y = y});
    return y;
}

// conv2d of width 1: [b, l, d] is the image [b, l, 1, d]
Tensor text_conv(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias, std::int64_t padding) {
    const Tensor image = reshape(ctx, x, {x.dim(0), x.dim(1), 1, x.dim(2)});
    const Tensor filter = reshape(ctx, w, {w.dim(0), w.dim(1), 1, w.dim(2)});
    const Tensor y = conv2d(ctx, image, filter, bias, {.padding = {padding, 0}});
    return reshape(ctx, y, {y.dim(0), y.dim(1), y.dim(3)});
}

}
