// Convolutions by plain loops, for machines without oneDNN. Contract: kernels/convolution.h
//
// Each writes every element of its result once, in one thread: the same bits for any number of threads.
#include "kernels/convolution.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {

// A stream has primitives only with oneDNN.
class PrimitiveCache {};

CpuStream::CpuStream(Device d, Pool& p, const CpuOptions& o, std::int64_t&)
    : Stream(d, p), threads(o.threads), onednn_threads(o.onednn_threads), winograd(false), multiplies_bf16_(false) {}
CpuStream::~CpuStream() = default;

namespace {

// to[j] += sum_i from[i] w[i row + j]: one tap of one pixel
BKD_SIMD void add_tap(const float* BKD_RESTRICT from, std::int64_t count, const float* BKD_RESTRICT w, std::int64_t row,
                      float* BKD_RESTRICT to, std::int64_t width) {
    for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t j = 0; j < width; ++j) to[j] += from[i] * w[i * row + j];
}

// dw[i row + j] += dy[i] x[j]
BKD_SIMD void add_product(const float* BKD_RESTRICT dy, std::int64_t count, const float* BKD_RESTRICT x,
                          float* BKD_RESTRICT dw, std::int64_t row, std::int64_t width) {
    for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t j = 0; j < width; ++j) dw[i * row + j] += dy[i] * x[j];
}

BKD_SIMD void add(const float* BKD_RESTRICT from, float* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

// The letters of the contract; c and k are those of one group.
struct Extents {
    Extents(const Shape& x, const Shape& weight, const Shape& y, const ConvolutionGeometry& geometry)
        : n(x[0]),
          h(x[1]),
          w(x[2]),
          p(y[1]),
          q(y[2]),
          r(weight[1]),
          s(weight[2]),
          groups(geometry.groups),
          c(weight[3]),
          k(weight[0] / geometry.groups),
          stride_h(geometry.stride[0]),
          stride_w(geometry.stride[1]),
          padding_h(geometry.padding[0]),
          padding_w(geometry.padding[1]) {}

    std::int64_t work() const { return n * p * q * groups * k * r * s * c; }
    // The row and column that tap (r_at, s_at) of output (p_at, q_at) reads; it may lie outside the image.
    std::int64_t row(std::int64_t p_at, std::int64_t r_at) const { return p_at * stride_h - padding_h + r_at; }
    std::int64_t column(std::int64_t q_at, std::int64_t s_at) const { return q_at * stride_w - padding_w + s_at; }
    bool has_row(std::int64_t at) const { return at >= 0 && at < h; }
    bool has_column(std::int64_t at) const { return at >= 0 && at < w; }

    std::int64_t n, h, w, p, q, r, s, groups, c, k, stride_h, stride_w, padding_h, padding_w;
};

// The output that reads `at` by a tap, or -1.
std::int64_t source(std::int64_t at, std::int64_t padding, std::int64_t tap, std::int64_t stride, std::int64_t count) {
    const std::int64_t scaled = at + padding - tap;
    return scaled >= 0 && scaled % stride == 0 && scaled / stride < count ? scaled / stride : -1;
}

// dx = sum dy w
void write_data_gradient(CpuStream& stream, const Conv2dBackward& args) {
    const Extents e(args.x.shape, args.w.shape, args.dy.shape, args.geometry);
    const float *dy = args.dy.as<float>(), *w = args.w.as<float>();
    const std::int64_t taps = e.r * e.s * e.c, y_width = e.groups * e.k, x_width = e.groups * e.c;
    parallel_for(stream, e.n * e.h, 1, e.work(), [&](std::int64_t row, std::int64_t, std::int64_t) {
        const std::int64_t n = row / e.h, h = row % e.h;
        for (std::int64_t v = 0; v < e.w; ++v) {
            float* dx = args.dx.view.as<float>() + (row * e.w + v) * x_width;
            if (!args.dx.accumulate) std::fill_n(dx, x_width, 0.0f);
            for (std::int64_t r = 0; r < e.r; ++r)
                for (std::int64_t t = 0; t < e.s; ++t) {
                    const std::int64_t p = source(h, e.padding_h, r, e.stride_h, e.p);
                    const std::int64_t q = source(v, e.padding_w, t, e.stride_w, e.q);
                    if (p < 0 || q < 0) continue;
                    const float* pixel = dy + ((n * e.p + p) * e.q + q) * y_width;
                    for (std::int64_t g = 0; g < e.groups; ++g)
                        add_tap(pixel + g * e.k, e.k, w + g * e.k * taps + (r * e.s + t) * e.c, taps, dx + g * e.c,
                                e.c);
                }
        }
    });
}

// dw = sum dy x
void write_weight_gradient(CpuStream& stream, const Conv2dBackward& args) {
    const Extents e(args.x.shape, args.w.shape, args.dy.shape, args.geometry);
    const float *x = args.x.as<float>(), *dy = args.dy.as<float>();
    float* dw = args.dw.view.as<float>();
    const std::int64_t taps = e.r * e.s * e.c, y_width = e.groups * e.k, x_width = e.groups * e.c;
    // Every image is summed by itself before it is added: f32 loses less.
    const Scratch sums(stream, static_cast<std::size_t>(args.dw.view.bytes()));
    if (!args.dw.accumulate) std::fill_n(dw, args.dw.view.count(), 0.0f);
    constexpr std::int64_t tile = 8;
    for (std::int64_t g = 0; g < e.groups; ++g)
        parallel_for(stream, e.k, tile, e.work() / e.groups, [&](std::int64_t k, std::int64_t end, std::int64_t) {
            const std::int64_t at = (g * e.k + k) * taps, count = (end - k) * taps;
            float* sum = sums.as<float>() + at;
            for (std::int64_t n = 0; n < e.n; ++n) {
                std::fill_n(sum, count, 0.0f);
                for (std::int64_t p = 0; p < e.p; ++p)
                    for (std::int64_t q = 0; q < e.q; ++q)
                        for (std::int64_t r = 0; r < e.r; ++r)
                            for (std::int64_t t = 0; t < e.s; ++t) {
                                const std::int64_t h = e.row(p, r), v = e.column(q, t);
                                if (!e.has_row(h) || !e.has_column(v)) continue;
                                add_product(dy + ((n * e.p + p) * e.q + q) * y_width + g * e.k + k, end - k,
                                            x + ((n * e.h + h) * e.w + v) * x_width + g * e.c,
                                            sum + (r * e.s + t) * e.c, taps, e.c);
                            }
                add(sum, dw + at, count);
            }
        });
}

}

// y = b + sum x w
void Convolution::conv2d_forward(Stream& s, const Conv2dForward& args) const {
    CpuStream& stream = cpu_stream(s);
    const Extents e(args.x.shape, args.w.shape, args.y.shape, args.geometry);
    // w [g, r, s, c, k]: what one channel of x adds to all of y's lies together.
    const Scratch turned(stream, static_cast<std::size_t>(args.w.bytes()));
    const float *x = args.x.as<float>(), *w = args.w.as<float>();
    const std::int64_t taps = e.r * e.s * e.c, y_width = e.groups * e.k, x_width = e.groups * e.c;
    for (std::int64_t g = 0; g < e.groups; ++g)
        for (std::int64_t k = 0; k < e.k; ++k)
            for (std::int64_t t = 0; t < taps; ++t)
                turned.as<float>()[(g * taps + t) * e.k + k] = w[(g * e.k + k) * taps + t];
    parallel_for(stream, e.n * e.p, 1, e.work(), [&](std::int64_t row, std::int64_t, std::int64_t) {
        const std::int64_t n = row / e.p, p = row % e.p;
        for (std::int64_t q = 0; q < e.q; ++q) {
            float* y = args.y.as<float>() + (row * e.q + q) * y_width;
            std::fill_n(y, y_width, 0.0f);
            for (std::int64_t r = 0; r < e.r; ++r)
                for (std::int64_t t = 0; t < e.s; ++t) {
                    const std::int64_t h = e.row(p, r), v = e.column(q, t);
                    if (!e.has_row(h) || !e.has_column(v)) continue;
                    const float* pixel = x + ((n * e.h + h) * e.w + v) * x_width;
                    for (std::int64_t g = 0; g < e.groups; ++g)
                        add_tap(pixel + g * e.c, e.c, turned.as<float>() + ((g * e.r + r) * e.s + t) * e.c * e.k, e.k,
                                y + g * e.k, e.k);
                }
            if (args.bias) add(args.bias.as<float>(), y, y_width);
        }
    });
}

void Convolution::conv2d_backward(Stream& s, const Conv2dBackward& args) const {
    if (args.dx) write_data_gradient(cpu_stream(s), args);
    if (args.dw) write_weight_gradient(cpu_stream(s), args);
}

}
