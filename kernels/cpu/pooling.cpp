// Pooling and shortcut A. Contract: kernels/pooling.h
//
// Bound by memory: each op goes once over its tensors, row functions run along the channels. Forward ops are cut by
// rows of output pixels, backward ops by images, since windows of one image may overlap.
#include "kernels/pooling.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#include <cmath>

namespace bkd::kernels::cpu {
namespace {

// y = max(y, x), index where x is taken; a NaN is taken unless there is one already
BKD_SIMD void take_maxima(const float* BKD_RESTRICT x, std::int32_t pixel, float* BKD_RESTRICT y,
                          std::int32_t* BKD_RESTRICT index, std::int64_t channels) {
    for (std::int64_t c = 0; c < channels; ++c) {
        const float value = x[c], best = y[c];
        const bool taken = (value > best) | ((value != value) & (best == best));
        y[c] = taken ? value : best;
        index[c] = taken ? pixel : index[c];
    }
}

BKD_SIMD void add(const float* BKD_RESTRICT from, float* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

BKD_SIMD void add_quotient(const float* BKD_RESTRICT from, float divisor, float* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i] / divisor;
}

BKD_SIMD void divide(float* BKD_RESTRICT y, float divisor, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) y[i] /= divisor;
}

// y[c] = sum of the column; four rows at a time
BKD_SIMD void sum_rows(const float* BKD_RESTRICT x, std::int64_t rows, std::int64_t channels, float* BKD_RESTRICT y) {
    for (std::int64_t c = 0; c < channels; ++c) y[c] = 0.0f;
    std::int64_t i = 0;
    for (; i + 4 <= rows; i += 4, x += 4 * channels)
        for (std::int64_t c = 0; c < channels; ++c)
            y[c] += (x[c] + x[channels + c]) + (x[2 * channels + c] + x[3 * channels + c]);
    for (; i < rows; ++i, x += channels)
        for (std::int64_t c = 0; c < channels; ++c) y[c] += x[c];
}

// `pixels` pixels of c channels, `step` values apart, each into the middle of k channels, `low` zeros before them
BKD_SIMD void pad_channels(const float* BKD_RESTRICT x, std::int64_t step, std::int64_t pixels, std::int64_t c,
                           std::int64_t low, std::int64_t k, float* BKD_RESTRICT y) {
    for (std::int64_t i = 0; i < pixels; ++i, x += step, y += k) {
        for (std::int64_t channel = 0; channel < k; ++channel) y[channel] = 0.0f;
        for (std::int64_t channel = 0; channel < c; ++channel) y[low + channel] = x[channel];
    }
}

BKD_SIMD bool all_within(const std::int32_t* index, std::int64_t count, std::int32_t limit) {
    std::int32_t bad = 0;
    for (std::int64_t i = 0; i < count; ++i) bad |= static_cast<std::int32_t>((index[i] < 0) | (index[i] >= limit));
    return bad == 0;
}

// Rows of output pixels a tile: about 16 Ki values, so that a tile is worth more than handing it out.
std::int64_t rows_per_tile(std::int64_t row_values) {
    return std::max<std::int64_t>(1, 16 * 1024 / std::max<std::int64_t>(row_values, 1));
}

// One axis of the window of output position `at`: the positions [first, last) of the image that lie in it.
struct Span {
    Span(const Window& window, std::size_t axis, std::int64_t at, std::int64_t extent) {
        const std::int64_t start = at * window.stride[axis] - window.padding[axis];
        first = std::max<std::int64_t>(start, 0);
        last = std::max(first, std::min(start + window.kernel[axis], extent));
    }
    std::int64_t length() const { return last - first; }
    std::int64_t first, last;
};

// body(n, p, q, rows, columns) for each output pixel of y's row `row` = n P + p
template <class Body>
void for_each_window(const Shape& x, const Shape& y, const Window& window, std::int64_t row, const Body& body) {
    const std::int64_t n = row / y[1], p = row % y[1];
    const Span rows(window, 0, p, x[1]);
    for (std::int64_t q = 0; q < y[2]; ++q) body(n, p, q, rows, Span(window, 1, q, x[2]));
}

float divisor(const Window& window, bool count_include_pad, const Span& rows, const Span& columns) {
    return static_cast<float>(count_include_pad ? window.kernel[0] * window.kernel[1]
                                                : rows.length() * columns.length());
}

// body(n, dx of image n) for every image, dx being 0 unless it is added to.
template <class Body>
void for_each_image(const CpuStream& stream, const Out& out, std::int64_t work, const Body& body) {
    const std::int64_t image = out.view.shape.product(1, 4);
    float* dx = out.view.as<float>();
    parallel_for(stream, out.view.dim(0), rows_per_tile(image), work + out.view.count(),
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t n = first; n < last; ++n) {
                         if (!out.accumulate) std::fill_n(dx + n * image, image, 0.0f);
                         body(n, dx + n * image);
                     }
                 });
}

}

// y = max over the window
void Pooling::max_pool_forward(Stream& s, const MaxPoolForward& args) const {
    const Shape &x = args.x.shape, &y = args.y.shape;
    const std::int64_t c = x[3], rows = y[0] * y[1];
    const float* from = args.x.as<float>();
    float* to = args.y.as<float>();
    std::int32_t* index = args.index.as<std::int32_t>();
    const std::int64_t work = y.count() * args.window.kernel[0] * args.window.kernel[1];
    parallel_for(
        cpu_stream(s), rows, rows_per_tile(y[2] * c), work, [&](std::int64_t first, std::int64_t last, std::int64_t) {
            for (std::int64_t row = first; row < last; ++row)
                for_each_window(x, y, args.window, row,
                                [&](auto n, auto p, auto q, const Span& height, const Span& width) {
                                    const std::int64_t at = ((n * y[1] + p) * y[2] + q) * c;
                                    bool is_first = true;
                                    for (std::int64_t i = height.first; i < height.last; ++i)
                                        for (std::int64_t j = width.first; j < width.last; ++j, is_first = false) {
                                            const std::int64_t pixel = i * x[2] + j;
                                            const float* values = from + (n * x[1] * x[2] + pixel) * c;
                                            const auto position = static_cast<std::int32_t>(pixel);
                                            if (is_first) {
                                                std::copy_n(values, c, to + at);
                                                std::fill_n(index + at, c, position);
                                            } else {
                                                take_maxima(values, position, to + at, index + at, c);
                                            }
                                        }
                                    if (!is_first) return;
                                    std::fill_n(to + at, c, 0.0f);  // an image without pixels
                                    std::fill_n(index + at, c, -1);
                                });
        });
}

// dx[n, index, c] += dy
void Pooling::max_pool_backward(Stream& s, const MaxPoolBackward& args) const {
    const Shape &x = args.dx.view.shape, &y = args.dy.shape;
    const std::int64_t c = x[3], pixels_out = y[1] * y[2];
    const float* dy = args.dy.as<float>();
    const std::int32_t* index = args.index.as<std::int32_t>();
    BKD_CHECK(all_within(index, y.count(), static_cast<std::int32_t>(x[1] * x[2])), "an index outside dx {}", x.str());
    for_each_image(cpu_stream(s), args.dx, y.count(), [&](std::int64_t n, float* dx) {
        for (std::int64_t at = n * pixels_out * c; at < (n + 1) * pixels_out * c; at += c)
            for (std::int64_t channel = 0; channel < c; ++channel)
                dx[index[at + channel] * c + channel] += dy[at + channel];
    });
}

// y = sum over the window / divisor
void Pooling::avg_pool_forward(Stream& s, const AvgPoolForward& args) const {
    const Shape &x = args.x.shape, &y = args.y.shape;
    const std::int64_t c = x[3], rows = y[0] * y[1];
    const float* from = args.x.as<float>();
    float* to = args.y.as<float>();
    const std::int64_t work = y.count() * args.window.kernel[0] * args.window.kernel[1];
    parallel_for(
        cpu_stream(s), rows, rows_per_tile(y[2] * c), work, [&](std::int64_t first, std::int64_t last, std::int64_t) {
            for (std::int64_t row = first; row < last; ++row)
                for_each_window(x, y, args.window, row,
                                [&](auto n, auto p, auto q, const Span& height, const Span& width) {
                                    float* sum = to + ((n * y[1] + p) * y[2] + q) * c;
                                    std::fill_n(sum, c, 0.0f);
                                    for (std::int64_t i = height.first; i < height.last; ++i)
                                        for (std::int64_t j = width.first; j < width.last; ++j)
                                            add(from + ((n * x[1] + i) * x[2] + j) * c, sum, c);
                                    divide(sum, divisor(args.window, args.count_include_pad, height, width), c);
                                });
        });
}

// dx += dy / divisor over the window
void Pooling::avg_pool_backward(Stream& s, const AvgPoolBackward& args) const {
    const Shape &x = args.dx.view.shape, &y = args.dy.shape;
    const std::int64_t c = x[3];
    const float* dy = args.dy.as<float>();
    const std::int64_t work = y.count() * args.window.kernel[0] * args.window.kernel[1];
    for_each_image(cpu_stream(s), args.dx, work, [&](std::int64_t image, float* dx) {
        for (std::int64_t row = image * y[1]; row < (image + 1) * y[1]; ++row)
            for_each_window(x, y, args.window, row, [&](auto n, auto p, auto q, const Span& height, const Span& width) {
                const float* gradient = dy + ((n * y[1] + p) * y[2] + q) * c;
                const float parts = divisor(args.window, args.count_include_pad, height, width);
                for (std::int64_t i = height.first; i < height.last; ++i)
                    for (std::int64_t j = width.first; j < width.last; ++j)
                        add_quotient(gradient, parts, dx + (i * x[2] + j) * c, c);
            });
    });
}

// y = sum over the image / (h w)
void Pooling::global_avg_pool_forward(Stream& s, const GlobalAvgPoolForward& args) const {
    const std::int64_t pixels = args.x.dim(1) * args.x.dim(2), c = args.x.dim(3);
    const float* x = args.x.as<float>();
    float* y = args.y.as<float>();
    parallel_for(cpu_stream(s), args.x.dim(0), rows_per_tile(pixels * c), args.x.count(),
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t n = first; n < last; ++n) {
                         sum_rows(x + n * pixels * c, pixels, c, y + n * c);
                         divide(y + n * c, static_cast<float>(pixels), c);
                     }
                 });
}

// dx = dy / (h w)
void Pooling::global_avg_pool_backward(Stream& s, const GlobalAvgPoolBackward& args) const {
    const std::int64_t pixels = args.dx.view.dim(1) * args.dx.view.dim(2), c = args.dx.view.dim(3);
    const float* dy = args.dy.as<float>();
    for_each_image(cpu_stream(s), args.dx, 0, [&](std::int64_t n, float* dx) {
        for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
            add_quotient(dy + n * c, static_cast<float>(pixels), dx + pixel * c, c);
    });
}

// y[n,i,j,lo+c] = x[n, i stride, j stride, c], other channels 0
void Pooling::shortcut_a_forward(Stream& s, const ShortcutAForward& args) const {
    const Shape &x = args.x.shape, &y = args.y.shape;
    const std::int64_t c = x[3], k = y[3], low = (k - c) / 2;
    const float* from = args.x.as<float>();
    float* to = args.y.as<float>();
    parallel_for(cpu_stream(s), y[0] * y[1], rows_per_tile(y[2] * k), y.count(),
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t row = first; row < last; ++row) {
                         const std::int64_t n = row / y[1], i = row % y[1];
                         pad_channels(from + (n * x[1] + i * args.stride) * x[2] * c, args.stride * c, y[2], c, low, k,
                                      to + row * y[2] * k);
                     }
                 });
}

// dx[n, i stride, j stride, c] = dy[n,i,j,lo+c], other pixels 0
void Pooling::shortcut_a_backward(Stream& s, const ShortcutABackward& args) const {
    const Shape &x = args.dx.view.shape, &y = args.dy.shape;
    const std::int64_t c = x[3], k = y[3], low = (k - c) / 2;
    const float* dy = args.dy.as<float>();
    for_each_image(cpu_stream(s), args.dx, y.count(), [&](std::int64_t n, float* dx) {
        for (std::int64_t i = 0; i < y[1]; ++i)
            for (std::int64_t j = 0; j < y[2]; ++j)
                add(dy + ((n * y[1] + i) * y[2] + j) * k + low, dx + (i * args.stride * x[2] + j * args.stride) * c, c);
    });
}

}
