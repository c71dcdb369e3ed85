#pragma once
// Convolution of image batches, NHWC. Bodies: reference/ cpu/ cuda/ convolution   Cases: cases/convolution.cpp
//
//   n images, h x w pixels, c channels in, k out, r x s taps, g groups; p x q pixels out:
//   p = (h + 2 padding_h - r) / stride_h + 1, rounded down; likewise q. Cross-correlation: no tap is flipped.
//   Precision    products and sums in f32 whatever the storage. An element's error is small beside the sum of its own
//                |products|. Where a CPU takes F(2 x 2, 3 x 3) for f32 (BackendOptions::winograd; 3 x 3 taps, stride 1,
//                channels in sixteens, up to 128 x 128 of them, from 8 tiles a channel on), beside the largest of its
//                neighbours' within 3 pixels instead: that is the same unless numbers side by side differ by many
//                orders of magnitude.
//   Same bits    again on the same machine for the same number of threads.
//   Aliasing     none. Any extent but the channels may be 0: an empty output is written by doing nothing.
#include "kernels/family.h"

#include <array>

namespace bkd::kernels {

struct ConvolutionGeometry {
    std::array<std::int64_t, 2> stride{1, 1};   // h, w
    std::array<std::int64_t, 2> padding{0, 0};  // h, w; on both sides; zeros
    std::int64_t groups = 1;
};

// [n, p, q, k] for images x [n, h, w, c] and weights w [k, r, s, c / g]; LogicError if they do not fit.
Shape convolution_shape(const Shape& x, const Shape& w, const ConvolutionGeometry& geometry);

inline double convolution_flops(const Shape& y, const Shape& w) {
    return 2.0 * static_cast<double>(y.count()) * static_cast<double>(w.product(1, 4));
}

// y[n,p,q,k] = b[k] + sum_{r,s,c} x[n, p sh - ph + r, q sw - pw + s, (k div K/g) C/g + c] w[k,r,s,c]
// outside the image x is 0
struct Conv2dForward {
    static constexpr bool may_stay_bf16 = true;
    ConstView x;       // [n, h, w, c]     f32 bf16
    ConstView w;       // [k, r, s, c / g] as x
    ConstView bias{};  // [k]              f32
    View y;            // [n, p, q, k]     as x
    ConvolutionGeometry geometry{};
    double flops() const { return convolution_flops(y.shape, w.shape); }
};

// dx[n,h,w,c] = sum over the (p, q, k, r, s) that read x[n,h,w,c] of dy[n,p,q,k] w[k,r,s,c]
// dw[k,r,s,c] = sum_{n,p,q} dy[n,p,q,k] x[n, p sh - ph + r, q sw - pw + s, c]
// either may be left out; the bits of one do not depend on the other
struct Conv2dBackward {
    static constexpr bool may_stay_bf16 = true;
    ConstView x;   // [n, h, w, c]     f32 bf16
    ConstView w;   // [k, r, s, c / g] as x
    ConstView dy;  // [n, p, q, k]     as x
    Out dx{};      // [n, h, w, c]     as x
    Out dw{};      // [k, r, s, c / g] f32
    ConvolutionGeometry geometry{};
    double flops() const { return ((dx ? 1 : 0) + (dw ? 1 : 0)) * convolution_flops(dy.shape, w.shape); }
};

#define BKD_CONVOLUTION_OPS(OP)       \
    OP(conv2d_forward, Conv2dForward) \
    OP(conv2d_backward, Conv2dBackward)
BKD_FAMILY(Convolution, BKD_CONVOLUTION_OPS)

}
