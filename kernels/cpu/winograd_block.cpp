// The inner loops of winograd.cpp (winograd_block.h), written once over a vector type: one register of the instruction
// set. The matrices are those of F(2 x 2, 3 x 3), Lavin and Gray 2015, section 4.1:
//
//         1  0 -1  0           1  1  1  0
//   B^T = 0  1  1  0     A^T = 0  1 -1 -1
//         0 -1  1  0
//         0  1  0 -1
#include "kernels/cpu/winograd_block.h"

#include "kernels/cpu/simd.h"

#pragma GCC diagnostic ignored \
    "-Wpsabi"  // vectors wider than the oldest processor's are passed between inlined pieces alone

namespace bkd::kernels::cpu {
namespace {

template <int lanes>
struct Vector {
    using Type [[gnu::vector_size(lanes * 4)]] = float;
    using Bits [[gnu::vector_size(lanes * 4)]] = std::int32_t;
    using Unaligned [[gnu::vector_size(lanes * 4), gnu::aligned(4), gnu::may_alias]] = float;
};

template <int lanes>
BKD_INLINE auto load(const float* from) {
    return static_cast<typename Vector<lanes>::Type>(*reinterpret_cast<const typename Vector<lanes>::Unaligned*>(from));
}
template <int lanes>
BKD_INLINE void store(float* to, const typename Vector<lanes>::Type& value) {
    *reinterpret_cast<typename Vector<lanes>::Unaligned*>(to) = value;
}

// `rows` pixels of one column of an image, `lanes` channels each, from x, which points to those of pixel (0, 0).
// `largest` becomes that of the bits of all |pixels|, whose order is that of the numbers, NaN last.
template <int lanes, int rows>
BKD_INLINE void load_column(const TileStrip& s, const float* x, std::int64_t column,
                            typename Vector<lanes>::Type (&pixels)[rows], typename Vector<lanes>::Bits& largest) {
    using Bits = typename Vector<lanes>::Bits;
    const bool inside = column >= 0 && column < s.width;
    for (int r = 0; r < rows; ++r) {
        const std::int64_t row = s.top + r;
        if (inside && row >= 0 && row < s.height)
            pixels[r] = load<lanes>(x + (row * s.width + column) * s.channels);
        else
            pixels[r] = typename Vector<lanes>::Type{};
        const Bits bits = std::bit_cast<Bits>(pixels[r]) & 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
}

template <int lanes>
BKD_INLINE bool is_small(const typename Vector<lanes>::Bits& largest) {
    bool small = true;
    for (int lane = 0; lane < lanes; ++lane) small &= largest[lane] < std::bit_cast<std::int32_t>(winograd_limit);
    return small;
}

// t = B^T x of one column.
template <int lanes>
BKD_INLINE void transformed_column(const TileStrip& s, const float* x, std::int64_t column,
                                   typename Vector<lanes>::Type (&t)[4], typename Vector<lanes>::Bits& largest) {
    typename Vector<lanes>::Type d[4];
    load_column<lanes>(s, x, column, d, largest);
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
}

// Neighbouring tiles share two columns: each is transformed once.
template <int lanes>
BKD_INLINE bool transform_image(const TileStrip& s, const float* x, float* v, std::int64_t plane) {
    using V = typename Vector<lanes>::Type;
    typename Vector<lanes>::Bits largest{};
    for (std::int64_t c = 0; c < s.channels; c += lanes) {
        V t0[4], t1[4], t2[4], t3[4];
        transformed_column<lanes>(s, x + c, s.left, t0, largest);
        transformed_column<lanes>(s, x + c, s.left + 1, t1, largest);
        float* to = v + c;
        for (std::int64_t tile = 0; tile < s.tiles; ++tile, to += s.channels) {
            transformed_column<lanes>(s, x + c, s.left + 2 * tile + 2, t2, largest);
            transformed_column<lanes>(s, x + c, s.left + 2 * tile + 3, t3, largest);
            for (int i = 0; i < 4; ++i) {
                float* row = to + 4 * i * plane;
                store<lanes>(row, t0[i] - t2[i]);
                store<lanes>(row + plane, t1[i] + t2[i]);
                store<lanes>(row + 2 * plane, t2[i] - t1[i]);
                store<lanes>(row + 3 * plane, t1[i] - t3[i]);
                t0[i] = t2[i];
                t1[i] = t3[i];
            }
        }
    }
    return is_small<lanes>(largest);
}

template <int lanes>
BKD_INLINE bool transform_gradient(const TileStrip& s, const float* dy, float* d, std::int64_t plane) {
    using V = typename Vector<lanes>::Type;
    typename Vector<lanes>::Bits largest{};
    for (std::int64_t c = 0; c < s.channels; c += lanes) {
        float* to = d + c;
        for (std::int64_t tile = 0; tile < s.tiles; ++tile, to += s.channels) {
            V left[2], right[2];
            load_column<lanes>(s, dy + c, s.left + 2 * tile, left, largest);
            load_column<lanes>(s, dy + c, s.left + 2 * tile + 1, right, largest);
            const V l[4] = {left[0], left[0] + left[1], left[0] - left[1], -left[1]};
            const V r[4] = {right[0], right[0] + right[1], right[0] - right[1], -right[1]};
            for (int i = 0; i < 4; ++i) {
                float* row = to + 4 * i * plane;
                store<lanes>(row, l[i]);
                store<lanes>(row + plane, l[i] + r[i]);
                store<lanes>(row + 2 * plane, l[i] - r[i]);
                store<lanes>(row + 3 * plane, -r[i]);
            }
        }
    }
    return is_small<lanes>(largest);
}

template <int lanes>
BKD_INLINE void write_outputs(const TileStrip& s, const float* m, std::int64_t plane, const float* bias, bool adds,
                              float* y) {
    using V = typename Vector<lanes>::Type;
    for (std::int64_t c = 0; c < s.channels; c += lanes) {
        const V offset = bias == nullptr ? V{} : load<lanes>(bias + c);
        const float* from = m + c;
        for (std::int64_t tile = 0; tile < s.tiles; ++tile, from += s.channels) {
            V top[4], bottom[4];  // A^T m, column by column
            for (int j = 0; j < 4; ++j) {
                const V m0 = load<lanes>(from + j * plane), m1 = load<lanes>(from + (4 + j) * plane);
                const V m2 = load<lanes>(from + (8 + j) * plane), m3 = load<lanes>(from + (12 + j) * plane);
                top[j] = m0 + m1 + m2;
                bottom[j] = m1 - m2 - m3;
            }
            const V out[2][2] = {
                {top[0] + top[1] + top[2] + offset, top[1] - top[2] - top[3] + offset},
                {bottom[0] + bottom[1] + bottom[2] + offset, bottom[1] - bottom[2] - bottom[3] + offset}};
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 2; ++j) {
                    const std::int64_t row = s.top + i, column = s.left + 2 * tile + j;
                    if (row >= s.height || column >= s.width) continue;
                    float* to = y + (row * s.width + column) * s.channels + c;
                    store<lanes>(to, adds ? load<lanes>(to) + out[i][j] : out[i][j]);
                }
        }
    }
}

template <int lanes, int rows, int columns>
BKD_INLINE void multiply_rows(const float* v, const float* u, std::int64_t c, std::int64_t k, float* m) {
    typename Vector<lanes>::Type sum[rows][columns] = {};
    for (std::int64_t i = 0; i < c; ++i)
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; ++column)
                sum[row][column] += v[row * c + i] * load<lanes>(u + i * k + column * lanes);
    for (int row = 0; row < rows; ++row)
        for (int column = 0; column < columns; ++column) store<lanes>(m + row * k + column * lanes, sum[row][column]);
}

// As many rows at once as `rows`, then half as many, ...
template <int lanes, int rows, int columns>
BKD_INLINE void multiply_columns(const float* v, const float* u, std::int64_t tiles, std::int64_t c, std::int64_t k,
                                 float* m) {
    std::int64_t tile = 0;
    for (; tile + rows <= tiles; tile += rows) multiply_rows<lanes, rows, columns>(v + tile * c, u, c, k, m + tile * k);
    if constexpr (rows > 1)
        if (tile < tiles) multiply_columns<lanes, rows / 2, columns>(v + tile * c, u, tiles - tile, c, k, m + tile * k);
}

template <int lanes, int rows, int columns>
BKD_INLINE void add_product_rows(const float* v, const float* d, std::int64_t tiles, std::int64_t c, std::int64_t k,
                                 float* m) {
    for (std::int64_t i = 0; i < c; i += rows) {
        typename Vector<lanes>::Type sum[rows][columns] = {};
        for (std::int64_t tile = 0; tile < tiles; ++tile)
            for (int row = 0; row < rows; ++row)
                for (int column = 0; column < columns; ++column)
                    sum[row][column] += v[tile * c + i + row] * load<lanes>(d + tile * k + column * lanes);
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; ++column) {
                float* to = m + (i + row) * k + column * lanes;
                store<lanes>(to, load<lanes>(to) + sum[row][column]);
            }
    }
}

// Blocks of registers: 16 sums where there are 32 registers, 12 or 8 where there are 16. Fewer than 8 would wait for
// each other.
template <int lanes>
BKD_INLINE void multiply(const float* v, const float* u, std::int64_t tiles, std::int64_t c, std::int64_t k, float* m) {
    std::int64_t column = 0;
    if constexpr (lanes == 16) {
        for (; column + 32 <= k; column += 32) multiply_columns<16, 8, 2>(v, u + column, tiles, c, k, m + column);
        if (column < k) multiply_columns<16, 16, 1>(v, u + column, tiles, c, k, m + column);
    } else {
        for (; column < k; column += 16) multiply_columns<8, 6, 2>(v, u + column, tiles, c, k, m + column);
    }
}

template <int lanes>
BKD_INLINE void add_products(const float* v, const float* d, std::int64_t tiles, std::int64_t c, std::int64_t k,
                             float* m) {
    std::int64_t column = 0;
    if constexpr (lanes == 16) {
        for (; column + 32 <= k; column += 32) add_product_rows<16, 8, 2>(v, d + column, tiles, c, k, m + column);
        if (column < k) add_product_rows<16, 16, 1>(v, d + column, tiles, c, k, m + column);
    } else {
        for (; column < k; column += 16) add_product_rows<8, 4, 2>(v, d + column, tiles, c, k, m + column);
    }
}

#define BKD_WINOGRAD_KERNELS(name, isa, lanes)                                                                         \
    struct name {                                                                                                      \
        [[gnu::target(isa)]] static bool image(const TileStrip& s, const float* x, float* v, std::int64_t plane) {     \
            return transform_image<lanes>(s, x, v, plane);                                                             \
        }                                                                                                              \
        [[gnu::target(isa)]] static bool gradient(const TileStrip& s, const float* dy, float* d, std::int64_t plane) { \
            return transform_gradient<lanes>(s, dy, d, plane);                                                         \
        }                                                                                                              \
        [[gnu::target(isa)]] static void outputs(const TileStrip& s, const float* m, std::int64_t plane,               \
                                                 const float* bias, bool adds, float* y) {                             \
            write_outputs<lanes>(s, m, plane, bias, adds, y);                                                          \
        }                                                                                                              \
        [[gnu::target(isa)]] static void product(const float* v, const float* u, std::int64_t tiles, std::int64_t c,   \
                                                 std::int64_t k, float* m) {                                           \
            multiply<lanes>(v, u, tiles, c, k, m);                                                                     \
        }                                                                                                              \
        [[gnu::target(isa)]] static void products(const float* v, const float* d, std::int64_t tiles, std::int64_t c,  \
                                                  std::int64_t k, float* m) {                                          \
            add_products<lanes>(v, d, tiles, c, k, m);                                                                 \
        }                                                                                                              \
        static constexpr WinogradKernels table{image, gradient, outputs, product, products};                           \
    };

#if defined(__x86_64__)
BKD_WINOGRAD_KERNELS(Avx512, "arch=x86-64-v4", 16)
BKD_WINOGRAD_KERNELS(Avx2, "arch=x86-64-v3", 8)
#endif

}

const WinogradKernels* winograd_kernels([[maybe_unused]] int lanes) {
#if defined(__x86_64__)
    if (lanes == 16 && __builtin_cpu_supports("x86-64-v4")) return &Avx512::table;
    if (lanes == 8 && __builtin_cpu_supports("x86-64-v3")) return &Avx2::table;
#endif
    return nullptr;
}

const WinogradKernels* winograd_kernels() {
    static const WinogradKernels* const widest =
        winograd_kernels(16) != nullptr ? winograd_kernels(16) : winograd_kernels(8);
    return widest;
}

}
