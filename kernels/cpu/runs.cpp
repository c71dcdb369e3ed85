#include "kernels/cpu/runs.h"

#include "kernels/bf16.h"
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {

BKD_SIMD void scale_run(const float* x, float factor, float* y, std::int64_t n, bool accumulate) {
    if (accumulate) {
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
    } else {
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) y[i] = factor * x[i];
    }
}

BKD_SIMD void add_run(const float* BKD_RESTRICT x, float* BKD_RESTRICT y, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}

BKD_SIMD void widen_run(const Bf16* BKD_RESTRICT x, float* BKD_RESTRICT y, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = to_f32(x[i]);
}

BKD_SIMD void round_run(const float* BKD_RESTRICT x, Bf16* BKD_RESTRICT y, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = to_bf16(x[i]);
}

}
