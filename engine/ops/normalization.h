#pragma once
// Batch normalisation with its gradient. Formulas and precision: kernels/normalization.h
#include "engine/context.h"

namespace bkd {

struct BatchNormParameters {
    Tensor gamma, beta;                // [c]
    Tensor running_mean, running_var;  // [c]; moved by training forwards
    double eps = 1e-5, momentum = 0.1;
    bool batch_statistics = true;  // false: running ones in training, too
    bool moves_running = true;     // false: batch statistics leave the running ones alone
};

// y = gamma (x - mean) / sqrt(var + eps) + beta [+ residual] [then ReLU]     x, y, residual [..., c]
// Statistics of the batch when ctx.training() and p.batch_statistics, else the running ones. At least two values a
// channel in training: LogicError otherwise.
Tensor batch_norm(Context& ctx, const Tensor& x, const BatchNormParameters& p, bool relu, const Tensor& residual = {});

}
