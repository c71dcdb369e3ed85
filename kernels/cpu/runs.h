#pragma once
// Leaf functions over a run of numbers that several families need.
#include <cstdint>

namespace bkd::kernels::cpu {

// y = factor x, or y += factor x; y may be x.
void scale_run(const float* x, float factor, float* y, std::int64_t n, bool accumulate);
// y += x; they do not overlap.
void add_run(const float* x, float* y, std::int64_t n);

}
