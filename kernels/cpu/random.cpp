// Random numbers and dropout on the CPU. Contract: kernels/random.h. Philox runs on 16 counters side by side: its
// rounds are then plain loops over 16 words, which the compiler turns into widening vector products.
#include "kernels/random.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#include <cmath>

namespace bkd::kernels::cpu {
namespace {

constexpr std::int64_t lanes = 16, group = 4 * lanes;  // counters side by side, and the words they give
constexpr std::int64_t word_work = 4;                  // element operations a random word counts for
static_assert(element_tile % group == 0);

struct Source {
    PhiloxKey key;
    std::uint32_t position[2];
};

Source source_of(const ConstView& position, PhiloxKey key) {
    const auto* words = position.as<std::int32_t>();
    return {key, {static_cast<std::uint32_t>(words[0]), static_cast<std::uint32_t>(words[1])}};
}

// The words of elements [64 index, 64 index + 64): kernels/philox.h for sixteen counters at once.
BKD_INLINE void philox_words(const Source& source, std::int64_t index, std::uint32_t* words) {
    std::uint32_t c0[lanes], c1[lanes], c2[lanes], c3[lanes];
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const auto block = static_cast<std::uint64_t>(index * lanes + lane);
        c0[lane] = static_cast<std::uint32_t>(block);
        c1[lane] = static_cast<std::uint32_t>(block >> 32);
        c2[lane] = source.position[0];
        c3[lane] = source.position[1];
    }
    std::uint32_t k0 = source.key[0], k1 = source.key[1];
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
        for (std::int64_t lane = 0; lane < lanes; ++lane) {
            const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0[lane], p1 = std::uint64_t{0xCD9E8D57} * c2[lane];
            c0[lane] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[lane] ^ k0;
            c1[lane] = static_cast<std::uint32_t>(p1);
            c2[lane] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[lane] ^ k1;
            c3[lane] = static_cast<std::uint32_t>(p0);
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
        words[4 * lane] = c0[lane];
        words[4 * lane + 1] = c1[lane];
        words[4 * lane + 2] = c2[lane];
        words[4 * lane + 3] = c3[lane];
    }
}

// Elements [first, last) of the tensor y; first is a multiple of 64.
BKD_SIMD void uniform_run(const Source& source, float low, float range, float* y, std::int64_t first,
                          std::int64_t last) {
    std::uint32_t words[group];
    for (std::int64_t at = first; at < last; at += group) {
        philox_words(source, at / group, words);
        const std::int64_t n = last - at < group ? last - at : group;
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) y[at + i] = low + range * uniform_from(words[i]);
    }
}

BKD_SIMD void mask_run(const Source& source, std::uint64_t threshold, std::uint8_t* y, std::int64_t first,
                       std::int64_t last) {
    std::uint32_t words[group];
    for (std::int64_t at = first; at < last; at += group) {
        philox_words(source, at / group, words);
        const std::int64_t n = last - at < group ? last - at : group;
        for (std::int64_t i = 0; i < n; ++i) y[at + i] = words[i] < threshold ? 1 : 0;
    }
}

BKD_SIMD void dropout_run(const float* x, const std::uint8_t* mask, float keep, float* y, std::int64_t n,
                          bool accumulate) {
    if (accumulate) {
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) y[i] += x[i] * static_cast<float>(mask[i]) / keep;
    } else {
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * static_cast<float>(mask[i]) / keep;
    }
}

}

void Random::random_uniform(Stream& stream, const RandomUniform& args) const {
    const Source source = source_of(args.position, args.key);
    auto* y = args.y.as<float>();
    const auto low = static_cast<float>(args.low), range = static_cast<float>(args.high - args.low);
    const std::int64_t n = args.y.count();
    parallel_for(
        cpu_stream(stream), n, element_tile, n * word_work,
        [&](std::int64_t first, std::int64_t last, std::int64_t) { uniform_run(source, low, range, y, first, last); });
}

void Random::random_mask(Stream& stream, const RandomMask& args) const {
    const Source source = source_of(args.position, args.key);
    auto* y = args.y.as<std::uint8_t>();
    const auto threshold = static_cast<std::uint64_t>(std::llround(args.keep_probability * 0x1p32));
    const std::int64_t n = args.y.count();
    parallel_for(
        cpu_stream(stream), n, element_tile, n * word_work,
        [&](std::int64_t first, std::int64_t last, std::int64_t) { mask_run(source, threshold, y, first, last); });
}

void Random::dropout(Stream& stream, const Dropout& args) const {
    const auto* x = args.x.as<float>();
    const auto* mask = args.mask.as<std::uint8_t>();
    auto* y = args.y.view.as<float>();
    const auto keep = static_cast<float>(1 - args.p);
    const std::int64_t n = args.x.count();
    parallel_for(cpu_stream(stream), n, element_tile, n, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        dropout_run(x + first, mask + first, keep, y + first, last - first, args.y.accumulate);
    });
}

}
