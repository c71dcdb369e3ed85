// Pooling in f64. Contract: kernels/pooling.h
#include "kernels/pooling.h"

#include "kernels/reference/array.h"

#include <cmath>

namespace bkd::kernels::reference {
namespace {

// Calls f(n, p, q, c) for every element of an image batch.
template <class Function>
void for_each_element(const Shape& y, Function&& f) {
    for (std::int64_t n = 0; n < y[0]; ++n)
        for (std::int64_t p = 0; p < y[1]; ++p)
            for (std::int64_t q = 0; q < y[2]; ++q)
                for (std::int64_t c = 0; c < y[3]; ++c) f(n, p, q, c);
}

// Calls f(i, j) for every pixel of x in the window of output pixel (p, q), in row-major order; padding is left out.
template <class Function>
void for_each_pixel(const Shape& x, const Window& window, std::int64_t p, std::int64_t q, Function&& f) {
    for (std::int64_t r = 0; r < window.kernel[0]; ++r)
        for (std::int64_t s = 0; s < window.kernel[1]; ++s) {
            const std::int64_t i = p * window.stride[0] - window.padding[0] + r;
            const std::int64_t j = q * window.stride[1] - window.padding[1] + s;
            if (i >= 0 && i < x[1] && j >= 0 && j < x[2]) f(i, j);
        }
}

// What an average over the window of (p, q) divides by.
double divisor(const Shape& x, const Window& window, bool count_include_pad, std::int64_t p, std::int64_t q) {
    if (count_include_pad) return static_cast<double>(window.kernel[0] * window.kernel[1]);
    double inside = 0;
    for_each_pixel(x, window, p, q, [&](auto, auto) { ++inside; });
    return inside;
}

}

// y = max over the window
void Pooling::max_pool_forward(Stream&, const MaxPoolForward& args) const {
    const In x(args.x);
    const Result y(args.y);
    const Strides at(args.y.shape);
    std::int32_t* index = args.index.as<std::int32_t>();
    for_each_element(args.y.shape, [&](auto n, auto p, auto q, auto c) {
        double best = 0;
        std::int64_t best_at = -1;
        for_each_pixel(args.x.shape, args.window, p, q, [&](auto i, auto j) {
            const double value = x(n, i, j, c);
            if (best_at < 0 || value > best || (std::isnan(value) && !std::isnan(best))) {
                best = value;
                best_at = i * args.x.dim(2) + j;
            }
        });
        y(n, p, q, c) = best;
        index[at(n, p, q, c)] = static_cast<std::int32_t>(best_at);
    });
}

// dx[n, index, c] += dy
void Pooling::max_pool_backward(Stream&, const MaxPoolBackward& args) const {
    const In dy(args.dy);
    const In<std::int32_t> index(args.index);
    const std::int64_t pixels = args.dx.view.dim(1) * args.dx.view.dim(2);
    const Strides at(Shape{args.dx.view.dim(0), pixels, args.dx.view.dim(3)});
    std::vector<double> dx(static_cast<std::size_t>(args.dx.view.count()));
    for_each_element(args.dy.shape, [&](auto n, auto p, auto q, auto c) {
        const std::int64_t pixel = index(n, p, q, c);
        BKD_CHECK(pixel >= 0 && pixel < pixels, "index {} in dx {}", pixel, args.dx.view.shape.str());
        dx[static_cast<std::size_t>(at(n, pixel, c))] += dy(n, p, q, c);
    });
    write(args.dx, dx);
}

// y = sum over the window / divisor
void Pooling::avg_pool_forward(Stream&, const AvgPoolForward& args) const {
    const In x(args.x);
    const Result y(args.y);
    for_each_element(args.y.shape, [&](auto n, auto p, auto q, auto c) {
        double sum = 0;
        for_each_pixel(args.x.shape, args.window, p, q, [&](auto i, auto j) { sum += x(n, i, j, c); });
        y(n, p, q, c) = sum / divisor(args.x.shape, args.window, args.count_include_pad, p, q);
    });
}

// dx = sum of dy / divisor over the windows that hold the pixel
void Pooling::avg_pool_backward(Stream&, const AvgPoolBackward& args) const {
    const In dy(args.dy);
    const Shape& x = args.dx.view.shape;
    const Strides at(x);
    std::vector<double> dx(static_cast<std::size_t>(x.count()));
    for_each_element(args.dy.shape, [&](auto n, auto p, auto q, auto c) {
        const double share = dy(n, p, q, c) / divisor(x, args.window, args.count_include_pad, p, q);
        for_each_pixel(x, args.window, p, q,
                       [&](auto i, auto j) { dx[static_cast<std::size_t>(at(n, i, j, c))] += share; });
    });
    write(args.dx, dx);
}

// y[n,c] = sum_{h,w} x[n,h,w,c] / (h w)
void Pooling::global_avg_pool_forward(Stream&, const GlobalAvgPoolForward& args) const {
    const std::int64_t pixels = args.x.dim(1) * args.x.dim(2);
    const In x(args.x.reshaped({args.x.dim(0), pixels, args.x.dim(3)}));
    const Result y(args.y);
    for (std::int64_t n = 0; n < args.y.dim(0); ++n)
        for (std::int64_t c = 0; c < args.y.dim(1); ++c) {
            double sum = 0;
            for (std::int64_t i = 0; i < pixels; ++i) sum += x(n, i, c);
            y(n, c) = sum / static_cast<double>(pixels);
        }
}

// dx[n,h,w,c] = dy[n,c] / (h w)
void Pooling::global_avg_pool_backward(Stream&, const GlobalAvgPoolBackward& args) const {
    const In dy(args.dy);
    const Result dx(args.dx);
    const double pixels = static_cast<double>(args.dx.view.dim(1) * args.dx.view.dim(2));
    for_each_element(args.dx.view.shape, [&](auto n, auto h, auto w, auto c) { dx(n, h, w, c) = dy(n, c) / pixels; });
}

// y[n,i,j,lo+c] = x[n, i stride, j stride, c], other channels 0
void Pooling::shortcut_a_forward(Stream&, const ShortcutAForward& args) const {
    const In x(args.x);
    const Result y(args.y);
    const std::int64_t channels = args.x.dim(3), lo = (args.y.dim(3) - channels) / 2;
    for_each_element(args.y.shape, [&](auto n, auto i, auto j, auto k) {
        const std::int64_t c = k - lo;
        y(n, i, j, k) = c >= 0 && c < channels ? x(n, i * args.stride, j * args.stride, c) : 0.0;
    });
}

// dx[n, i stride, j stride, c] = dy[n,i,j,lo+c], other pixels 0
void Pooling::shortcut_a_backward(Stream&, const ShortcutABackward& args) const {
    const In dy(args.dy);
    const Result dx(args.dx);
    const std::int64_t lo = (args.dy.dim(3) - args.dx.view.dim(3)) / 2;
    for_each_element(args.dx.view.shape, [&](auto n, auto h, auto w, auto c) {
        const bool kept = h % args.stride == 0 && w % args.stride == 0;
        dx(n, h, w, c) = kept ? dy(n, h / args.stride, w / args.stride, lo + c) : 0.0;
    });
}

}
