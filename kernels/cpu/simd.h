#pragma once
// What hot loops are written with: plain loops that the compiler vectorises, cloned for newer processors and chosen
// once when the program is loaded.
//
//   BKD_SIMD       before the definition of a leaf function: no OpenMP region, no lambda and no template in it; what
//                  it calls is BKD_INLINE, or it is compiled for the oldest processor
//   BKD_INLINE     a piece that becomes part of each clone
//   BKD_RESTRICT   on pointers of a leaf function that do not overlap
//   vector_exp, vector_log   without branches or tables, so that a loop over them vectorises
//
// The files of this folder are compiled with -fno-trapping-math and -fno-math-errno (CMakeLists.txt): `a < b ? a : b`
// then vectorises, and keeps its meaning for NaN.
#include <bit>
#include <cstdint>
#include <limits>

#if defined(__x86_64__) && !defined(BKD_NO_CLONES)
#define BKD_SIMD [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define BKD_SIMD
#endif
#define BKD_INLINE [[gnu::always_inline]] inline
#define BKD_RESTRICT __restrict__

namespace bkd::kernels::cpu {

// e^x within 2 ulp: n = round(x / ln 2), e^r as a polynomial over |r| <= ln 2 / 2, times 2^n in two halves, so that
// results below the smallest normal number round once. NaN gives NaN, +infinity +infinity, -infinity 0.
BKD_INLINE float vector_exp(float x) {
    constexpr float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    constexpr float rounder = 12582912.0f;  // 1.5 x 2^23: adding it leaves the rounded integer in the last bits
    x = x < -104.0f ? -104.0f : x;          // NaN fails both comparisons and stays
    x = x > 89.0f ? 89.0f : x;
    const float shifted = x * log2_e + rounder;
    const float n = shifted - rounder;
    const float r = (x - n * ln2_high) - n * ln2_low;
    float p = 1.9875691500e-4f;  // minimax coefficients of Cephes' expf
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(rounder);
    const std::int32_t half = exponent >> 1;
    const auto power = [](std::int32_t e) { return std::bit_cast<float>(static_cast<std::uint32_t>(e + 127) << 23); };
    return p * power(half) * power(exponent - half);
}

// ln x within 2 ulp: x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m as a polynomial in m - 1.
// 0 gives -infinity, a negative number and NaN give NaN, +infinity +infinity; numbers below the normal range are exact
// too.
BKD_INLINE float vector_log(float x) {
    constexpr std::uint32_t sqrt_half = 0x3F3504F3;
    const bool tiny = x < std::numeric_limits<float>::min();
    const float scaled = tiny ? x * 8388608.0f : x;  // 2^23
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(scaled);
    const std::int32_t e = static_cast<std::int32_t>(bits - sqrt_half) >> 23;
    const float m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(e) << 23));
    const float f = m - 1.0f, f2 = f * f;
    float p = 7.0376836292e-2f;  // minimax coefficients of Cephes' logf
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const float n = static_cast<float>(e) - (tiny ? 23.0f : 0.0f);
    float y = (f * f2) * p + n * -2.12194440e-4f - 0.5f * f2;
    y = (f + y) + n * 0.693359375f;
    y = x > std::numeric_limits<float>::max() ? x : y;
    y = x == 0.0f ? -std::numeric_limits<float>::infinity() : y;
    return x >= 0.0f ? y : std::numeric_limits<float>::quiet_NaN();
}

}
