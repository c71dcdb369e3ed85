#pragma once
// Pooling over images, NHWC, and the parameter-free shortcut of the CIFAR ResNets.
// Bodies: reference/ cpu/ cuda/ pooling   Cases: cases/pooling.cpp
//
//   n images, h x w pixels, c channels; p x q pixels out: p = (h + 2 padding_h - kernel_h) / stride_h + 1, whole part
//   Precision    sums in f32; maxima are copies.     Aliasing  none.
#include "kernels/family.h"

#include <array>

namespace bkd::kernels {

struct Window {
    std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0};  // h, w
};

// [n, p, q, c]; LogicError if the window does not fit, or could lie wholly in the padding (2 padding > kernel).
Shape pooling_shape(const Shape& x, const Window& window);

// y = max over the window; padding is -infinity; of equal values, and of NaNs, the first in row-major window order
struct MaxPoolForward {
    ConstView x;  // [n, h, w, c] f32 bf16
    View y;       // [n, p, q, c] as x
    View index;   // [n, p, q, c] i32: h' w + w' of the maximum, kept for the gradient
    Window window;
};
// dx[n, index, c] += dy
struct MaxPoolBackward {
    ConstView dy, index;  // [n, p, q, c]
    Out dx;               // [n, h, w, c]
    Window window;
};

// y = sum over the window / (kernel_h kernel_w), or / the number of pixels inside the image
struct AvgPoolForward {
    ConstView x;  // [n, h, w, c] f32 bf16
    View y;       // [n, p, q, c]
    Window window;
    bool count_include_pad = true;
};
struct AvgPoolBackward {
    ConstView dy;  // [n, p, q, c]
    Out dx;        // [n, h, w, c]
    Window window;
    bool count_include_pad = true;
};

// y[n,c] = sum_{h,w} x[n,h,w,c] / (h w)
struct GlobalAvgPoolForward {
    ConstView x;  // [n, h, w, c] f32 bf16
    View y;       // [n, c]
};
struct GlobalAvgPoolBackward {
    ConstView dy;  // [n, c]
    Out dx;        // [n, h, w, c]
};

// y[n,i,j,lo+c] = x[n, i stride, j stride, c], other channels 0; lo = (k - c) / 2 rounded down.   (He 2016: option A)
struct ShortcutAForward {
    ConstView x;  // [n, h, w, c] f32 bf16
    View y;       // [n, ceil(h / stride), ceil(w / stride), k >= c]
    std::int64_t stride = 2;
};
struct ShortcutABackward {
    ConstView dy;  // [n, ceil(h / stride), ceil(w / stride), k]
    Out dx;        // [n, h, w, c]
    std::int64_t stride = 2;
};

#define BKD_POOLING_OPS(OP)                             \
    OP(max_pool_forward, MaxPoolForward)                \
    OP(max_pool_backward, MaxPoolBackward)              \
    OP(avg_pool_forward, AvgPoolForward)                \
    OP(avg_pool_backward, AvgPoolBackward)              \
    OP(global_avg_pool_forward, GlobalAvgPoolForward)   \
    OP(global_avg_pool_backward, GlobalAvgPoolBackward) \
    OP(shortcut_a_forward, ShortcutAForward)            \
    OP(shortcut_a_backward, ShortcutABackward)
BKD_FAMILY(Pooling, BKD_POOLING_OPS)

}
