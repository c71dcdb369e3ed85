#pragma once
// The weight gradient of 3 x 3 convolutions by our own kernel. cuDNN has fast ones for the shapes of CIFAR networks, 16
// to 64 channels and 10^4 to 10^5 output pixels, but none that adds in the same order every time.
#include "kernels/convolution.h"
#include "kernels/cuda/reduce.cuh"

#include <optional>

namespace bkd::kernels::cuda {

// What is left to do for a weight gradient: a sum that another launch can carry along.
struct WeightSums {
    std::optional<Scratch> partial{};
    ChunkSum<float> sum{};
};

// False if the geometry is another: not 3 x 3, in groups, or of a horizontal stride of 3 and more; then nothing has
// been done.
// `tf32`: products of f32 operands rounded to TF32.
bool tiled_weight_gradient(Stream& stream, const Conv2dBackward& args, bool tf32, WeightSums& rest);

}
