// Pooling over images and the CIFAR shortcut, on a device. Contract: kernels/pooling.h. Gradients are gathered: a
// thread looks for the windows its pixel lies in, so that no two threads add to one place.
#include "kernels/pooling.h"

#include "kernels/cuda/reduce.cuh"

namespace bkd::kernels::cuda {
namespace {

// One vector of channels of one pixel, found from a thread's number.
struct Pixel {
    std::int64_t n;
    int h, w, channel;
};
struct PixelGrid {
    Divider channels, columns, rows;  // c / width, w, h
    std::int64_t vectors;

    PixelGrid(const Shape& x, int width)
        : channels(x[3] / width, x.count() / width),
          columns(x[2], x.product(0, 3)),
          rows(x[1], x.product(0, 2)),
          vectors(x.count() / width) {}
    template <int width>
    __device__ Pixel pixel(std::int64_t at) const {
        const auto [pixel, vector] = channels(static_cast<std::uint32_t>(at));
        const auto [line, w] = columns(pixel);
        const auto [n, h] = rows(line);
        return {n, static_cast<int>(h), static_cast<int>(w), static_cast<int>(vector) * width};
    }
};

// An image batch [n, h, w, c] of which one window is looked at.
struct Windows {
    int h, w, c, p, q;  // pixels in, channels, pixels out
    int kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w;
    bool count_include_pad;

    Windows(const Shape& x, const Shape& y, const Window& window, bool include_pad = true)
        : h(extent(x[1])),
          w(extent(x[2])),
          c(extent(x[3])),
          p(extent(y[1])),
          q(extent(y[2])),
          kernel_h(extent(window.kernel[0])),
          kernel_w(extent(window.kernel[1])),
          stride_h(extent(window.stride[0])),
          stride_w(extent(window.stride[1])),
          padding_h(extent(window.padding[0])),
          padding_w(extent(window.padding[1])),
          count_include_pad(include_pad) {}
    static int extent(std::int64_t x) { return static_cast<int>(x); }

    struct Range {
        int first, end;
    };
    // Pixels of the window of output pixel `at` that lie in the image.
    __device__ Range rows_of(int at) const { return inside(at * stride_h - padding_h, kernel_h, h); }
    __device__ Range columns_of(int at) const { return inside(at * stride_w - padding_w, kernel_w, w); }
    // Output pixels whose windows hold pixel `at`.
    __device__ Range over_row(int at) const { return over(at + padding_h, kernel_h, stride_h, p); }
    __device__ Range over_column(int at) const { return over(at + padding_w, kernel_w, stride_w, q); }
    __device__ float divisor(const Range& rows, const Range& columns) const {
        return static_cast<float>(count_include_pad ? kernel_h * kernel_w
                                                    : (rows.end - rows.first) * (columns.end - columns.first));
    }

private:
    __device__ static Range inside(int start, int kernel, int extent) {
        return {start < 0 ? 0 : start, start + kernel < extent ? start + kernel : extent};
    }
    __device__ static Range over(int padded, int kernel, int stride, int outputs) {
        const int first = padded < kernel ? 0 : (padded - kernel) / stride + 1, end = padded / stride + 1;
        return {first, end < outputs ? end : outputs};
    }
};

// Formula   y = max over the window, index = where; the first of equals, the first NaN before all
// Shapes    x [n, h, w, c], y [n, p, q, c] f32 bf16, index as y i32
// Mapping   a thread a vector of channels of an output pixel
// Bytes     x once (windows overlap in the cache), y and index written
template <int width, class T>
__global__ void __launch_bounds__(256) max_pool(const T* x, T* y, std::int32_t* index, PixelGrid out, Windows windows) {
    const std::int64_t at = global_thread();
    if (at >= out.vectors) return;
    const Pixel to = out.pixel<width>(at);
    const Windows::Range rows = windows.rows_of(to.h), columns = windows.columns_of(to.w);
    const T* image = x + to.n * windows.h * windows.w * windows.c + to.channel;
    Vec<T, width> best{};
    Vec<std::int32_t, width> best_at{};
    bool is_first = true;
    for (int i = rows.first; i < rows.end; ++i)
        for (int j = columns.first; j < columns.end; ++j) {
            const int pixel = i * windows.w + j;
            const Vec<T, width> next = load<width>(image + std::int64_t{pixel} * windows.c);
#pragma unroll
            for (int k = 0; k < width; ++k) {
                const float value = to_float(next.at[k]), top = to_float(best.at[k]);
                if (!is_first && !(value > top || (isnan(value) && !isnan(top)))) continue;
                best.at[k] = next.at[k];
                best_at.at[k] = pixel;
            }
            is_first = false;
        }
    store(y + at * width, best);
    store_beside(index + at * width, best_at);
}

// Formula   dx[pixel] = sum of dy over the windows that hold the pixel and have their maximum there [+ dx]
// Shapes    dy [n, p, q, c], dx [n, h, w, c] f32 bf16, index as dy i32
// Mapping   a thread a vector of channels of an input pixel; windows in row-major order
// Bytes     dx written, and read if added to; dy and index once from memory, again from the cache for every further
//           pixel of a window
template <int width, class T>
__global__ void __launch_bounds__(256, 4)
    max_pool_backward_kernel(const T* dy, const std::int32_t* index, T* dx, PixelGrid in, Windows windows, bool add,
                             StreamState* state) {
    const std::int64_t at = global_thread();
    if (at >= in.vectors) return;
    const Pixel to = in.pixel<width>(at);
    const Windows::Range rows = windows.over_row(to.h), columns = windows.over_column(to.w);
    const int pixel = to.h * windows.w + to.w, pixels = windows.h * windows.w;
    Floats<width> sum{};
    for (int i = rows.first; i < rows.end; ++i)
        for (int j = columns.first; j < columns.end; ++j) {
            const std::int64_t from = ((to.n * windows.p + i) * windows.q + j) * windows.c + to.channel;
            const Floats<width> upstream = load_floats<width>(dy + from);
            const Vec<std::int32_t, width> winners = load_beside<width>(index + from);
#pragma unroll
            for (int k = 0; k < width; ++k) {
                if (static_cast<unsigned>(winners.at[k]) >= static_cast<unsigned>(pixels))
                    checked_index(state, Indexed::maximum, winners.at[k], pixels, from + k);
                sum.at[k] += winners.at[k] == pixel ? upstream.at[k] : 0.0f;
            }
        }
    store_floats(dx + at * width, sum, add);
}

// Formula   y = sum over the window / divisor
// Shapes    x [n, h, w, c], y [n, p, q, c] f32 bf16
// Mapping   a thread a vector of channels of an output pixel
// Bytes     x once (windows overlap in the cache), y written
template <int width, class T>
__global__ void __launch_bounds__(256) avg_pool(const T* x, T* y, PixelGrid out, Windows windows) {
    const std::int64_t at = global_thread();
    if (at >= out.vectors) return;
    const Pixel to = out.pixel<width>(at);
    const Windows::Range rows = windows.rows_of(to.h), columns = windows.columns_of(to.w);
    const T* image = x + to.n * windows.h * windows.w * windows.c + to.channel;
    Floats<width> sum{};
    for (int i = rows.first; i < rows.end; ++i)
        for (int j = columns.first; j < columns.end; ++j) {
            const Floats<width> values = load_floats<width>(image + (std::int64_t{i} * windows.w + j) * windows.c);
#pragma unroll
            for (int k = 0; k < width; ++k) sum.at[k] += values.at[k];
        }
    const float divisor = windows.divisor(rows, columns);
#pragma unroll
    for (int k = 0; k < width; ++k) sum.at[k] /= divisor;
    store_floats(y + at * width, sum);
}

// Formula   dx[pixel] = sum of dy / divisor over the windows that hold the pixel [+ dx]
// Shapes    dy [n, p, q, c], dx [n, h, w, c] f32 bf16
// Mapping   a thread a vector of channels of an input pixel
// Bytes     dx written, and read if added to; dy once from memory, again from the cache for every further pixel of a
//           window
template <int width, class T>
__global__ void __launch_bounds__(256)
    avg_pool_backward_kernel(const T* dy, T* dx, PixelGrid in, Windows windows, bool add) {
    const std::int64_t at = global_thread();
    if (at >= in.vectors) return;
    const Pixel to = in.pixel<width>(at);
    const Windows::Range rows = windows.over_row(to.h), columns = windows.over_column(to.w);
    Floats<width> sum{};
    for (int i = rows.first; i < rows.end; ++i)
        for (int j = columns.first; j < columns.end; ++j) {
            const float share = 1 / windows.divisor(windows.rows_of(i), windows.columns_of(j));
            const Floats<width> upstream =
                load_floats<width>(dy + ((to.n * windows.p + i) * windows.q + j) * windows.c + to.channel);
#pragma unroll
            for (int k = 0; k < width; ++k) sum.at[k] = fmaf(upstream.at[k], share, sum.at[k]);
        }
    store_floats(dx + at * width, sum, add);
}

// Formula   y[n, c] = sum over the pixels of x[n, pixel, c] / pixels
// Shapes    x [n, pixels, c] f32 bf16, y [n, c]
// Mapping   ColumnGrid over one image, blockIdx.y the image
// Bytes     x once
template <int width, int access, class T>
__global__ void __launch_bounds__(256) global_avg_pool(ColumnGrid grid, const T* x, T* y) {
    using Sums = ColumnSums<width>;
    BKD_SHARED(Sums, shared, [256]);
    const std::int64_t column = grid.column<width>(), n = blockIdx.y;
    Sums mine{};
    if (column < grid.c)
        for (std::int64_t row = grid.lane(); row < grid.rows; row += grid.lanes) {
            const Floats<width> values = load_floats_by<width, access>(x + (n * grid.rows + row) * grid.c + column);
#pragma unroll
            for (int k = 0; k < width; ++k) mine.of[0][k] += values.at[k];
        }
    mine = merge_lanes(grid, mine, shared, [](Sums& a, const Sums& b) { a.add(b); });
    if (grid.lane() != 0 || column >= grid.c) return;
#pragma unroll
    for (int k = 0; k < width; ++k)
        y[n * grid.c + column + k] = from_float<T>(mine.of[0][k] / static_cast<float>(grid.rows));
}

// Formula   dx[n, pixel, c] = dy[n, c] / pixels [+ dx]
// Shapes    dy [n, c], dx [n, pixels, c] f32 bf16
// Mapping   a thread a vector of dx
// Bytes     dx written, and read if added to; dy is read for every pixel, from the cache after the first
template <int width, class T>
__global__ void __launch_bounds__(256)
    global_avg_pool_backward_kernel(const T* dy, T* dx, Divider channels, Divider image, std::int64_t vectors,
                                    std::int64_t c, float pixels, bool add) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [pixel, vector] = channels(static_cast<std::uint32_t>(at));
    const std::int64_t n = image(pixel).quotient;
    Floats<width> values = load_floats<width>(dy + n * c + std::int64_t{vector} * width);
#pragma unroll
    for (int k = 0; k < width; ++k) values.at[k] /= pixels;
    store_floats(dx + at * width, values, add);
}

// Formula   y[n,i,j,low+c] = x[n, i stride, j stride, c], other channels 0
// Shapes    x [n, h, w, c], y [n, p, q, channels] f32 bf16; p = ceil(h / stride), low = (channels - c) / 2 rounded down
// Mapping   a thread a vector of y; whole vectors are image or 0 where c and low allow it
// Bytes     y written, a pixel of x in stride^2 read
// Source    He et al., "Deep residual learning for image recognition", CVPR 2016, option A
template <int width, class T>
__global__ void __launch_bounds__(256)
    shortcut_a(const T* x, T* y, PixelGrid out, int h, int w, int c, int low, int stride) {
    const std::int64_t at = global_thread();
    if (at >= out.vectors) return;
    const Pixel to = out.pixel<width>(at);
    const int channel = to.channel - low;
    Vec<T, width> values{};
    if (channel >= 0 && channel < c)
        values = load<width>(x + ((to.n * h + to.h * stride) * w + to.w * stride) * c + channel);
    store(y + at * width, values);
}

// Formula   dx[n, i stride, j stride, c] = dy[n,i,j,low+c], other pixels 0 [+ dx]
// Shapes    dy [n, p, q, channels], dx [n, h, w, c] f32 bf16
// Mapping   a thread a vector of dx
// Bytes     dx written, and read if added to; c of dy's channels read once
// Source    as shortcut_a
template <int width, class T>
__global__ void __launch_bounds__(256) shortcut_a_backward_kernel(const T* dy, T* dx, PixelGrid in, int p, int q,
                                                                  int channels, int low, int stride, bool add) {
    const std::int64_t at = global_thread();
    if (at >= in.vectors) return;
    const Pixel to = in.pixel<width>(at);
    const int i = to.h / stride, j = to.w / stride;
    Floats<width> values{};
    if (i * stride == to.h && j * stride == to.w)
        values = load_floats<width>(dy + ((to.n * p + i) * q + j) * channels + low + to.channel);
    store_floats(dx + at * width, values, add);
}

// f(Width, PixelGrid of `at`) with vectors of channels where all of these allow it.
template <class T, class F, class... Pointers>
void over_pixels(const Shape& at, std::int64_t channels, const F& f, Pointers... pointers) {
    widest<T>(
        channels, [&]<int width>(Width<width> w) { f(w, PixelGrid(at, width)); }, pointers...);
}

}

void Pooling::max_pool_forward(Stream& stream, const MaxPoolForward& args) const {
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto* x = elements<T>(args.x);
        auto* y = elements<T>(args.y);
        auto* index = elements<std::int32_t>(args.index);
        const Windows windows(args.x.shape, args.y.shape, args.window);
        over_pixels<T>(
            args.y.shape, args.y.dim(3),
            [&]<int width>(Width<width>, const PixelGrid& grid) {
                launch(stream, max_pool<width, T>, blocks_for(grid.vectors, 256), 256, x, y, index, grid, windows);
            },
            x, y, index);
    });
}

void Pooling::max_pool_backward(Stream& stream, const MaxPoolBackward& args) const {
    with_storage(args.dy.dtype, [&]<class T>(T) {
        const auto* dy = elements<T>(args.dy);
        auto* dx = elements<T>(args.dx);
        const auto* index = elements<std::int32_t>(args.index);
        const Windows windows(args.dx.view.shape, args.dy.shape, args.window);
        over_pixels<T>(
            args.dx.view.shape, args.dy.dim(3),
            [&]<int width>(Width<width>, const PixelGrid& grid) {
                launch(stream, max_pool_backward_kernel<width, T>, blocks_for(grid.vectors, 256), 256, dy, index, dx,
                       grid, windows, args.dx.accumulate, cuda_stream(stream).state);
            },
            dy, dx, index);
    });
}

void Pooling::avg_pool_forward(Stream& stream, const AvgPoolForward& args) const {
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto* x = elements<T>(args.x);
        auto* y = elements<T>(args.y);
        const Windows windows(args.x.shape, args.y.shape, args.window, args.count_include_pad);
        over_pixels<T>(
            args.y.shape, args.y.dim(3),
            [&]<int width>(Width<width>, const PixelGrid& grid) {
                launch(stream, avg_pool<width, T>, blocks_for(grid.vectors, 256), 256, x, y, grid, windows);
            },
            x, y);
    });
}

void Pooling::avg_pool_backward(Stream& stream, const AvgPoolBackward& args) const {
    with_storage(args.dy.dtype, [&]<class T>(T) {
        const auto* dy = elements<T>(args.dy);
        auto* dx = elements<T>(args.dx);
        const Windows windows(args.dx.view.shape, args.dy.shape, args.window, args.count_include_pad);
        over_pixels<T>(
            args.dx.view.shape, args.dy.dim(3),
            [&]<int width>(Width<width>, const PixelGrid& grid) {
                launch(stream, avg_pool_backward_kernel<width, T>, blocks_for(grid.vectors, 256), 256, dy, dx, grid,
                       windows, args.dx.accumulate);
            },
            dy, dx);
    });
}

void Pooling::global_avg_pool_forward(Stream& stream, const GlobalAvgPoolForward& args) const {
    const std::int64_t pixels = args.x.dim(1) * args.x.dim(2), c = args.x.dim(3), samples = args.x.dim(0);
    constexpr std::int64_t most = 65535;  // blocks along y
    with_storage(args.x.dtype, [&]<class T>(T) {
        for (std::int64_t first = 0; first < samples; first += most) {
            const auto* x = elements<T>(args.x) + first * pixels * c;
            auto* y = elements<T>(args.y) + first * c;
            widest_sum<T>(
                c,
                [&]<int width, int access>(Width<width>, Width<access>) {
                    const ColumnGrid grid(pixels, c, width);
                    const dim3 blocks(grid.column_blocks, static_cast<unsigned>(std::min(samples - first, most)));
                    launch(stream, global_avg_pool<width, access, T>, blocks, grid.threads, grid, x, y);
                },
                x);
        }
    });
}

void Pooling::global_avg_pool_backward(Stream& stream, const GlobalAvgPoolBackward& args) const {
    const Shape& x = args.dx.view.shape;
    with_storage(args.dy.dtype, [&]<class T>(T) {
        const auto* dy = elements<T>(args.dy);
        auto* dx = elements<T>(args.dx);
        over_pixels<T>(
            x, x[3],
            [&]<int width>(Width<width>, const PixelGrid& grid) {
                launch(stream, global_avg_pool_backward_kernel<width, T>, blocks_for(grid.vectors, 256), 256, dy, dx,
                       grid.channels, Divider(x[1] * x[2], x.product(0, 3)), grid.vectors, x[3],
                       static_cast<float>(x[1] * x[2]), args.dx.accumulate);
            },
            dy, dx);
    });
}

void Pooling::shortcut_a_forward(Stream& stream, const ShortcutAForward& args) const {
    const Shape& from = args.x.shape;
    const std::int64_t low = (args.y.dim(3) - from[3]) / 2;
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto* x = elements<T>(args.x);
        auto* y = elements<T>(args.y);
        const bool fits = from[3] % full_width<T> == 0 && low % full_width<T> == 0;
        over_pixels<T>(
            args.y.shape, fits ? args.y.dim(3) : 1,
            [&]<int width>(Width<width>, const PixelGrid& grid) {
                launch(stream, shortcut_a<width, T>, blocks_for(grid.vectors, 256), 256, x, y, grid, from[1], from[2],
                       from[3], low, args.stride);
            },
            x, y);
    });
}

void Pooling::shortcut_a_backward(Stream& stream, const ShortcutABackward& args) const {
    const Shape &from = args.dy.shape, &to = args.dx.view.shape;
    const std::int64_t low = (from[3] - to[3]) / 2;
    with_storage(args.dy.dtype, [&]<class T>(T) {
        const auto* dy = elements<T>(args.dy);
        auto* dx = elements<T>(args.dx);
        const bool fits = from[3] % full_width<T> == 0 && low % full_width<T> == 0;
        over_pixels<T>(
            to, fits ? to[3] : 1,
            [&]<int width>(Width<width>, const PixelGrid& grid) {
                launch(stream, shortcut_a_backward_kernel<width, T>, blocks_for(grid.vectors, 256), 256, dy, dx, grid,
                       from[1], from[2], from[3], low, args.stride, args.dx.accumulate);
            },
            dy, dx);
    });
}

}
