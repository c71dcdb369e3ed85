#pragma once
// Forward and data gradient of small 3 x 3 convolutions by our own kernel, on tensor cores: of 64 channels at most and
// the pixels of a batch of small images, where a call of cuDNN takes mostly waiting. bf16, and f32 where TF32 is
// allowed.
#include "kernels/convolution.h"

namespace bkd::kernels::cuda {

// False if the shapes are others, nothing done: not 3 x 3 at stride 1, in groups, channels that are no multiple of 16
// bytes.
bool tiled_forward(Stream& stream, const Conv2dForward& args, bool tf32);
bool tiled_data_gradient(Stream& stream, const Conv2dBackward& args, bool tf32);

}
