#pragma once
// What the kernels of 3 x 3 convolutions share: how a strip of pixels lies in shared memory, and a warp's products of
// tiles.
#include "kernels/cuda/launch.cuh"

#include <mma.h>

namespace bkd::kernels::cuda {

constexpr int tile = 16, taps = 9;

// Pixels of an image batch that a block holds at once: neighbours of one row, of several images, image by image
// innermost. So the strip's neighbours to the right are the same lines of shared memory, `images` further down.
struct Strip {
    int columns_log, images_log;
    int count;  // in a row of the output

    // As wide as a row of `columns`, from 2^least_log to 32, and filled up to `pixels` with images. Two images at
    // least: pairs of lines keep the alignment that fragments ask for.
    static Strip of(std::int64_t columns, int pixels, int least_log) {
        const auto log2_up = [](std::int64_t x) {
            int log = 0;
            while ((std::int64_t{1} << log) < x) ++log;
            return log;
        };
        const int log = std::clamp(log2_up(columns), least_log, std::min(5, log2_up(pixels) - 1));
        return {log, log2_up(pixels) - log, static_cast<int>((columns + (1 << log) - 1) >> log)};
    }
    // Lines of `pixels` and two more columns.
    template <int pixels, int least_log>
    static constexpr int most_lines = pixels + 2 * (pixels >> least_log);
};

// Fragments are read from addresses that are multiples of 32 bytes.
template <class T, int size>
struct alignas(32) SharedArray {
    T at[size];
};

// As Math has operands in shared memory.
template <class Math, class T, int n>
__device__ Vec<typename Math::Stored, n> stored(const Vec<T, n>& values) {
    Vec<typename Math::Stored, n> to;
#pragma unroll
    for (int k = 0; k < n; ++k) to.at[k] = Math::stored(values.at[k]);
    return to;
}

// Sums of products of 16 output channels by 16 input channels over pixels, for the 9 taps of a filter. Three kinds of
// arithmetic with one interface; operands lie in shared memory, a line a pixel, a column a channel.
//
//   Stored        how an operand lies in shared memory
//   pad           numbers between lines, so that reading a column of a tile meets no bank twice
//   step          pixels that add() takes at once
//   add(...)      acc[tap] += dy^T x of `step` pixels
//   put(...)      one tap's sums, [16, 16] row-major: output channel, input channel
// Tensor cores, through fragments of one warp. `Number` is what the fragments hold.
template <class Number, class Memory, int depth>
struct TensorTile {
    using Stored = Memory;
    using Operand = Number;
    static constexpr int step = depth, pad = 16 / static_cast<int>(sizeof(Memory));
    using Dy = nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, tile, tile, depth, Number, nvcuda::wmma::col_major>;
    using X = nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, tile, tile, depth, Number, nvcuda::wmma::row_major>;
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, tile, tile, depth, float> acc[taps];

    __device__ void clear() {
#pragma unroll
        for (int tap = 0; tap < taps; ++tap) nvcuda::wmma::fill_fragment(acc[tap], 0.0f);
    }
    // dy: first of `step` rows of width dy_width; x_of(tap): likewise, of width x_width.
    template <class XOf>
    __device__ void add(const Stored* dy, int dy_width, const XOf& x_of, int x_width) {
        Dy a;
        nvcuda::wmma::load_matrix_sync(a, dy, static_cast<unsigned>(dy_width));
#pragma unroll
        for (int tap = 0; tap < taps; ++tap) {
            X b;
            nvcuda::wmma::load_matrix_sync(b, x_of(tap), static_cast<unsigned>(x_width));
            nvcuda::wmma::mma_sync(acc[tap], a, b, acc[tap]);
        }
    }
    __device__ void put(int tap, float* to) const {
        nvcuda::wmma::store_matrix_sync(to, acc[tap], tile, nvcuda::wmma::mem_row_major);
    }
};

struct Bf16Tile : TensorTile<__nv_bfloat16, __nv_bfloat16, 16> {
    __device__ static Stored stored(Bf16 x) { return __ushort_as_bfloat16(x.bits); }
};
struct Tf32Tile : TensorTile<nvcuda::wmma::precision::tf32, float, 8> {
    __device__ static Stored stored(float x) { return nvcuda::wmma::__float_to_tf32(x); }
};

// f32 products and sums. A lane has 4 output and 2 input channels of every tap.
struct F32Tile {
    using Stored = float;
    static constexpr int step = 4, pad = 4;
    float acc[taps][4][2];

    __device__ static Stored stored(float x) { return x; }
    __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_size; }
    __device__ static int first_out() { return lane() / 8 * 4; }
    __device__ static int first_in() { return lane() % 8 * 2; }

    __device__ void clear() {
#pragma unroll
        for (int tap = 0; tap < taps; ++tap)
#pragma unroll
            for (int o = 0; o < 4; ++o) acc[tap][o][0] = acc[tap][o][1] = 0;
    }
    template <class XOf>
    __device__ void add(const float* dy, int dy_width, const XOf& x_of, int x_width) {
#pragma unroll
        for (int pixel = 0; pixel < step; ++pixel) {
            const Vec<float, 4> out = load<4>(dy + pixel * dy_width + first_out());
#pragma unroll
            for (int tap = 0; tap < taps; ++tap) {
                const Vec<float, 2> in = load<2>(x_of(tap) + pixel * x_width + first_in());
#pragma unroll
                for (int o = 0; o < 4; ++o)
#pragma unroll
                    for (int i = 0; i < 2; ++i) acc[tap][o][i] = fmaf(out.at[o], in.at[i], acc[tap][o][i]);
            }
        }
    }
    __device__ void put(int tap, float* to) const {
#pragma unroll
        for (int o = 0; o < 4; ++o)
            store(to + (first_out() + o) * tile + first_in(), Vec<float, 2>{{acc[tap][o][0], acc[tap][o][1]}});
    }
};

}
