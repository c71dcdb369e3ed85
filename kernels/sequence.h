#pragma once
// Texts as sequences. Bodies: reference/ cpu/ cuda/ sequence   Cases: cases/sequence.cpp
// A convolution over time is conv2d of width 1: [b, l, d] is the image [b, l, 1, d].
#include "kernels/family.h"

namespace bkd::kernels {

// y[b,k] = max over l of x[b,l,k]; of equal values, and of NaNs, the first in time
struct MaxOverTimeForward {
    ConstView x;  // [b, l >= 1, k] f32 bf16
    View y;       // [b, k]    as x
    View index;   // [b, k]    i32, kept for the gradient
};
// dx[b, index[b,k], k] = dy[b,k], all else 0
struct MaxOverTimeBackward {
    ConstView dy, index;  // [b, k]
    Out dx;               // [b, l, k]
};

#define BKD_SEQUENCE_OPS(OP)                      \
    OP(max_over_time_forward, MaxOverTimeForward) \
    OP(max_over_time_backward, MaxOverTimeBackward)
BKD_FAMILY(Sequence, BKD_SEQUENCE_OPS)

}
