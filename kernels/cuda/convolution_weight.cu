// Weight gradients of 3 x 3 convolutions on a device: dw = sum over output pixels of dy^T x, a matrix product of few
// rows and columns and a very long sum. Contract: kernels/convolution.h.
//
// A block takes 16 input channels, up to 64 output channels, all 9 taps, and a share of the output rows: x is read once
// for every 64 output channels, and dy once for every 16 input channels; a value of dy in shared memory serves 9 x 16
// products. Its partial sums go to memory; a later launch adds the shares in a fixed order.
#include "kernels/cuda/convolution_weight.h"

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/tile_math.cuh"

namespace bkd::kernels::cuda {
namespace {

constexpr int warps = 4, block_threads = warps * warp_size, least_columns_log = 2;

// How the output is shared out, strip by strip.
struct Strips {
    int n, h, w, c, p, q, k;
    int stride_h, padding_h, padding_w;
    Strip strip{};
    int bands = 0, rows_per_band = 0;    // a band: rows that a block walks down
    int items = 0, items_per_chunk = 0;  // an item: images, strip, band
    int chunks = 0;                      // in blockIdx.y; the blocks beyond add up an earlier gradient
};

// x of a strip: 3 rows; of each, the even columns before the odd ones if the stride is 2.
template <int pixels, int stride>
struct StripLayout {
    // Columns of x behind `columns` of y, of one parity, are columns + extra.
    static constexpr int extra = stride == 1 ? 2 : 1;
    static constexpr int row_lines =
        stride * (pixels + extra * (pixels >> least_columns_log));  // of shared memory that an image row takes
};

__device__ int smaller(int a, int b) { return a < b ? a : b; }

// Formula   partial[chunk, k, (r, s), c] = sum over the chunk of dy[n,p,q,k] x[n, p sh - ph + r, q sw - pw + s, c]
// Shapes    x [n, h, w, c], dy [n, p, q, k] f32 bf16; partial [chunks, k, 9, c] f32
// Mapping   blockIdx.x: 16 input channels and `outs` tiles of output channels; blockIdx.y: chunk. A warp: one tile of
//           output channels, every (warps / outs)-th step of a strip. Blocks behind the chunks add up `earlier`, the
//           chunks of another layer's gradient
// Bytes     x once for every 16 outs output channels, rows and columns that two bands or strips share once more; dy
//           once for every 16 input channels; all but the first from the second cache where it holds them. partial
//           written once; that of `earlier` read once, its y written, and read if added to
template <class Math, class T, int outs, int pixels, int stride, int access>
__global__ void __launch_bounds__(block_threads)
    weight_tiles(Strips g, int in_tiles, const T* x, const T* dy, float* partial, ChunkSum<float> earlier) {
    using Stored = typename Math::Stored;
    using Layout = StripLayout<pixels, stride>;
    constexpr int x_width = tile + Math::pad, dy_width = outs * tile + Math::pad, splits = warps / outs;
    using XLines = SharedArray<Stored, 3 * Layout::row_lines * x_width>;
    using DyLines = SharedArray<Stored, pixels * dy_width>;
    using Sums = SharedArray<float, warps * tile * tile>;
    BKD_SHARED(XLines, x_lines);
    BKD_SHARED(DyLines, dy_lines);
    BKD_SHARED(Sums, sums);
    if (static_cast<int>(blockIdx.y) >= g.chunks) {
        const std::int64_t part = std::int64_t{blockIdx.y - g.chunks} * gridDim.x + blockIdx.x;
        add_chunks<block_threads>(earlier, part * earlier.columns, reinterpret_cast<float*>(x_lines.at));
        return;
    }
    const int thread = static_cast<int>(threadIdx.x), warp = thread / warp_size;
    const int first_in = static_cast<int>(blockIdx.x) % in_tiles * tile,
              first_out = static_cast<int>(blockIdx.x) / in_tiles * outs * tile;
    const int images = 1 << g.strip.images_log, columns = 1 << g.strip.columns_log;
    const int row_lines = stride * (pixels + Layout::extra * images);  // of this strip's shape

    Math mine;
    mine.clear();
    const int first_item = static_cast<int>(blockIdx.y) * g.items_per_chunk;
    const int end_item = smaller(first_item + g.items_per_chunk, g.items);
    for (int item = first_item; item < end_item; ++item) {
        const int band = item % g.bands, strip = item / g.bands % g.strip.count,
                  first_image = item / g.bands / g.strip.count << g.strip.images_log;
        const int first_column = strip << g.strip.columns_log, first_x = first_column * stride - g.padding_w;
        const int first_row = band * g.rows_per_band, end_row = smaller(first_row + g.rows_per_band, g.p);
        int loaded = first_row * g.stride_h - g.padding_h;  // rows of x before it are there, as far as they are needed
        for (int row = first_row; row < end_row; ++row) {
            const int top = row * g.stride_h - g.padding_h;
            __syncthreads();  // the last strip has been used
            // Row i of x lies in place (i + 3 ph) mod 3: of three rows, those that the next strip shares stay.
            for (int i = loaded > top ? loaded : top; i < top + 3; ++i) {
                Stored* const place = x_lines.at + (i + 3 * g.padding_h) % 3 * row_lines * x_width;
                const int wanted = ((columns - 1) * stride + 3) << g.strip.images_log;
                constexpr int parts = tile / access;
                for (int at = thread; at < wanted * parts; at += block_threads) {
                    const int part = at % parts, pixel = at / parts;
                    const int image = pixel & (images - 1), column = pixel >> g.strip.images_log;
                    const int from_n = first_image + image, from_column = first_x + column,
                              channel = first_in + part * access;
                    Vec<T, access> values{};
                    if (from_n < g.n && i >= 0 && i < g.h && from_column >= 0 && from_column < g.w && channel < g.c)
                        values =
                            load<access>(x + ((std::int64_t{from_n} * g.h + i) * g.w + from_column) * g.c + channel);
                    const int line =
                        column % stride * (row_lines / stride) + (column / stride << g.strip.images_log) + image;
                    store(place + line * x_width + part * access, stored<Math>(values));
                }
            }
            loaded = top + 3;
            constexpr int parts = outs * tile / access;
            for (int at = thread; at < pixels * parts; at += block_threads) {
                const int part = at % parts, pixel = at / parts;
                const int from_n = first_image + (pixel & (images - 1)),
                          column = first_column + (pixel >> g.strip.images_log);
                const int channel = first_out + part * access;
                Vec<T, access> values{};
                if (from_n < g.n && column < g.q && channel < g.k)
                    values = load<access>(dy + ((std::int64_t{from_n} * g.p + row) * g.q + column) * g.k + channel);
                store(dy_lines.at + pixel * dy_width + part * access, stored<Math>(values));
            }
            __syncthreads();
            int line_of_row[3], line_of_column[3];
#pragma unroll
            for (int i = 0; i < 3; ++i) {
                line_of_row[i] = (top + i + 3 * g.padding_h) % 3 * row_lines;
                line_of_column[i] = i % stride * (row_lines / stride) + (i / stride << g.strip.images_log);
            }
            for (int first = warp / outs * Math::step; first < pixels; first += splits * Math::step)
                mine.add(
                    dy_lines.at + first * dy_width + warp % outs * tile, dy_width,
                    [&](int tap) {
                        return x_lines.at + (line_of_row[tap / 3] + line_of_column[tap % 3] + first) * x_width;
                    },
                    x_width);
        }
    }
    // The warps of one tile are added here, a tap at a time.
#pragma unroll
    for (int tap = 0; tap < taps; ++tap) {
        __syncthreads();
        mine.put(tap, sums.at + warp * tile * tile);
        __syncthreads();
        for (int at = thread; at < outs * tile * tile; at += block_threads) {
            const int in = first_in + at % tile, out = first_out + at / tile;
            float sum = sums.at[at];
#pragma unroll
            for (int split = 1; split < splits; ++split) sum += sums.at[split * outs * tile * tile + at];
            if (in < g.c && out < g.k) partial[((std::int64_t{blockIdx.y} * g.k + out) * taps + tap) * g.c + in] = sum;
        }
    }
}

// `channel_blocks`: blocks that share a strip.
Strips share_out(const Conv2dBackward& args, int pixels, std::int64_t channel_blocks) {
    const ConstView &x = args.x, &dy = args.dy;
    const auto narrow = [](std::int64_t extent) { return static_cast<int>(extent); };
    const auto parts = [](std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; };
    Strips g{.n = narrow(x.dim(0)),
             .h = narrow(x.dim(1)),
             .w = narrow(x.dim(2)),
             .c = narrow(x.dim(3)),
             .p = narrow(dy.dim(1)),
             .q = narrow(dy.dim(2)),
             .k = narrow(dy.dim(3)),
             .stride_h = narrow(args.geometry.stride[0]),
             .padding_h = narrow(args.geometry.padding[0]),
             .padding_w = narrow(args.geometry.padding[1])};
    g.strip = Strip::of(g.q, pixels, least_columns_log);
    const std::int64_t strips = parts(g.n, 1 << g.strip.images_log) * g.strip.count;
    // Chunks from the shape alone, so that every device adds in the same order. 512 blocks fill the large ones; what
    // the chunks leave behind should stay in the second cache.
    constexpr std::int64_t blocks_wanted = 512, most_partials = 10 << 18;
    const std::int64_t chunks_wanted =
        std::max<std::int64_t>(1, std::min(blocks_wanted / channel_blocks, most_partials / args.dw.view.count()));
    g.rows_per_band = narrow(parts(g.p, std::clamp<std::int64_t>(chunks_wanted / strips, 1, g.p)));
    g.bands = narrow(parts(g.p, g.rows_per_band));
    BKD_CHECK(strips * g.bands < std::numeric_limits<int>::max(), "{} strips", strips);
    g.items = narrow(strips * g.bands);
    g.items_per_chunk = narrow(parts(g.items, chunks_wanted));
    g.chunks = narrow(parts(g.items, g.items_per_chunk));
    return g;
}

template <class Math, class T, int outs, int pixels, int stride>
void run(Stream& stream, const Conv2dBackward& args) {
    const std::int64_t c = args.x.dim(3), k = args.dy.dim(3);
    const int in_tiles = static_cast<int>((c + tile - 1) / tile);
    const std::int64_t channel_blocks = in_tiles * ((k + outs * tile - 1) / (outs * tile));
    const Strips g = share_out(args, pixels, channel_blocks);
    auto mine = std::make_unique<DeferredSum>(stream, g.chunks, args.dw);
    constexpr int width = full_width<T>;
    const auto *x = elements<T>(args.x), *dy = elements<T>(args.dy);
    const bool is_wide = c % width == 0 && k % width == 0 && are_aligned(16, x, dy);
    const auto kernel =
        is_wide ? weight_tiles<Math, T, outs, pixels, stride, width> : weight_tiles<Math, T, outs, pixels, stride, 1>;

    auto earlier = cuda_stream(stream).take_deferred();
    std::int64_t rows = earlier ? (earlier->sum.blocks() + channel_blocks - 1) / channel_blocks : 0;
    constexpr std::int64_t most_rows = 65535;  // of a grid
    if (rows + g.chunks > most_rows) {
        sum_chunks(stream, earlier->sum);
        rows = 0;
    }
    const dim3 grid(static_cast<unsigned>(channel_blocks), static_cast<unsigned>(g.chunks + rows));
    launch(stream, kernel, grid, block_threads, g, in_tiles, x, dy, mine->partial.as<float>(),
           rows > 0 ? earlier->sum : ChunkSum<float>{});
    cuda_stream(stream).defer(std::move(mine));
}

template <class Math, class T, int stride>
void run_for_channels(Stream& stream, const Conv2dBackward& args) {
    // f32 strips of stride 2 are shorter: 48 KiB of shared memory hold no more.
    constexpr int pixels = sizeof(T) == 4 && stride == 2 ? 32 : 64;
    const std::int64_t k = args.dy.dim(3);
    if (k <= tile)
        run<Math, T, 1, pixels, stride>(stream, args);
    else if (k <= 2 * tile)
        run<Math, T, 2, pixels, stride>(stream, args);
    else
        run<Math, T, 4, pixels, stride>(stream, args);
}

template <class Math, class T>
void run_for_stride(Stream& stream, const Conv2dBackward& args) {
    if (args.geometry.stride[1] == 1)
        run_for_channels<Math, T, 1>(stream, args);
    else
        run_for_channels<Math, T, 2>(stream, args);
}

}

bool tiled_weight_gradient(Stream& stream, const Conv2dBackward& args, bool tf32) {
    const Shape& w = args.dw.view.shape;
    const std::int64_t most = std::numeric_limits<int>::max() / 8;
    for (const Shape& shape : {args.x.shape, args.dy.shape})
        for (int i = 0; i < 4; ++i)
            if (shape[i] > most) return false;
    if (w[1] != 3 || w[2] != 3 || args.geometry.groups != 1 || args.geometry.stride[1] > 2 || args.dy.count() == 0)
        return false;
    if (args.x.dtype == DType::bf16)
        run_for_stride<Bf16Tile, Bf16>(stream, args);
    else if (tf32)
        run_for_stride<Tf32Tile, float>(stream, args);
    else
        run_for_stride<F32Tile, float>(stream, args);
    return true;
}

}
