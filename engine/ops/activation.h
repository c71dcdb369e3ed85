#pragma once
// Activations with their gradients. Formulas: kernels/activation.h
#include "engine/context.h"

namespace bkd {

Tensor relu(Context& ctx, const Tensor& x);                             // max(x, 0)
Tensor add_relu(Context& ctx, const Tensor& a, const Tensor& b);        // max(a + b, 0), equal shapes
Tensor softmax(Context& ctx, const Tensor& x, double temperature = 1);  // of x / T over the last axis
Tensor log_softmax(Context& ctx, const Tensor& x, double temperature = 1);

}
