#pragma once
// Optimizers over one flat block of parameters. Bodies: reference/ cpu/ cuda/ optimizer   Cases: cases/optimizer.cpp
#include "kernels/family.h"

namespace bkd::kernels {

// Parameters [begin, end) of the flat block that share their factors. Elements in no group are frozen: not touched.
struct ParameterGroup {
    std::int64_t begin = 0, end = 0;
    double learning_rate_factor = 1, weight_decay = 0;
};

// d = g + weight_decay p;  v = momentum v + d;  p -= lr (nesterov ? d + momentum v : v); without momentum p -= lr d.
// PyTorch's convention with dampening 0; a first step is v = 0.      On CUDA one launch for up to 64 groups.
struct SgdStep {
    static constexpr bool takes_any_dtype = true;
    ConstView grad;           // [n] f32
    View param;               // [n] f32, master weights
    View velocity{};          // [n] f32; empty: no momentum
    View copy{};              // [n] bf16: what was written to param, rounded; empty: none
    ConstView learning_rate;  // [1] f32, memory: it changes each step
    ConstView fault{};        // [1] i32: where it is not 0, nothing is written; empty: 0
    std::span<const ParameterGroup> groups;
    double momentum = 0;
    bool nesterov = false;
};

#define BKD_OPTIMIZER_OPS(OP) OP(sgd_step, SgdStep)
BKD_FAMILY(Optimizer, BKD_OPTIMIZER_OPS)

}
