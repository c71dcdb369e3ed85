// Forward and data gradient of 3 x 3 convolutions at stride 1 on a device. Contract: kernels/convolution.h. Both are
// one sum,
//
//   out[pixel, o] = sum over taps and i of in[pixel moved by the tap, i] filter[o, tap, i]
//
// forward with in = x, o = k, i = c; the gradient with in = dy, o = c, i = k, the taps in reverse and padding 2 -
// padding.
//
// A block takes 2 output rows of a strip (tile_math.cuh) and up to 32 output channels, and walks through the input
// channels 16 at a time: 4 rows of the input and the filters of these channels lie in shared memory, and serve 9 x 16
// products a number.
#include "kernels/cuda/convolution_tile.h"

#include "kernels/cuda/tile_math.cuh"

namespace bkd::kernels::cuda {
namespace {

constexpr int warps = 4, block_threads = warps * warp_size;
constexpr int pixels = 64, out_rows = 2, in_rows = out_rows + 2;
constexpr int pixel_tiles = out_rows * pixels / tile / warps;  // of a warp

struct Tiles {
    Strip strip;
    int n, h, w, p, q, in_channels, out_channels, padding_h, padding_w;
    int bands = 0;  // of 2 output rows
    Divider lines;  // of shared memory that an input row takes
};

// One warp's products, in f32.
template <class Math, bool is_gradient, int outs>
struct Products {
    using Left = nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, tile, tile, Math::step, typename Math::Operand,
                                        nvcuda::wmma::row_major>;
    // A filter lies as in memory: [k, taps, c], so that forward has the input channel innermost, the gradient the
    // output.
    using Order = std::conditional_t<is_gradient, nvcuda::wmma::row_major, nvcuda::wmma::col_major>;
    using Right = nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, tile, tile, Math::step, typename Math::Operand, Order>;
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, tile, tile, Math::step, float> acc[pixel_tiles][outs];
};

// Formula   above [+ bias] [+ out]
// Shapes    in [n, h, w, in_channels], out [n, p, q, out_channels], filter [k, 9, c] f32 bf16; bias [k] f32 or null
// Mapping   blockIdx.x: images, strip, band; blockIdx.y: output channels. A warp: half a row's pixels, all its channels
// Bytes     in twice for every 32 output channels, filter once a block, mostly from the second cache; out once
template <class Math, class T, bool is_gradient, int outs, int access>
__global__ void __launch_bounds__(block_threads)
    convolve(Tiles g, const T* in, const T* filter, const float* bias, T* out, bool accumulate) {
    using Stored = typename Math::Stored;
    constexpr int width = tile + Math::pad, out_width = outs * tile;
    constexpr int filter_width = is_gradient ? out_width + Math::pad : width;
    constexpr int filter_rows = is_gradient ? taps * tile : taps * out_width, parts = tile / access;
    using Input = SharedArray<Stored, in_rows * Strip::most_lines<pixels, 3> * width>;
    using Filters = SharedArray<Stored, filter_rows * filter_width>;
    BKD_SHARED(Input, input);
    BKD_SHARED(Filters, filters);

    const int thread = static_cast<int>(threadIdx.x), warp = thread / warp_size;
    const int block = static_cast<int>(blockIdx.x), first_out = static_cast<int>(blockIdx.y) * out_width;
    const int top = block % g.bands * out_rows, first_image = block / g.bands / g.strip.count << g.strip.images_log;
    const int first_column = block / g.bands % g.strip.count << g.strip.columns_log;
    const int images = 1 << g.strip.images_log, lines = static_cast<int>(g.lines.divisor());

    Products<Math, is_gradient, outs> mine;
#pragma unroll
    for (int m = 0; m < pixel_tiles; ++m)
#pragma unroll
        for (int o = 0; o < outs; ++o) nvcuda::wmma::fill_fragment(mine.acc[m][o], 0.0f);

    for (int first_in = 0; first_in < g.in_channels; first_in += tile) {
        __syncthreads();  // the last channels have been used
        for (int at = thread; at < in_rows * lines * parts; at += block_threads) {
            const auto [row, line] = g.lines(static_cast<std::uint32_t>(at / parts));
            const int channel = first_in + at % parts * access,
                      image = first_image + (static_cast<int>(line) & (images - 1));
            const int i = top + static_cast<int>(row) - g.padding_h;
            const int j = first_column + static_cast<int>(line >> g.strip.images_log) - g.padding_w;
            Vec<T, access> values{};
            if (image < g.n && i >= 0 && i < g.h && j >= 0 && j < g.w && channel < g.in_channels)
                values = load<access>(in + ((std::int64_t{image} * g.h + i) * g.w + j) * g.in_channels + channel);
            store(input.at + at / parts * width + at % parts * access, stored<Math>(values));
        }
        constexpr int filter_parts = (is_gradient ? out_width : tile) / access;
        for (int at = thread; at < filter_rows * filter_parts; at += block_threads) {
            const int part = at % filter_parts * access, row = at / filter_parts;
            // The row's tap and other channel: [tap, o] forward, [tap, i] for the gradient, whose taps are in reverse.
            const int tap = row / (filter_rows / taps), other = row % (filter_rows / taps);
            const int o = first_out + (is_gradient ? part : other), i = first_in + (is_gradient ? other : part);
            Vec<T, access> values{};
            if (o < g.out_channels && i < g.in_channels)
                values = load<access>(is_gradient ? filter + (i * taps + taps - 1 - tap) * g.out_channels + o
                                                  : filter + (o * taps + tap) * g.in_channels + i);
            store(filters.at + row * filter_width + part, stored<Math>(values));
        }
        __syncthreads();
        const int row = warp / (warps / out_rows), first_pixel = warp % (warps / out_rows) * pixel_tiles * tile;
#pragma unroll 3
        for (int tap = 0; tap < taps; ++tap) {
            const Stored* const moved =
                input.at + ((row + tap / 3) * lines + (tap % 3 << g.strip.images_log) + first_pixel) * width;
            const Stored* const of_tap = filters.at + tap * (filter_rows / taps) * filter_width;
#pragma unroll
            for (int depth = 0; depth < tile; depth += Math::step) {
                typename decltype(mine)::Left a[pixel_tiles];
#pragma unroll
                for (int m = 0; m < pixel_tiles; ++m)
                    nvcuda::wmma::load_matrix_sync(a[m], moved + m * tile * width + depth, width);
#pragma unroll
                for (int o = 0; o < outs; ++o) {
                    typename decltype(mine)::Right b;
                    nvcuda::wmma::load_matrix_sync(
                        b, of_tap + (is_gradient ? depth * filter_width + o * tile : o * tile * filter_width + depth),
                        filter_width);
#pragma unroll
                    for (int m = 0; m < pixel_tiles; ++m)
                        nvcuda::wmma::mma_sync(mine.acc[m][o], a[m], b, mine.acc[m][o]);
                }
            }
        }
    }

    // A tile at a time through shared memory: a lane has 8 channels of a pixel.
    __syncthreads();
    float* const turned = reinterpret_cast<float*>(input.at) + warp * tile * tile;
    const int lane = thread % warp_size, row = top + warp / (warps / out_rows);
#pragma unroll
    for (int m = 0; m < pixel_tiles; ++m) {
        const int pixel = (warp % (warps / out_rows) * pixel_tiles + m) * tile + lane / 2;
        const int image = first_image + (pixel & (images - 1)), column = first_column + (pixel >> g.strip.images_log);
        const bool is_there = image < g.n && row < g.p && column < g.q;
        T* const to = out + ((std::int64_t{image} * g.p + row) * g.q + column) * g.out_channels;
#pragma unroll
        for (int o = 0; o < outs; ++o) {
            nvcuda::wmma::store_matrix_sync(turned, mine.acc[m][o], tile, nvcuda::wmma::mem_row_major);
            __syncwarp();
            for (int k = 0; k < 8; k += access) {
                const int channel = first_out + o * tile + lane % 2 * 8 + k;
                if (!is_there || channel >= g.out_channels) break;
                Floats<access> sums;
#pragma unroll
                for (int v = 0; v < access; ++v)
                    sums.at[v] = turned[lane * 8 + k + v] + (bias == nullptr ? 0.0f : bias[channel + v]);
                store_floats(to + channel, sums, accumulate);
            }
            __syncwarp();
        }
    }
}

struct Operands {
    const ConstView& in;
    const ConstView& filter;
    const ConstView& bias;
    View out;
    bool accumulate;
    int padding_h, padding_w;
};

template <class Math, class T, bool is_gradient>
void run(Stream& stream, const Operands& of) {
    const auto narrow = [](std::int64_t extent) { return static_cast<int>(extent); };
    const ConstView &in = of.in, out = of.out;
    // f32 rows of four columns and 16 images would not fit in shared memory.
    const Strip strip = Strip::of(out.dim(2), pixels, 3);
    Tiles g{.strip = strip,
            .n = narrow(in.dim(0)),
            .h = narrow(in.dim(1)),
            .w = narrow(in.dim(2)),
            .p = narrow(out.dim(1)),
            .q = narrow(out.dim(2)),
            .in_channels = narrow(in.dim(3)),
            .out_channels = narrow(out.dim(3)),
            .padding_h = of.padding_h,
            .padding_w = of.padding_w,
            .bands = narrow((out.dim(1) + out_rows - 1) / out_rows),
            .lines = Divider(pixels + (2 << strip.images_log), in_rows * (pixels + (2 << strip.images_log)))};
    const std::int64_t groups = (in.dim(0) + (1 << strip.images_log) - 1) >> strip.images_log;
    const auto *x = elements<T>(in), *filter = elements<T>(of.filter);
    auto* y = elements<T>(of.out);
    const bool is_wide = are_aligned(16, x, filter, y);
    const auto queue = [&]<int outs>(Width<outs>) {
        const auto kernel =
            is_wide ? convolve<Math, T, is_gradient, outs, full_width<T>> : convolve<Math, T, is_gradient, outs, 1>;
        const dim3 grid(blocks_for(groups * strip.count * g.bands, 1), blocks_for(g.out_channels, outs * tile));
        launch(stream, kernel, grid, block_threads, g, x, filter, elements<float>(of.bias), y, of.accumulate);
    };
    if (g.out_channels <= tile)
        queue(Width<1>{});
    else
        queue(Width<2>{});
}

template <bool is_gradient>
bool run_if_small(Stream& stream, const Operands& of, const ConvolutionGeometry& geometry, bool tf32) {
    constexpr std::int64_t most_channels = 64, most_pixels = 1 << 18;
    const std::int64_t in = of.in.dim(3), out = of.out.dim(3), multiple = of.in.dtype == DType::bf16 ? 8 : 4;
    const bool is_3x3 = of.filter.dim(1) == 3 && of.filter.dim(2) == 3 && geometry.groups == 1 &&
                        geometry.stride[0] == 1 && geometry.stride[1] == 1;
    const bool is_small = in <= most_channels && out <= most_channels && of.in.shape.product(0, 3) <= most_pixels &&
                          of.out.shape.product(0, 3) <= most_pixels;
    if (!is_3x3 || !is_small || in % multiple != 0 || out % multiple != 0 || of.in.dtype != of.out.dtype) return false;
    if (of.in.count() == 0 || of.padding_h < 0 || of.padding_w < 0) return false;
    if (of.in.dtype == DType::bf16)
        run<Bf16Tile, Bf16, is_gradient>(stream, of);
    else if (tf32)
        run<Tf32Tile, float, is_gradient>(stream, of);
    else
        return false;
    return true;
}

}

bool tiled_forward(Stream& stream, const Conv2dForward& args, bool tf32) {
    const auto [h, w] = args.geometry.padding;
    return run_if_small<false>(stream,
                               {args.x, args.w, args.bias, args.y, false, static_cast<int>(h), static_cast<int>(w)},
                               args.geometry, tf32);
}

bool tiled_data_gradient(Stream& stream, const Conv2dBackward& args, bool tf32) {
    const auto [h, w] = args.geometry.padding;
    return run_if_small<true>(stream,
                              {args.dy, args.w, ConstView{}, args.dx.view, args.dx.accumulate, 2 - static_cast<int>(h),
                               2 - static_cast<int>(w)},
                              args.geometry, tf32);
}

}
