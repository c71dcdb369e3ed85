// Element by element on the CPU. Contract: kernels/elementwise.h. Every op is a leaf function over a run of elements
// and a loop over fixed tiles; bound by memory, so a leaf reads and writes each element once.
#include "kernels/elementwise.h"

#include "kernels/bf16.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/runs.h"
#include "kernels/cpu/simd.h"

#include <cmath>
#include <cstring>

namespace bkd::kernels::cpu {
namespace {

constexpr std::int64_t exp_work = 10;  // element operations an exponential or a logarithm counts for

// void name(a, b, y, n, accumulate): y = expression of a[i] and b[i], or y += it. `omp simd`: y may be a or b itself.
#define BKD_BINARY_LEAF(name, expression)                                                           \
    BKD_SIMD void name(const float* a, const float* b, float* y, std::int64_t n, bool accumulate) { \
        if (accumulate) {                                                                           \
            _Pragma("omp simd") for (std::int64_t i = 0; i < n; ++i) y[i] += expression;            \
        } else {                                                                                    \
            _Pragma("omp simd") for (std::int64_t i = 0; i < n; ++i) y[i] = expression;             \
        }                                                                                           \
    }
BKD_BINARY_LEAF(sum_run, (a[i] + b[i]))
BKD_BINARY_LEAF(subtract_run, (a[i] - b[i]))
BKD_BINARY_LEAF(multiply_run, (a[i] * b[i]))
BKD_BINARY_LEAF(divide_run, (a[i] / b[i]))
#undef BKD_BINARY_LEAF

BKD_SIMD void exp_run(const float* x, float* y, std::int64_t n) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = vector_exp(x[i]);
}

BKD_SIMD void log_run(const float* x, float* y, std::int64_t n) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = vector_log(x[i]);
}

BKD_SIMD void sqrt_run(const float* x, float* y, std::int64_t n) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = std::sqrt(x[i]);
}

template <class To, class From>
void cast_run(const From* x, To* y, std::int64_t n) {
    if constexpr (std::is_same_v<From, Bf16> && std::is_same_v<To, float>)
        widen_run(x, y, n);
    else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, Bf16>)
        round_run(x, y, n);
    else
        for (std::int64_t i = 0; i < n; ++i) {
            if constexpr (std::is_same_v<From, To>)
                y[i] = x[i];
            else if constexpr (std::is_same_v<From, Bf16>)
                y[i] = static_cast<To>(to_f32(x[i]));
            else if constexpr (std::is_same_v<To, Bf16>)
                y[i] = to_bf16(static_cast<float>(x[i]));
            else
                y[i] = static_cast<To>(x[i]);
        }
}

// y = x or y += x; x and y may be one.
void move_run(const float* x, float* y, std::int64_t n, bool accumulate) {
    if (accumulate)
        scale_run(x, 1, y, n, true);
    else if (n > 0)
        std::memcpy(y, x, static_cast<std::size_t>(n) * sizeof(float));
}

// run(first, n) for every tile of `count` elements.
template <class Run>
void for_each_tile(Stream& stream, std::int64_t count, const Run& run, std::int64_t work_each = 1) {
    parallel_for(cpu_stream(stream), count, element_tile, count * work_each,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) { run(first, last - first); });
}

template <class Args, class Leaf>
void binary(Stream& stream, const Args& args, const Leaf& leaf) {
    const auto *a = args.a.template as<float>(), *b = args.b.template as<float>();
    auto* y = args.y.view.template as<float>();
    for_each_tile(stream, args.a.count(), [&](std::int64_t first, std::int64_t n) {
        leaf(a + first, b + first, y + first, n, args.y.accumulate);
    });
}

// f(elements) with the pointer in the type of the view, a View or a ConstView.
template <class AnyView, class F>
void with_elements(const AnyView& view, const F& f) {
    switch (view.dtype) {
        case DType::f32:
            return f(view.template as<float>());
        case DType::bf16:
            return f(view.template as<Bf16>());
        case DType::u8:
            return f(view.template as<std::uint8_t>());
        case DType::i32:
            return f(view.template as<std::int32_t>());
        case DType::i64:
            return f(view.template as<std::int64_t>());
        default:
            fail_check("elementwise", "dtype", fmt::format("a {} tensor on the CPU", name_of(view.dtype)));
    }
}

// A part of a tensor along one axis: `outer` runs of `run` elements, `whole_run` apart in the whole tensor.
struct Part {
    Part(const Shape& whole, const Shape& part, int axis, std::int64_t at) {
        outer = whole.product(0, axis);
        const std::int64_t inner = whole.product(axis + 1, whole.rank());
        run = part[axis] * inner;
        whole_run = whole[axis] * inner;
        offset = at * inner;
    }
    std::int64_t outer, run, whole_run, offset;
};

// move(o) for every run of a part; a tile holds about element_tile elements.
template <class Move>
void for_each_run(Stream& stream, const Part& part, const Move& move) {
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, part.run));
    parallel_for(cpu_stream(stream), part.outer, tile, part.outer * part.run,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t o = first; o < last; ++o) move(o);
                 });
}

}

void Elementwise::add(Stream& stream, const Add& args) const { binary(stream, args, sum_run); }

void Elementwise::subtract(Stream& stream, const Subtract& args) const { binary(stream, args, subtract_run); }

void Elementwise::multiply(Stream& stream, const Multiply& args) const { binary(stream, args, multiply_run); }

void Elementwise::divide(Stream& stream, const Divide& args) const { binary(stream, args, divide_run); }

void Elementwise::scale(Stream& stream, const Scale& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.view.as<float>();
    const auto factor = static_cast<float>(args.factor);
    for_each_tile(stream, args.x.count(), [&](std::int64_t first, std::int64_t n) {
        scale_run(x + first, factor, y + first, n, args.y.accumulate);
    });
}

void Elementwise::scale_rows(Stream& stream, const ScaleRows& args) const {
    const auto *x = args.x.as<float>(), *factor = args.factor.as<float>();
    auto* y = args.y.view.as<float>();
    const std::int64_t rows = args.x.dim(0), width = args.x.shape.product(1, args.x.rank());
    const std::int64_t step = args.factor.count() == 1 ? 0 : 1;
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, width));
    parallel_for(cpu_stream(stream), rows, tile, rows * width,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t row = first; row < last; ++row)
                         scale_run(x + row * width, factor[row * step], y + row * width, width, args.y.accumulate);
                 });
}

void Elementwise::bias_add(Stream& stream, const BiasAdd& args) const {
    const auto *x = args.x.as<float>(), *bias = args.bias.as<float>();
    auto* y = args.y.as<float>();
    const std::int64_t c = args.bias.count(), rows = c == 0 ? 0 : args.x.count() / c;
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, c));
    parallel_for(cpu_stream(stream), rows, tile, rows * c, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t row = first; row < last; ++row) sum_run(x + row * c, bias, y + row * c, c, false);
    });
}

void Elementwise::exp(Stream& stream, const Exp& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.as<float>();
    for_each_tile(
        stream, args.x.count(), [&](std::int64_t first, std::int64_t n) { exp_run(x + first, y + first, n); },
        exp_work);
}

void Elementwise::log(Stream& stream, const Log& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.as<float>();
    for_each_tile(
        stream, args.x.count(), [&](std::int64_t first, std::int64_t n) { log_run(x + first, y + first, n); },
        exp_work);
}

void Elementwise::sqrt(Stream& stream, const Sqrt& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.as<float>();
    for_each_tile(stream, args.x.count(),
                  [&](std::int64_t first, std::int64_t n) { sqrt_run(x + first, y + first, n); });
}

void Elementwise::fill(Stream& stream, const Fill& args) const {
    with_elements(args.y, [&](auto* y) {
        using Element = std::remove_reference_t<decltype(*y)>;
        Element value;
        cast_run(&args.value, &value, 1);
        for_each_tile(stream, args.y.count(), [&](std::int64_t at, std::int64_t n) { std::fill_n(y + at, n, value); });
    });
}

void Elementwise::cast(Stream& stream, const Cast& args) const {
    with_elements(args.y, [&](auto* y) {
        with_elements(args.x, [&](const auto* x) {
            for_each_tile(stream, args.x.count(),
                          [&](std::int64_t at, std::int64_t n) { cast_run(x + at, y + at, n); });
        });
    });
}

void CpuStream::convert(const ConstView& x, const View& y) { Elementwise().cast(*this, {.x = x, .y = y}); }

void Elementwise::slice_copy(Stream& stream, const SliceCopy& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.view.as<float>();
    const Part part(args.x.shape, args.y.view.shape, args.axis, args.offset);
    for_each_run(stream, part, [&](std::int64_t o) {
        move_run(x + o * part.whole_run + part.offset, y + o * part.run, part.run, args.y.accumulate);
    });
}

void Elementwise::slice_scatter(Stream& stream, const SliceScatter& args) const {
    const auto* x = args.x.as<float>();
    auto* y = args.y.view.as<float>();
    const Part part(args.y.view.shape, args.x.shape, args.axis, args.offset);
    for_each_run(stream, part, [&](std::int64_t o) {
        move_run(x + o * part.run, y + o * part.whole_run + part.offset, part.run, args.y.accumulate);
    });
}

void Elementwise::put(Stream&, const Put& args) const {
    const std::int64_t index = *args.index.as<std::int32_t>(), n = args.y.count();
    BKD_CHECK(index >= 0 && index < n, "index {} at 0 is not in 0..{}", index, n - 1);
    const float x = *args.x.as<float>();
    std::int32_t none = 0, &fault = args.fault ? *args.fault.as<std::int32_t>() : none;
    args.y.as<float>()[index] = fault != 0 && std::isfinite(x) ? std::numeric_limits<float>::quiet_NaN() : x;
    if (!std::isfinite(x)) ++fault;
}

}
