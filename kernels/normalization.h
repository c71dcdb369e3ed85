#pragma once
// Batch normalisation, alone or fused with a residual addition and ReLU. Bodies: reference/ cpu/ cuda/ normalization
// Cases: cases/normalization.cpp
//
//   c channels innermost; m = count / c values stand behind one channel's statistics.
//   Precision    statistics and sums in f32 or wider whatever x is. Squares are taken of distances, from the mean, from
//                that of a part of the rows or from one of the channel's values, never of x itself: E[x^2] - E[x]^2
//                loses every digit once |mean| is 1000 times the deviation. Not promised: how often x is read for them.
//   Variance     1/m where x is normalised, 1/(m-1) in the running estimate (PyTorch's convention).
//   Same bits    for any number of threads: partial sums over tiles that the shape alone gives, added in a fixed order.
//   Aliasing     y may be x or residual; dx may be dy. Everything else apart.
#include "kernels/family.h"

namespace bkd::kernels {

// y = gamma (x - mean) rstd + beta [+ residual] [then max(., 0)]        rstd = 1 / sqrt(var + eps)
struct BatchNormForward {
    ConstView x;                         // [..., c]  f32 bf16; m >= 2
    ConstView gamma, beta;               // [c]       f32
    ConstView residual{};                // as x; empty: none
    View y;                              // as x
    View mean, rstd;                     // [c]       f32, kept for the gradient
    View running_mean{}, running_var{};  // [c]       f32, r += momentum (batch - r); empty: not kept
    double eps = 1e-5, momentum = 0.1;
    bool relu = false;
};

// g = dy [y > 0 if relu]    xhat = (x - mean) rstd    s1 = sum_m g    s2 = sum_m g xhat
// dx = gamma rstd / m (m g - s1 - xhat s2)    dgamma = s2    dbeta = s1    dresidual = g
struct BatchNormBackward {
    ConstView dy, x;              // [..., c]
    ConstView y{};                // [..., c]  needed if relu
    ConstView gamma, mean, rstd;  // [c], the last two from the forward
    Out dx;                       // as x;  each of the four may be empty: not wanted
    Out dgamma, dbeta;            // [c] f32
    Out dresidual{};              // as x
    bool relu = false;
};

// The same with running statistics in place of the batch's, which take no gradient.
struct BatchNormInference {
    ConstView x;                          // [..., c]  f32 bf16
    ConstView gamma, beta;                // [c]       f32
    ConstView running_mean, running_var;  // [c]       f32
    ConstView residual{};                 // as x
    View y;                               // as x
    double eps = 1e-5;
    bool relu = false;
};

// dx = gamma g / sqrt(running_var + eps)    dgamma = sum_m g xhat    dbeta = sum_m g    dresidual = g
struct BatchNormInferenceBackward {
    ConstView dy, x;                             // [..., c]
    ConstView y{};                               // [..., c]  needed if relu
    ConstView gamma, running_mean, running_var;  // [c]
    Out dx;
    Out dgamma, dbeta;
    Out dresidual{};
    double eps = 1e-5;
    bool relu = false;
};

#define BKD_NORMALIZATION_OPS(OP)                \
    OP(batch_norm_forward, BatchNormForward)     \
    OP(batch_norm_backward, BatchNormBackward)   \
    OP(batch_norm_inference, BatchNormInference) \
    OP(batch_norm_inference_backward, BatchNormInferenceBackward)
BKD_FAMILY(Normalization, BKD_NORMALIZATION_OPS)

}
