#pragma once
// Labels, tokens, partners and places of images are looked at before a kernel reads memory through them.
#include "kernels/view.h"

namespace bkd::kernels::cpu {

// LogicError unless every number of `indices` (i32; left out: nothing to check) lies in [0, limit).
inline void check_indices(const char* name, const ConstView& indices, std::int64_t limit) {
    if (!indices) return;
    const auto* index = indices.as<std::int32_t>();
    const std::int64_t n = indices.count();
    bool all_inside = true;
    for (std::int64_t i = 0; i < n; ++i) all_inside &= index[i] >= 0 && index[i] < limit;
    if (all_inside) return;
    for (std::int64_t i = 0; i < n; ++i)
        BKD_CHECK(index[i] >= 0 && index[i] < limit, "{}[{}] is {}, outside 0..{}", name, i, index[i], limit - 1);
}

}
