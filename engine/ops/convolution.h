#pragma once
// Convolutions with their gradients. Formulas and layouts: kernels/convolution.h
#include "engine/context.h"

namespace bkd {

// x [n, h, w, c], w [k, r, s, c / g], bias [k] or empty -> y [n, p, q, k]
Tensor conv2d(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
              const kernels::ConvolutionGeometry& geometry);

// max(conv2d(x, w, bias) + residual, 0) for inference: without a gradient, LogicError on a tape. w in x's dtype, bias
// [k], residual as y or empty. The last steps change the convolution's result in its place.
Tensor conv2d_relu(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                   const kernels::ConvolutionGeometry& geometry, const Tensor& residual = {});

// Convolution over time: x [b, l, d], w [k, r, d], bias [k] -> y [b, l + 2 padding - r + 1, k]
Tensor text_conv(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias, std::int64_t padding);

}
