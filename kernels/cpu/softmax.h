#pragma once
// What softmax and the losses do with one row of c numbers, all in f32: inlined into leaf functions (simd.h).
//
//   scaled_row    u_i = factor x_i / divisor + shift_i: the logits a softmax is taken of
//   largest       max_i u_i, NaN left out: exponentials finds it
//   exponentials  e_i = exp(u_i - max), and their sum; a NaN or +infinity in u makes the sum NaN. e may be u
//   normalize     e_i / sum
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {

BKD_INLINE void scaled_row(const float* x, float factor, float divisor, const float* shift, float* u, std::int64_t c) {
    if (shift == nullptr) {
#pragma omp simd
        for (std::int64_t i = 0; i < c; ++i) u[i] = factor * x[i] / divisor;
    } else {
#pragma omp simd
        for (std::int64_t i = 0; i < c; ++i) u[i] = factor * x[i] / divisor + shift[i];
    }
}

BKD_INLINE float largest(const float* u, std::int64_t c) {
    float max = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : max)
    for (std::int64_t i = 0; i < c; ++i) max = u[i] > max ? u[i] : max;
    return max;
}

BKD_INLINE float exponentials(const float* u, float max, float* e, std::int64_t c) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < c; ++i) {
        e[i] = vector_exp(u[i] - max);
        sum += e[i];
    }
    return sum;
}

BKD_INLINE void normalize(float* e, float sum, std::int64_t c) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) e[i] /= sum;
}

}
