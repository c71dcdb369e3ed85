#pragma once
// Products with their gradients. Formulas: kernels/matmul.h
#include "engine/context.h"

namespace bkd {

// x [n, in], w [out, in], bias [out] or empty -> y [n, out]
Tensor linear(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias);

// a, b of equal leading axes -> op(a) op(b), op transposing the last two
Tensor matmul(Context& ctx, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b);

// x [n, in], w [out, in] -> y [n, out] = scale cos(x_n, w_o)
Tensor cosine_linear(Context& ctx, const Tensor& x, const Tensor& w, double scale);

}
