// F(2 x 2, 3 x 3) over whole images (winograd.h): cut into blocks of tiles, each transformed, multiplied and
// transformed back by one thread while it lies in the caches (winograd_block.h).
#include "kernels/cpu/winograd.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/winograd_block.h"

#include <cmath>
#include <limits>

namespace bkd::kernels::cpu {
namespace {

constexpr std::int64_t planes = 16;

// Tiles of 2 x 2 pixels side by side in an image: `count` from `first` on in a row of tiles.
struct TilePlace {
    std::int64_t image, row, first, count;
    std::int64_t before;  // tiles of its block
    TileStrip strip(const Shape& images, std::int64_t padding) const {
        return {images[1], images[2], images[3], 2 * row - padding, 2 * first - padding, count};
    }
};

// The tiles of images [n, height, width], as strips within a row of tiles, and blocks of strips.
struct TileGrid {
    TileGrid(const Shape& images, std::int64_t tiles_a_block)
        : rows((images[1] + 1) / 2),
          columns((images[2] + 1) / 2),
          strips_a_row(tile_count(columns, tiles_a_block)),
          strip(tile_count(columns, strips_a_row)),
          strips(images[0] * rows * strips_a_row),
          strips_a_block(std::max<std::int64_t>(1, tiles_a_block / strip)),
          blocks(tile_count(strips, strips_a_block)),
          tiles(strips_a_block * strip) {}

    // body(TilePlace) for each strip of a block; the number of its tiles.
    template <class Body>
    std::int64_t for_each_strip(std::int64_t block, const Body& body) const {
        std::int64_t before = 0;
        for (std::int64_t s = block * strips_a_block; s < std::min(strips, (block + 1) * strips_a_block); ++s) {
            const std::int64_t first = s % strips_a_row * strip, row = s / strips_a_row;
            const TilePlace place{row / rows, row % rows, first, std::min(columns - first, strip), before};
            body(place);
            before += place.count;
        }
        return before;
    }

    const std::int64_t rows, columns, strips_a_row, strip, strips, strips_a_block, blocks;
    const std::int64_t tiles;  // of a full block
};

std::int64_t image_size(const Shape& s) { return s.product(1, 4); }

// body(first, last, scratch): a part of [0, count) for each thread, with `floats` of its own. How many parts there are
// changes no bit.
template <class Body>
void for_each_part(CpuStream& stream, std::int64_t count, std::int64_t floats, std::int64_t work, const Body& body) {
    const std::int64_t parts = std::min<std::int64_t>(stream.threads, count), stride = (floats + 15) / 16 * 16;
    const Scratch memory(stream, static_cast<std::size_t>(parts * stride) * sizeof(float));
    parallel_for(stream, parts, 1, work, [&](std::int64_t part, std::int64_t, std::int64_t) {
        body(count * part / parts, count * (part + 1) / parts, memory.as<float>() + part * stride);
    });
}

// Asks for a block's share of a tensor while another one is multiplied, a sixteenth with each plane: what a block reads
// or writes lies side by side, but too far apart in time for the processor to see it coming.
template <bool writes>
class Ahead {
public:
    // `shift`: how much further the block reads than its share.
    Ahead(const float* tensor, std::int64_t floats, std::int64_t block, std::int64_t blocks, std::int64_t shift)
        : first_(tensor + std::min(floats, floats * block / blocks + shift)),
          floats_(std::min(floats - (first_ - tensor), floats / blocks)) {}
    void fetch(std::int64_t plane) const {
        constexpr int near = 2;  // the second cache
        for (std::int64_t i = 16 * plane; i < floats_; i += 16 * planes) __builtin_prefetch(first_ + i, writes, near);
    }

private:
    const float* first_;
    std::int64_t floats_;
};

//       1    0    0
//   G = 1/2  1/2  1/2
//       1/2 -1/2  1/2
//       0    0    1
BKD_INLINE void multiply_g(float a, float b, float c, float& g0, float& g1, float& g2, float& g3) {
    g0 = a;
    g1 = 0.5f * ((a + c) + b);
    g2 = 0.5f * ((a + c) - b);
    g3 = c;
}
BKD_INLINE void multiply_g_transposed(float m0, float m1, float m2, float m3, float& a, float& b, float& c) {
    a = m0 + 0.5f * (m1 + m2);
    b = 0.5f * (m1 - m2);
    c = 0.5f * (m1 + m2) + m3;
}

// u = G g G^T of 3 x 3 taps for `count` pairs of channels: tap t of pair i is g[t step + i], value v goes to
// u[v plane + i].
BKD_SIMD void transform_taps(const float* BKD_RESTRICT g, std::int64_t step, std::int64_t count, float* BKD_RESTRICT u,
                             std::int64_t plane) {
#pragma GCC ivdep  // planes do not overlap
    for (std::int64_t i = 0; i < count; ++i, ++g, ++u) {
        float a[4], b[4], c[4];  // the columns of G g
        multiply_g(g[0], g[3 * step], g[6 * step], a[0], a[1], a[2], a[3]);
        multiply_g(g[step], g[4 * step], g[7 * step], b[0], b[1], b[2], b[3]);
        multiply_g(g[2 * step], g[5 * step], g[8 * step], c[0], c[1], c[2], c[3]);
        multiply_g(a[0], b[0], c[0], u[0], u[plane], u[2 * plane], u[3 * plane]);
        multiply_g(a[1], b[1], c[1], u[4 * plane], u[5 * plane], u[6 * plane], u[7 * plane]);
        multiply_g(a[2], b[2], c[2], u[8 * plane], u[9 * plane], u[10 * plane], u[11 * plane]);
        multiply_g(a[3], b[3], c[3], u[12 * plane], u[13 * plane], u[14 * plane], u[15 * plane]);
    }
}

// dw = G^T m G, likewise: value v of pair i is m[v plane + i], tap t goes to dw[t step + i].
BKD_SIMD void transform_back(const float* BKD_RESTRICT m, std::int64_t plane, std::int64_t count,
                             float* BKD_RESTRICT dw, std::int64_t step) {
#pragma GCC ivdep  // planes do not overlap
    for (std::int64_t i = 0; i < count; ++i, ++m, ++dw) {
        float a[4], b[4], c[4];  // the rows of G^T m
        multiply_g_transposed(m[0], m[4 * plane], m[8 * plane], m[12 * plane], a[0], b[0], c[0]);
        multiply_g_transposed(m[plane], m[5 * plane], m[9 * plane], m[13 * plane], a[1], b[1], c[1]);
        multiply_g_transposed(m[2 * plane], m[6 * plane], m[10 * plane], m[14 * plane], a[2], b[2], c[2]);
        multiply_g_transposed(m[3 * plane], m[7 * plane], m[11 * plane], m[15 * plane], a[3], b[3], c[3]);
        multiply_g_transposed(a[0], a[1], a[2], a[3], dw[0], dw[step], dw[2 * step]);
        multiply_g_transposed(b[0], b[1], b[2], b[3], dw[3 * step], dw[4 * step], dw[5 * step]);
        multiply_g_transposed(c[0], c[1], c[2], c[3], dw[6 * step], dw[7 * step], dw[8 * step]);
    }
}

// to [columns, rows] (+)= from [rows, columns]^T; strides between rows. Both extents are multiples of 16.
BKD_SIMD void transpose(const float* BKD_RESTRICT from, std::int64_t from_stride, std::int64_t rows,
                        std::int64_t columns, float* BKD_RESTRICT to, std::int64_t to_stride, bool adds) {
    for (std::int64_t r = 0; r < rows; r += 16)
        for (std::int64_t c = 0; c < columns; c += 16)
            for (std::int64_t j = 0; j < 16; ++j) {
                float* row = to + (c + j) * to_stride + r;
                const float* column = from + r * from_stride + c + j;
                for (std::int64_t i = 0; i < 16; ++i) row[i] = (adds ? row[i] : 0.0f) + column[i * from_stride];
            }
}

BKD_SIMD void add_to(const float* BKD_RESTRICT from, float* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

// Every |x| < limit; NaN is not.
BKD_SIMD bool all_below(float limit, const float* x, std::int64_t count) {
    std::int32_t above = 0;
    for (std::int64_t i = 0; i < count; ++i) above |= !(std::abs(x[i]) < limit);
    return above == 0;
}

// Tiles that a block has: their planes should stay in the second cache beside the weights.
constexpr std::int64_t tiles_a_block = 32;

// Weights w [k, 3, 3, c], as they are for y or turned for dx.
struct Taps {
    const float* w;
    std::int64_t c, k;  // of w
    bool turned;
    bool are_small = all_below(winograd_limit, w, 9 * c * k);
    // Of tap (r, s) from channel `in` of what is read to channel `out` of what is written.
    float at(std::int64_t r, std::int64_t s, std::int64_t in, std::int64_t out) const {
        return turned ? w[((in * 3 + 2 - r) * 3 + 2 - s) * c + out] : w[((out * 3 + r) * 3 + s) * c + in];
    }
};

struct Correlation {
    Shape x_shape, y_shape;
    const float* x;
    float* y;
    const float* bias;  // or null
    std::int64_t padding;
    bool adds;
    Taps taps;
    const float* u;  // the taps transformed: [16][channels read, channels written]
};

// The pixels of a strip of y, tap by tap.
void correlate_directly(const Correlation& a, std::int64_t n, const TileStrip& s) {
    const float* x = a.x + n * image_size(a.x_shape);
    float* y = a.y + n * image_size(a.y_shape);
    const std::int64_t h = a.x_shape[1], w = a.x_shape[2], c = a.x_shape[3];
    for (std::int64_t p = s.top; p < std::min(s.top + 2, s.height); ++p)
        for (std::int64_t q = s.left; q < std::min(s.left + 2 * s.tiles, s.width); ++q)
            for (std::int64_t k = 0; k < s.channels; ++k) {
                float sum = a.bias == nullptr ? 0.0f : a.bias[k];
                for (std::int64_t tap = 0; tap < 9; ++tap) {
                    const std::int64_t row = p + tap / 3 - a.padding, column = q + tap % 3 - a.padding;
                    if (row < 0 || row >= h || column < 0 || column >= w) continue;
                    for (std::int64_t i = 0; i < c; ++i)
                        sum += x[(row * w + column) * c + i] * a.taps.at(tap / 3, tap % 3, i, k);
                }
                float& to = y[(p * s.width + q) * s.channels + k];
                to = a.adds ? to + sum : sum;
            }
}

// y (+)= bias + the 3 x 3 correlation of x with the taps
void correlate(CpuStream& stream, const Correlation& a) {
    const WinogradKernels& kernels = *winograd_kernels();
    const std::int64_t c = a.x_shape[3], k = a.y_shape[3];
    const TileGrid grid(a.y_shape, tiles_a_block);
    const std::int64_t v_plane = plane_stride(grid.tiles, c), m_plane = plane_stride(grid.tiles, k);
    const auto run = [&](std::int64_t block, float* v, float* m) {
        bool is_small = a.taps.are_small;
        const std::int64_t tiles = grid.for_each_strip(block, [&](const TilePlace& at) {
            is_small &= kernels.transform_image(at.strip(a.x_shape, a.padding), a.x + at.image * image_size(a.x_shape),
                                                v + at.before * c, v_plane);
        });
        const Ahead<false> next(a.x, a.x_shape.count(), block + 1, grid.blocks, 2 * a.x_shape[2] * c);
        const Ahead<true> written(a.y, a.y_shape.count(), block, grid.blocks, 0);
        for (std::int64_t i = 0; i < planes && is_small; ++i) {
            written.fetch(i);
            next.fetch(i);
            kernels.multiply(v + i * v_plane, a.u + i * c * k, tiles, c, k, m + i * m_plane);
        }
        grid.for_each_strip(block, [&](const TilePlace& at) {
            const TileStrip strip = at.strip(a.y_shape, 0);
            if (is_small)
                kernels.write_outputs(strip, m + at.before * k, m_plane, a.bias, a.adds,
                                      a.y + at.image * image_size(a.y_shape));
            else
                correlate_directly(a, at.image, strip);
        });
    };
    for_each_part(stream, grid.blocks, planes * (v_plane + m_plane), grid.blocks * grid.tiles * c * k,
                  [&](std::int64_t first, std::int64_t last, float* scratch) {
                      for (std::int64_t block = first; block < last; ++block)
                          run(block, scratch, scratch + planes * v_plane);
                  });
}

}

bool suits_winograd(const CpuStream& stream, const Shape& x, const Shape& w, const ConvolutionGeometry& g,
                    DType dtype) {
    if (!stream.winograd || winograd_kernels() == nullptr || dtype != DType::f32 || g.groups != 1) return false;
    if (w[1] != 3 || w[2] != 3 || g.stride != std::array<std::int64_t, 2>{1, 1}) return false;
    if (g.padding[0] != g.padding[1] || g.padding[0] > 2) return false;
    if (x[3] % 16 != 0 || w[0] % 16 != 0) return false;
    // Transformed weights of 1 MiB stay in the second cache; larger ones would come from memory for each block.
    if (x[3] * w[0] > 128 * 128) return false;
    const Shape y = convolution_shape(x, w, g);
    return y[0] * ((y[1] + 1) / 2) * ((y[2] + 1) / 2) >= 8 * std::max(x[3], w[0]);
}

void winograd_forward(CpuStream& stream, const Conv2dForward& args) {
    const Taps taps{args.w.as<float>(), args.w.dim(3), args.w.dim(0), false};
    const std::int64_t c = taps.c, k = taps.k;
    const Scratch memory(stream, static_cast<std::size_t>(2 * planes * c * k) * sizeof(float));
    float *u = memory.as<float>(), *by_output = u + planes * c * k;
    // [k][9][c] -> [16][k, c] -> [16][c, k]
    parallel_for(stream, k, 16, k * c * planes, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t i = first; i < last; ++i) transform_taps(taps.w + i * 9 * c, c, c, by_output + i * c, k * c);
        for (std::int64_t plane = 0; plane < planes; ++plane)
            transpose(by_output + plane * k * c + first * c, c, last - first, c, u + plane * k * c + first, k, false);
    });
    correlate(stream, {args.x.shape, args.y.shape, args.x.as<float>(), args.y.as<float>(),
                       args.bias ? args.bias.as<float>() : nullptr, args.geometry.padding[0], false, taps, u});
}

// dx is the correlation of dy with the weights turned by half a turn, channels exchanged.
void winograd_data(CpuStream& stream, const Conv2dBackward& args) {
    const Taps taps{args.w.as<float>(), args.w.dim(3), args.w.dim(0), true};
    const std::int64_t c = taps.c, k = taps.k;
    const Scratch memory(stream, static_cast<std::size_t>(planes * c * k) * sizeof(float));
    float* u = memory.as<float>();
    parallel_for(stream, k, 16, k * c * planes, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t i = first; i < last; ++i) transform_taps(taps.w + (i * 9 + 8) * c, -c, c, u + i * c, k * c);
    });
    correlate(stream, {args.dy.shape, args.dx.view.shape, args.dy.as<float>(), args.dx.view.as<float>(), nullptr,
                       2 - args.geometry.padding[0], args.dx.accumulate, taps, u});
}

// dw = G^T (sum over tiles of B^T x B times A dy A^T) G. The sum is cut into a number of chunks that the shape gives,
// each added up by one thread.
bool winograd_weight(CpuStream& stream, const Conv2dBackward& args) {
    const WinogradKernels& kernels = *winograd_kernels();
    const std::int64_t k = args.w.dim(0), c = args.w.dim(3), pairs = c * k;
    const float *x = args.x.as<float>(), *dy = args.dy.as<float>();
    const TileGrid grid(args.dy.shape, tiles_a_block);
    const std::int64_t v_plane = plane_stride(grid.tiles, c), d_plane = plane_stride(grid.tiles, k);
    const std::int64_t chunks = std::min<std::int64_t>(8, grid.blocks), sums = planes * plane_stride(c, k);
    const Scratch partial(stream, static_cast<std::size_t>(chunks * sums) * sizeof(float));
    const auto add_block = [&](std::int64_t block, float* v, float* d, float* m) {
        bool is_small = true;
        const std::int64_t tiles = grid.for_each_strip(block, [&](const TilePlace& at) {
            is_small &= kernels.transform_image(at.strip(args.x.shape, args.geometry.padding[0]),
                                                x + at.image * image_size(args.x.shape), v + at.before * c, v_plane);
            is_small &= kernels.transform_gradient(
                at.strip(args.dy.shape, 0), dy + at.image * image_size(args.dy.shape), d + at.before * k, d_plane);
        });
        const Ahead<false> next_x(x, args.x.count(), block + 1, grid.blocks, 2 * args.x.dim(2) * c);
        const Ahead<false> next_dy(dy, args.dy.count(), block + 1, grid.blocks, 0);
        for (std::int64_t i = 0; i < planes; ++i) {
            next_x.fetch(i);
            next_dy.fetch(i);
            kernels.add_products(v + i * v_plane, d + i * d_plane, tiles, c, k, m + i * plane_stride(c, k));
        }
        if (!is_small) m[0] = std::numeric_limits<float>::quiet_NaN();  // refused below
    };
    for_each_part(stream, chunks, planes * (v_plane + d_plane), grid.blocks * grid.tiles * pairs,
                  [&](std::int64_t first, std::int64_t last, float* scratch) {
                      for (std::int64_t chunk = first; chunk < last; ++chunk) {
                          float* m = partial.as<float>() + chunk * sums;
                          std::fill_n(m, sums, 0.0f);
                          const std::int64_t end = grid.blocks * (chunk + 1) / chunks;
                          for (std::int64_t block = grid.blocks * chunk / chunks; block < end; ++block)
                              add_block(block, scratch, scratch + planes * v_plane, m);
                      }
                  });
    // [16][c, k] -> [9][c, k], and where that is finite -> [k][9][c]; a band of 16 input channels at a time
    const Scratch memory(stream, static_cast<std::size_t>(9 * pairs) * sizeof(float));
    float* taps = memory.as<float>();
    parallel_for(stream, c, 16, pairs * planes * chunks, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        const std::int64_t count = (last - first) * k;
        float* total = partial.as<float>() + first * k;
        for (std::int64_t chunk = 1; chunk < chunks; ++chunk)
            for (std::int64_t i = 0; i < planes; ++i)
                add_to(total + chunk * sums + i * plane_stride(c, k), total + i * plane_stride(c, k), count);
        transform_back(total, plane_stride(c, k), count, taps + first * k, pairs);
    });
    if (!all_below(std::numeric_limits<float>::infinity(), taps, 9 * pairs)) return false;
    parallel_for(stream, c, 16, pairs * planes, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t t = 0; t < 9; ++t)
            transpose(taps + t * pairs + first * k, k, last - first, k, args.dw.view.as<float>() + t * c + first, 9 * c,
                      args.dw.accumulate);
    });
    return true;
}

}
