#pragma once
// The weight gradient of 3 x 3 convolutions by our own kernel. cuDNN has fast ones for the shapes of CIFAR networks, 16
// to 64 channels and 10^4 to 10^5 output pixels, but none that adds in the same order every time.
#include "kernels/convolution.h"

namespace bkd::kernels::cuda {

// False if the geometry is another: not 3 x 3, in groups, or of a horizontal stride of 3 and more; then nothing has
// been done.
// `tf32`: products of f32 operands rounded to TF32.
// The last of it, a sum over chunks, is put off and carried along by the next weight gradient.
bool tiled_weight_gradient(Stream& stream, const Conv2dBackward& args, bool tf32);

}
