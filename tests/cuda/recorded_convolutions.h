#pragma once
// The convolutions that networks and the table of cases ask a device for, as calls of cuDNN (kernels/cuda/library.h):
// recorded on `plan`, so that nothing is computed. Calls that differ in addresses alone are one.
#include "kernels/cuda/library.h"
#include "models/network.h"

#include <map>
#include <string>

namespace bkd::test {

// By their description: "data bf16>f32 += 0 x 2 5 7 3 w 4 3 3 3 y 2 5 7 4 stride 1 1 padding 1 1 groups 1".
using Calls = std::map<std::string, kernels::cuda::ConvolutionCall>;
std::string description_of(const kernels::cuda::ConvolutionCall& call);

// Of a training step: forward, and the gradients of a cross-entropy.
Calls calls_of_step(const NetworkOptions& options, const Shape& input, DType storage);
// Of the small cases; those without elements, which cuDNN does not know, are left out.
Calls calls_of_cases(DType storage);

}
