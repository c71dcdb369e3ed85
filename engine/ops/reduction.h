#pragma once
// Sums and means over axes, which vanish from the shape. Formulas: kernels/reduction.h
#include "engine/context.h"

namespace bkd {

Tensor sum(Context& ctx, const Tensor& x, kernels::Axes axes);
Tensor mean(Context& ctx, const Tensor& x, kernels::Axes axes);

}
