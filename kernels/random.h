#pragma once
// Random numbers by Philox4x32-10 (kernels/philox.h) and what dropout does with them.
// Bodies: reference/ cpu/ cuda/ random   Cases: cases/random.cpp
//
//   Element i of a tensor takes word i % 4 of philox({i / 4, high bits of i / 4, position[0], position[1]}, key): the
//   same bits on every backend. `position` is memory, not a value: it changes from step to step (engine: epoch and
//   step).
#include "kernels/family.h"
#include "kernels/philox.h"

namespace bkd::kernels {

// y = low + (high - low) u, u uniform in [0, 1) with 24 bits
struct RandomUniform {
    View y;              // any shape, f32
    ConstView position;  // [2] i32
    PhiloxKey key;
    double low = 0, high = 1;
};
// y = 1 with probability keep_probability, else 0: word < round(keep_probability 2^32)
struct RandomMask {
    View y;              // any shape, u8
    ConstView position;  // [2] i32
    PhiloxKey key;
    double keep_probability = 0.5;
};
// y = x mask / (1 - p): forward, and gradient with dy for x
struct Dropout {
    ConstView x;     // any shape, f32 bf16
    ConstView mask;  // as x, u8: 1 keeps
    Out y;           // as x
    double p = 0.5;  // 0 <= p < 1
};

#define BKD_RANDOM_OPS(OP)            \
    OP(random_uniform, RandomUniform) \
    OP(random_mask, RandomMask)       \
    OP(dropout, Dropout)
BKD_FAMILY(Random, BKD_RANDOM_OPS)

}
