#pragma once
// The functions of the toolkit's cuda_bf16.h that kernels/cuda uses.
#include <cstdint>
#include <cstring>

struct __nv_bfloat16 {
    std::uint16_t bits;
};

// To the nearest, ties to even; NaN becomes 0x7FFF as on a device.
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return {0x7FFF};
    bits += 0x7FFF + (bits >> 16 & 1);
    return {static_cast<std::uint16_t>(bits >> 16)};
}
inline std::uint16_t __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
inline __nv_bfloat16 __ushort_as_bfloat16(std::uint16_t bits) { return {bits}; }
