#pragma once
// Element by element, joining and renaming, with their gradients. Formulas: kernels/elementwise.h
#include "engine/context.h"

namespace bkd {

Tensor add(Context& ctx, const Tensor& a, const Tensor& b);  // equal shapes, as the next two
Tensor subtract(Context& ctx, const Tensor& a, const Tensor& b);
Tensor multiply(Context& ctx, const Tensor& a, const Tensor& b);
Tensor scale(Context& ctx, const Tensor& x, double factor);
// x [n, ...] times factor [1] or [n], memory that takes no gradient
Tensor scale_rows(Context& ctx, const Tensor& x, const Tensor& factor);
Tensor bias_add(Context& ctx, const Tensor& x, const Tensor& bias);  // x [..., c], bias [c]
Tensor exp(Context& ctx, const Tensor& x);
Tensor log(Context& ctx, const Tensor& x);
Tensor sqrt(Context& ctx, const Tensor& x);  // the gradient at 0 is infinite
// Up to 16 tensors of equal shape but along `axis`; a piece may be empty
Tensor concat(Context& ctx, std::span<const Tensor> pieces, int axis);
// The same elements under another shape; no copy
Tensor reshape(Context& ctx, const Tensor& x, const Shape& shape);

}
