#pragma once
// What softmax and the losses do with one row of c numbers, all in f32: inlined into leaf functions (simd.h).
//
//   scaled_row    u_i = factor x_i / divisor
//   shift_row     u_i = (u_i - max u) + shift_i: first the maximum, or a shift loses its digits beside large logits
//   largest       max_i u_i, NaN left out: exponentials finds it
//   exponentials  e_i = exp(u_i - max), and their sum; NaN or +infinity in u makes the sum NaN. e may be u
//   normalize     e_i / sum
//
// A sum runs over blocks of 128 numbers in f32, whose sums are added in f64: a row of thousands of classes loses
// nothing.
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {

BKD_INLINE void scaled_row(const float* x, float factor, float divisor, float* u, std::int64_t c) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) u[i] = factor * x[i] / divisor;
}

BKD_INLINE float largest(const float* u, std::int64_t c) {
    float max = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : max)
    for (std::int64_t i = 0; i < c; ++i) max = u[i] > max ? u[i] : max;
    return max;
}

BKD_INLINE void shift_row(float* u, const float* shift, std::int64_t c) {
    const float max = largest(u, c);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) u[i] = (u[i] - max) + shift[i];
}

constexpr std::int64_t sum_block = 128;

BKD_INLINE double exponentials(const float* u, float max, float* e, std::int64_t c) {
    double sum = 0;
    for (std::int64_t first = 0; first < c; first += sum_block) {
        const std::int64_t last = c - first < sum_block ? c : first + sum_block;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (std::int64_t i = first; i < last; ++i) {
            e[i] = vector_exp(u[i] - max);
            part += e[i];
        }
        sum += part;
    }
    return sum;
}

BKD_INLINE double sum_of_row(const float* x, std::int64_t c) {
    double sum = 0;
    for (std::int64_t first = 0; first < c; first += sum_block) {
        const std::int64_t last = c - first < sum_block ? c : first + sum_block;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (std::int64_t i = first; i < last; ++i) part += x[i];
        sum += part;
    }
    return sum;
}

BKD_INLINE void normalize(float* e, double sum, std::int64_t c) {
    const auto inverse = static_cast<float>(1 / sum);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) e[i] *= inverse;
}

}
