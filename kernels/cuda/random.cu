// Random numbers and dropout on a device: the same bits as every backend's. Contract: kernels/random.h
#include "kernels/random.h"

#include "kernels/cuda/map.cuh"

#include <cmath>

namespace bkd::kernels::cuda {
namespace {

struct Words {
    std::uint32_t at[4];
};

// kernels/philox.h in registers: ten rounds of two 32 x 32 -> 64 bit products.
__device__ Words philox_words(std::uint64_t block, const std::int32_t* position, std::uint32_t k0, std::uint32_t k1) {
    std::uint32_t c0 = static_cast<std::uint32_t>(block), c1 = static_cast<std::uint32_t>(block >> 32),
                  c2 = static_cast<std::uint32_t>(position[0]), c3 = static_cast<std::uint32_t>(position[1]);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const std::uint32_t high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        const std::uint32_t high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

struct UniformFrom {
    using Result = float;
    float low, range;
    __device__ float operator()(std::uint32_t word) const {
        return fmaf(range, static_cast<float>(word >> 8) * 0x1p-24f, low);
    }
};
struct MaskFrom {
    using Result = std::uint8_t;
    std::uint64_t threshold;  // 2^32 where everything is kept
    __device__ std::uint8_t operator()(std::uint32_t word) const { return word < threshold ? 1 : 0; }
};

// Formula   y_i = f(word i % 4 of philox({i / 4, position}, key))
// Shapes    y any; f32 or u8; position [2] i32 in memory: it changes each step
// Mapping   a thread one Philox block: four neighbouring elements, stored at once where y allows it
// Bytes     y written; 40 integer products a thread, so bound by arithmetic for u8
// Source    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011
template <bool is_wide, class F>
__global__ void __launch_bounds__(256)
    random_kernel(F f, typename F::Result* y, std::int64_t count, const std::int32_t* position, std::uint32_t key0,
                  std::uint32_t key1) {
    const std::int64_t block = global_thread(), i = block * 4;
    if (i >= count) return;
    const Words words = philox_words(static_cast<std::uint64_t>(block), position, key0, key1);
    Vec<typename F::Result, 4> values;
#pragma unroll
    for (int k = 0; k < 4; ++k) values.at[k] = f(words.at[k]);
    if (is_wide && i + 4 <= count) return store(y + i, values);
#pragma unroll
    for (int k = 0; k < 4; ++k)
        if (i + k < count) y[i + k] = values.at[k];
}

template <class F>
void launch_random(Stream& stream, const F& f, typename F::Result* y, std::int64_t count, const ConstView& position,
                   const PhiloxKey& key) {
    const auto kernel = are_aligned(4 * sizeof(*y), y) ? random_kernel<true, F> : random_kernel<false, F>;
    launch(stream, kernel, blocks_for((count + 3) / 4, 256), 256, f, y, count, elements<std::int32_t>(position), key[0],
           key[1]);
}

// A dropped element is 0 whatever it was.
struct Keep {
    float share;
    __device__ float operator()(float x, float mask) const { return mask != 0 ? x / share : 0.0f; }
};

}

void Random::random_uniform(Stream& stream, const RandomUniform& args) const {
    const UniformFrom f{static_cast<float>(args.low), static_cast<float>(args.high - args.low)};
    launch_random(stream, f, elements<float>(args.y), args.y.count(), args.position, args.key);
}

void Random::random_mask(Stream& stream, const RandomMask& args) const {
    const MaskFrom f{static_cast<std::uint64_t>(std::llround(args.keep_probability * 0x1p32))};
    launch_random(stream, f, elements<std::uint8_t>(args.y), args.y.count(), args.position, args.key);
}

void Random::dropout(Stream& stream, const Dropout& args) const {
    with_storage(args.x.dtype, [&]<class T>(T) {
        map(stream, args.x.count(), args.y.accumulate, Keep{static_cast<float>(1 - args.p)}, elements<T>(args.y),
            elements<T>(args.x), elements<std::uint8_t>(args.mask));
    });
}

}
