#pragma once
// From stored bytes to a batch. Bodies: reference/ cpu/ cuda/ image   Cases: cases/image.cpp
//
//   s images in the set, n in the batch, h x w pixels, c channels; oh x ow after the crop.
//   Geometry is integer and exact; one rounding an operation after it. mix_lambda is memory: it changes each step.
#include "kernels/family.h"

namespace bkd::kernels {

// y = (x / 255 - mean) / std
struct ImageNormalize {
    ConstView x;          // [n, h, w, c] u8
    ConstView mean, std;  // [c] f32
    View y;               // [n, h, w, c] f32 bf16
};
// Pad with zeros on all sides, cut oh x ow at offset in padded coordinates, then mirror left-right if flip
struct CropFlip {
    ConstView x;       // [n, h, w, c] u8
    ConstView offset;  // [n, 2] i32: top, left; 0 <= offset <= h + 2 padding - oh
    ConstView flip;    // [n] u8
    View y;            // [n, oh, ow, c] u8
    std::int64_t padding = 0;
};
// y_n = lambda x_n + (1 - lambda) x_partner[n]
struct Mixup {
    ConstView x;           // [n, ...] f32 bf16
    ConstView partner;     // [n] i32
    ConstView mix_lambda;  // [1] or [n] f32
    View y;                // as x, not x itself
};
// target_n = lambda e_labels[n] + (1 - lambda) e_labels[partner[n]]
struct MixTargets {
    ConstView labels;      // [n] i32
    ConstView partner;     // [n] i32
    ConstView mix_lambda;  // [1] or [n] f32
    View target;           // [n, classes] f32
};
// The whole way in one pass:
// y_n = lambda normalise(crop_flip(images[index[n]])) + (1 - lambda) (the same of n' = partner[n])
struct LoadImages {
    ConstView images;        // [s, h, w, c] u8, the data set or a gathered batch
    ConstView index;         // [n] i32 into images
    ConstView offset{};      // [n, 2] i32 as in crop_flip; empty: at padding, i.e. the middle
    ConstView flip{};        // [n] u8; empty: none
    ConstView partner{};     // [n] i32 into the batch; empty: no mixing
    ConstView mix_lambda{};  // [1] or [n] f32
    ConstView mean, std;     // [c] f32
    View y;                  // [n, oh, ow, c] f32 bf16
    std::int64_t padding = 0;
};

#define BKD_IMAGE_OPS(OP)               \
    OP(image_normalize, ImageNormalize) \
    OP(crop_flip, CropFlip)             \
    OP(mixup, Mixup)                    \
    OP(mix_targets, MixTargets)         \
    OP(load_images, LoadImages)
BKD_FAMILY(Image, BKD_IMAGE_OPS)

}
