#pragma once
// Leaf functions over a run of numbers that several families need.
#include "kernels/dtype.h"

namespace bkd::kernels::cpu {

// y = factor x, or y += factor x; y may be x.
void scale_run(const float* x, float factor, float* y, std::int64_t n, bool accumulate);
// y += x; they do not overlap.
void add_run(const float* x, float* y, std::int64_t n);
// y = x; they do not overlap. round_run to the nearest even.
void widen_run(const Bf16* x, float* y, std::int64_t n);
void round_run(const float* x, Bf16* y, std::int64_t n);

}
