#pragma once
// Numbers in memory and their roundings, for the stand-ins of libraries.
#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>

namespace simt {

inline float widened(std::uint16_t bits) {
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float x;
    std::memcpy(&x, &wide, sizeof x);
    return x;
}
inline float rounded_to_bf16(float x) { return widened(__bfloat16_as_ushort(__float2bfloat16_rn(x))); }
// TF32: 10 bits of significand; NaN and infinities as they are.
inline float rounded_to_tf32(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7F800000) == 0x7F800000) return x;
    bits = (bits + 0xFFF + (bits >> 13 & 1)) & ~std::uint32_t{0x1FFF};
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

inline float load(const void* data, bool is_bf16, std::int64_t at) {
    return is_bf16 ? widened(static_cast<const std::uint16_t*>(data)[at]) : static_cast<const float*>(data)[at];
}
inline void store(void* data, bool is_bf16, std::int64_t at, float x) {
    if (is_bf16)
        static_cast<std::uint16_t*>(data)[at] = __bfloat16_as_ushort(__float2bfloat16_rn(x));
    else
        static_cast<float*>(data)[at] = x;
}

}
