#pragma once
// Products of matrices and the cosine classifier. Bodies: reference/ cpu/ cuda/ matmul   Cases: cases/matmul.cpp
//
//   Precision    products and sums in f32 whatever the storage; norms and their quotients in f32, after the product.
//   Aliasing     none.
#include "kernels/family.h"

namespace bkd::kernels {

// out = op(a) op(b) [+ bias]; op transposes the last two axes; leading axes are equal batches. An inner extent of 0
// gives zeros (or the bias).
// [..., m, k] x [..., k, n] -> [..., m, n]
struct Gemm {
    ConstView a;  // f32 bf16
    bool transpose_a = false;
    ConstView b;  // as a
    bool transpose_b = false;
    ConstView bias{};  // [n] f32
    Out out;           // as a, or f32
    double flops() const {
        return 2.0 * static_cast<double>(out.view.count()) * static_cast<double>(a.dim(transpose_a ? -2 : -1));
    }
};

// y[n,o] = scale x_n . w_o / (max(|x_n|, 1e-12) max(|w_o|, 1e-12))        NormedLinear of LDAM-DRW, RIDE
struct CosineLinearForward {
    ConstView x, w;       // [n, i], [o, i]   f32 bf16
    View y;               // [n, o]           as x, or f32: what the gradient of bf16 x needs, its difference cancels
    View x_norm, w_norm;  // [n], [o]         f32, clamped at 1e-12; kept for the gradient
    double scale = 1;
    double flops() const { return 2.0 * static_cast<double>(y.count()) * static_cast<double>(x.dim(1)); }
};

// dx_n = (scale sum_o dy_no w_o / |w_o| - (sum_o dy_no y_no) x_n / |x_n|) / |x_n|, and for dw with n, o exchanged
struct CosineLinearBackward {
    ConstView dy, y;           // [n, o], y as dy, or f32
    ConstView x, w;            // [n, i], [o, i]
    ConstView x_norm, w_norm;  // [n], [o], from the forward
    Out dx, dw;                // as x, w, dw or f32; empty: not wanted
    double scale = 1;
    double flops() const { return 4.0 * static_cast<double>(dy.count()) * static_cast<double>(x.dim(1)); }
};

#define BKD_MATMUL_OPS(OP)                         \
    OP(gemm, Gemm)                                 \
    OP(cosine_linear_forward, CosineLinearForward) \
    OP(cosine_linear_backward, CosineLinearBackward)
BKD_FAMILY(Matmul, BKD_MATMUL_OPS)

}
