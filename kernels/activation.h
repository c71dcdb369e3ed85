#pragma once
// Activations. Bodies: reference/ cpu/ cuda/ activation   Cases: cases/activation.cpp
//
//   Precision    softmax and its sums in f32: z / T first, then the maximum subtracted. A NaN makes its row NaN.
//   Aliasing     relu: y may be x, dx may be dy. add_relu: y may be a or b. Softmax: none.
#include "kernels/family.h"

namespace bkd::kernels {

// y = max(x, 0), NaN stays NaN; the gradient at 0 and -0 is 0, at NaN dy
struct ReluForward {
    ConstView x;  // any shape, f32 bf16
    View y;       // as x
};
struct ReluBackward {
    ConstView dy, y;  // as x
    Out dx;           // as x
};

// y = max(a + b, 0)
struct AddReluForward {
    ConstView a, b;  // equal shapes, f32 bf16
    View y;          // as a
};
struct AddReluBackward {
    ConstView dy, y;  // as a
    Out da, db;       // as a; empty: not wanted. The same view in both gets the gradient twice
};

// y = softmax(x / T) over the last axis
struct SoftmaxForward {
    ConstView x;  // [..., c], c >= 1, f32 bf16
    View y;       // as x, or f32: what a gradient needs of bf16 x, y (dy - sum dy y) cancels
    double temperature = 1;
};
// dx = y (dy - sum_c dy y) / T
struct SoftmaxBackward {
    ConstView dy, y;  // [..., c], y as dy, or f32
    Out dx;           // as dy
    double temperature = 1;
};

// y = x / T - log sum exp(x / T) over the last axis
struct LogSoftmaxForward {
    ConstView x;  // [..., c], c >= 1, f32 bf16
    View y;       // as x, or f32
    double temperature = 1;
};
// dx = (dy - exp(y) sum_c dy) / T
struct LogSoftmaxBackward {
    ConstView dy, y;  // [..., c], y as dy, or f32
    Out dx;           // as dy
    double temperature = 1;
};

#define BKD_ACTIVATION_OPS(OP)                 \
    OP(relu_forward, ReluForward)              \
    OP(relu_backward, ReluBackward)            \
    OP(add_relu_forward, AddReluForward)       \
    OP(add_relu_backward, AddReluBackward)     \
    OP(softmax_forward, SoftmaxForward)        \
    OP(softmax_backward, SoftmaxBackward)      \
    OP(log_softmax_forward, LogSoftmaxForward) \
    OP(log_softmax_backward, LogSoftmaxBackward)
BKD_FAMILY(Activation, BKD_ACTIVATION_OPS)

}
