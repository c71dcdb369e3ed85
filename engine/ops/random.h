#pragma once
// Dropout. Formulas: kernels/random.h
#include "engine/context.h"

namespace bkd {

// x mask / (1 - p); mask u8 of x's shape, 1 keeps
Tensor dropout(Context& ctx, const Tensor& x, const Tensor& mask, double p);
// With a mask drawn for (epoch, step) of ctx.randomness; x itself when not training or p is 0. `name` tells the
// dropouts of one network apart.
Tensor dropout(Context& ctx, const Tensor& x, double p, std::string_view name);

}
