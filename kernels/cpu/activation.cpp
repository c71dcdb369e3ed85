// Activations on the CPU. Contract: kernels/activation.h. Softmax keeps a row in the output while it works: maximum,
// exponentials and quotients are three short loops over memory that stays in the first cache.
#include "kernels/activation.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax.h"

#include <cmath>

namespace bkd::kernels::cpu {
namespace {

constexpr std::int64_t exp_work = 10;  // element operations an exponential counts for

// max(x, 0) with NaN kept; -0 becomes 0.
BKD_INLINE float rectified(float x) { return x <= 0 ? 0 : x; }

BKD_SIMD void relu(const float* x, float* y, std::int64_t n) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = rectified(x[i]);
}

BKD_SIMD void add_relu(const float* a, const float* b, float* y, std::int64_t n) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = rectified(a[i] + b[i]);
}

BKD_SIMD void relu_gradient(const float* dy, const float* y, float* dx, std::int64_t n, bool accumulate) {
    if (accumulate) {
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) dx[i] += y[i] <= 0 ? 0 : dy[i];
    } else {
#pragma omp simd
        for (std::int64_t i = 0; i < n; ++i) dx[i] = y[i] <= 0 ? 0 : dy[i];
    }
}

BKD_SIMD void softmax_row(const float* x, float temperature, float* y, std::int64_t c) {
    scaled_row(x, 1, temperature, y, c);
    const double sum = exponentials(y, largest(y, c), y, c);
    normalize(y, sum, c);
}

// The exponentials lie in the output for a moment; then the logits are read again.
BKD_SIMD void log_softmax_row(const float* x, float temperature, float* y, std::int64_t c) {
    scaled_row(x, 1, temperature, y, c);
    const float max = largest(y, c);
    const auto log_sum = static_cast<float>(std::log(exponentials(y, max, y, c)));
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) y[i] = (x[i] / temperature - max) - log_sum;
}

BKD_INLINE void store(float* dx, std::int64_t i, float value, bool accumulate) {
    dx[i] = accumulate ? dx[i] + value : value;
}

BKD_SIMD void softmax_row_gradient(const float* dy, const float* y, float temperature, float* dx, std::int64_t c,
                                   bool accumulate) {
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < c; ++i) dot += dy[i] * y[i];
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) store(dx, i, y[i] * (dy[i] - dot) / temperature, accumulate);
}

BKD_SIMD void log_softmax_row_gradient(const float* dy, const float* y, float temperature, float* dx, std::int64_t c,
                                       bool accumulate) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < c; ++i) sum += dy[i];
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) store(dx, i, (dy[i] - vector_exp(y[i]) * sum) / temperature, accumulate);
}

// row(offset, c) for every row of c numbers along the last axis.
template <class Row>
void for_each_row(Stream& stream, const Shape& shape, const Row& row) {
    const std::int64_t c = shape[-1], n = shape.product(0, shape.rank() - 1);
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / (exp_work * c));
    parallel_for(cpu_stream(stream), n, tile, n * c * exp_work,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t i = first; i < last; ++i) row(i * c, c);
                 });
}

}

void Activation::relu_forward(Stream& stream, const ReluForward& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.as<float>();
    const std::int64_t n = args.x.count();
    parallel_for(cpu_stream(stream), n, element_tile, n, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        relu(x + first, y + first, last - first);
    });
}

void Activation::relu_backward(Stream& stream, const ReluBackward& args) const {
    const auto *dy = args.dy.as<float>(), *y = args.y.as<float>();
    auto* dx = args.dx.view.as<float>();
    const std::int64_t n = args.y.count();
    parallel_for(cpu_stream(stream), n, element_tile, n, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        relu_gradient(dy + first, y + first, dx + first, last - first, args.dx.accumulate);
    });
}

void Activation::add_relu_forward(Stream& stream, const AddReluForward& args) const {
    const auto *a = args.a.as<float>(), *b = args.b.as<float>();
    auto* y = args.y.as<float>();
    const std::int64_t n = args.y.count();
    parallel_for(cpu_stream(stream), n, element_tile, n, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        add_relu(a + first, b + first, y + first, last - first);
    });
}

void Activation::add_relu_backward(Stream& stream, const AddReluBackward& args) const {
    const auto *dy = args.dy.as<float>(), *y = args.y.as<float>();
    const std::int64_t n = args.y.count();
    const bool is_one = args.da && args.da.view.data == args.db.view.data;
    const Out da = args.da, db(args.db.view, args.db.accumulate || is_one);
    parallel_for(cpu_stream(stream), n, element_tile, n, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (const Out& out : {da, db})
            if (out) relu_gradient(dy + first, y + first, out.view.as<float>() + first, last - first, out.accumulate);
    });
}

void Activation::softmax_forward(Stream& stream, const SoftmaxForward& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.as<float>();
    const auto temperature = static_cast<float>(args.temperature);
    for_each_row(stream, args.x.shape,
                 [&](std::int64_t at, std::int64_t c) { softmax_row(x + at, temperature, y + at, c); });
}

void Activation::softmax_backward(Stream& stream, const SoftmaxBackward& args) const {
    const auto *dy = args.dy.as<float>(), *y = args.y.as<float>();
    auto* dx = args.dx.view.as<float>();
    const auto temperature = static_cast<float>(args.temperature);
    for_each_row(stream, args.y.shape, [&](std::int64_t at, std::int64_t c) {
        softmax_row_gradient(dy + at, y + at, temperature, dx + at, c, args.dx.accumulate);
    });
}

void Activation::log_softmax_forward(Stream& stream, const LogSoftmaxForward& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.as<float>();
    const auto temperature = static_cast<float>(args.temperature);
    for_each_row(stream, args.x.shape,
                 [&](std::int64_t at, std::int64_t c) { log_softmax_row(x + at, temperature, y + at, c); });
}

void Activation::log_softmax_backward(Stream& stream, const LogSoftmaxBackward& args) const {
    const auto *dy = args.dy.as<float>(), *y = args.y.as<float>();
    auto* dx = args.dx.view.as<float>();
    const auto temperature = static_cast<float>(args.temperature);
    for_each_row(stream, args.y.shape, [&](std::int64_t at, std::int64_t c) {
        log_softmax_row_gradient(dy + at, y + at, temperature, dx + at, c, args.dx.accumulate);
    });
}

}
