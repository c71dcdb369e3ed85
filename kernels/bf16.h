#pragma once
// bf16 to and from f32, on the host.
#include "kernels/dtype.h"

#include <bit>

namespace bkd {

constexpr float to_f32(Bf16 x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }

// To the nearest number that bf16 holds, ties to even; beyond its range infinity. A NaN stays one, with the upper bits
// of its payload. Without a branch, so that a loop over it vectorises.
constexpr Bf16 to_bf16(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, quiet_nan = bits >> 16 | 0x40;
    const bool is_nan = (bits & 0x7FFFFFFF) > 0x7F800000;
    return {static_cast<std::uint16_t>(is_nan ? quiet_nan : nearest)};
}

}
