// Convolution in f64: one loop nest, walked by both ops. Contract: kernels/convolution.h
#include "kernels/convolution.h"

#include "kernels/reference/array.h"

namespace bkd::kernels::reference {
namespace {

// Calls f(i, j, r, s, c, channel) for every product x[n, i, j, channel] w[k, r, s, c] that goes into y[n, p, q, k];
// taps outside the image are left out.
template <class Function>
void for_each_tap(const Shape& x, const Shape& w, const ConvolutionGeometry& g, std::int64_t p, std::int64_t q,
                  std::int64_t k, Function&& f) {
    const std::int64_t first_channel = k / (w[0] / g.groups) * w[3];
    for (std::int64_t r = 0; r < w[1]; ++r)
        for (std::int64_t s = 0; s < w[2]; ++s) {
            const std::int64_t i = p * g.stride[0] - g.padding[0] + r, j = q * g.stride[1] - g.padding[1] + s;
            if (i < 0 || i >= x[1] || j < 0 || j >= x[2]) continue;
            for (std::int64_t c = 0; c < w[3]; ++c) f(i, j, r, s, c, first_channel + c);
        }
}

template <class Function>
void for_each_output(const Shape& y, Function&& f) {
    for (std::int64_t n = 0; n < y[0]; ++n)
        for (std::int64_t p = 0; p < y[1]; ++p)
            for (std::int64_t q = 0; q < y[2]; ++q)
                for (std::int64_t k = 0; k < y[3]; ++k) f(n, p, q, k);
}

}

// y[n,p,q,k] = b[k] + sum_{r,s,c} x[n, i, j, channel] w[k,r,s,c]
void Convolution::conv2d_forward(Stream&, const Conv2dForward& args) const {
    const In x(args.x), w(args.w), bias(args.bias);
    const Result y(args.y);
    for_each_output(args.y.shape, [&](auto n, auto p, auto q, auto k) {
        double sum = bias ? bias(k) : 0;
        for_each_tap(
            args.x.shape, args.w.shape, args.geometry, p, q, k,
            [&](auto i, auto j, auto r, auto s, auto c, auto channel) { sum += x(n, i, j, channel) * w(k, r, s, c); });
        y(n, p, q, k) = sum;
    });
}

// dx[n, i, j, channel] = sum of dy[n,p,q,k] w[k,r,s,c]    dw[k,r,s,c] = sum of dy[n,p,q,k] x[n, i, j, channel]
void Convolution::conv2d_backward(Stream&, const Conv2dBackward& args) const {
    const In x(args.x), w(args.w), dy(args.dy);
    const Strides at_x(args.x.shape), at_w(args.w.shape);
    std::vector<double> dx(static_cast<std::size_t>(args.x.count())), dw(static_cast<std::size_t>(args.w.count()));
    for_each_output(args.dy.shape, [&](auto n, auto p, auto q, auto k) {
        for_each_tap(args.x.shape, args.w.shape, args.geometry, p, q, k,
                     [&](auto i, auto j, auto r, auto s, auto c, auto channel) {
                         dx[static_cast<std::size_t>(at_x(n, i, j, channel))] += dy(n, p, q, k) * w(k, r, s, c);
                         dw[static_cast<std::size_t>(at_w(k, r, s, c))] += dy(n, p, q, k) * x(n, i, j, channel);
                     });
    });
    if (args.dx) write(args.dx, dx);
    if (args.dw) write(args.dw, dw);
}

}
