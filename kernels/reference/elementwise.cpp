// Element by element in f64. Contract: kernels/elementwise.h
#include "kernels/elementwise.h"

#include "kernels/reference/array.h"

#include <cmath>
#include <limits>

namespace bkd::kernels::reference {
namespace {

// y_i = f(a_i, b_i)
template <class Args, class Function>
void map_pairs(const Args& args, Function&& f) {
    const In a(flat(args.a)), b(flat(args.b));
    const Result y(flat(args.y));
    for (std::int64_t i = 0; i < args.a.count(); ++i) y(i) = f(a(i), b(i));
}

// y_i = f(x_i)
template <class Args, class Function>
void map(const Args& args, Function&& f) {
    const In x(flat(args.x));
    const Result y(flat(args.y));
    for (std::int64_t i = 0; i < args.x.count(); ++i) y(i) = f(x(i));
}

template <class To, class From>
To convert(From x) {
    if constexpr (std::is_same_v<To, From>)
        return x;
    else if constexpr (std::is_same_v<From, Bf16>)
        return convert<To>(static_cast<double>(to_f32(x)));
    else if constexpr (std::is_same_v<To, Bf16>)
        return to_bf16(static_cast<double>(x));
    else
        return static_cast<To>(x);
}

// Calls f with a pointer to the elements of a view of any dtype.
template <class Function>
void with_elements(void* data, DType dtype, Function&& f) {
    switch (dtype) {
        case DType::f32:
            return f(static_cast<float*>(data));
        case DType::bf16:
            return f(static_cast<Bf16*>(data));
        case DType::f64:
            return f(static_cast<double*>(data));
        case DType::u8:
            return f(static_cast<std::uint8_t*>(data));
        case DType::i32:
            return f(static_cast<std::int32_t*>(data));
        case DType::i64:
            return f(static_cast<std::int64_t*>(data));
    }
}

}

void Elementwise::add(Stream&, const Add& args) const {
    map_pairs(args, [](double a, double b) { return a + b; });
}
void Elementwise::subtract(Stream&, const Subtract& args) const {
    map_pairs(args, [](double a, double b) { return a - b; });
}
void Elementwise::multiply(Stream&, const Multiply& args) const {
    map_pairs(args, [](double a, double b) { return a * b; });
}
void Elementwise::divide(Stream&, const Divide& args) const {
    map_pairs(args, [](double a, double b) { return a / b; });
}
void Elementwise::scale(Stream&, const Scale& args) const {
    map(args, [&](double x) { return args.factor * x; });
}
void Elementwise::exp(Stream&, const Exp& args) const {
    map(args, [](double x) { return std::exp(x); });
}
void Elementwise::log(Stream&, const Log& args) const {
    map(args, [](double x) { return std::log(x); });
}
void Elementwise::sqrt(Stream&, const Sqrt& args) const {
    map(args, [](double x) { return std::sqrt(x); });
}

// y[n, ...] = factor[n or 0] x[n, ...]
void Elementwise::scale_rows(Stream&, const ScaleRows& args) const {
    const std::int64_t n = args.x.dim(0), width = args.x.shape.product(1, args.x.rank());
    const In x(args.x.reshaped({n, width})), factor(args.factor);
    const Result y(args.y.reshaped({n, width}));
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < width; ++j) y(i, j) = factor(args.factor.dim(0) == 1 ? 0 : i) * x(i, j);
}

// y[..., c] = x[..., c] + bias[c]
void Elementwise::bias_add(Stream&, const BiasAdd& args) const {
    const In x(rows(args.x)), bias(args.bias);
    const Result y(rows(args.y));
    for (std::int64_t i = 0; i < args.x.shape.product(0, args.x.rank() - 1); ++i)
        for (std::int64_t c = 0; c < args.x.dim(-1); ++c) y(i, c) = x(i, c) + bias(c);
}

void Elementwise::fill(Stream&, const Fill& args) const {
    with_elements(args.y.data, args.y.dtype, [&]<class T>(T* y) {
        for (std::int64_t i = 0; i < args.y.count(); ++i) y[i] = convert<T>(args.value);
    });
}

void Elementwise::cast(Stream&, const Cast& args) const {
    with_elements(args.y.data, args.y.dtype, [&]<class To>(To* y) {
        with_elements(const_cast<void*>(args.x.data), args.x.dtype, [&]<class From>(const From* x) {
            for (std::int64_t i = 0; i < args.x.count(); ++i) y[i] = convert<To>(x[i]);
        });
    });
}

// y = x[..., offset : offset + y.dim(axis), ...]
void Elementwise::slice_copy(Stream&, const SliceCopy& args) const {
    const Shape &whole = args.x.shape, &part = args.y.view.shape;
    const std::int64_t outer = whole.product(0, args.axis), inner = whole.product(args.axis + 1, whole.rank());
    const In x(args.x.reshaped({outer, whole[args.axis], inner}));
    const Result y(args.y.reshaped({outer, part[args.axis], inner}));
    for (std::int64_t i = 0; i < outer; ++i)
        for (std::int64_t j = 0; j < part[args.axis]; ++j)
            for (std::int64_t k = 0; k < inner; ++k) y(i, j, k) = x(i, args.offset + j, k);
}

// y[..., offset : offset + x.dim(axis), ...] = x
void Elementwise::slice_scatter(Stream&, const SliceScatter& args) const {
    const Shape &whole = args.y.view.shape, &part = args.x.shape;
    const std::int64_t outer = whole.product(0, args.axis), inner = whole.product(args.axis + 1, whole.rank());
    const In x(args.x.reshaped({outer, part[args.axis], inner}));
    const Result y(args.y.reshaped({outer, whole[args.axis], inner}));
    for (std::int64_t i = 0; i < outer; ++i)
        for (std::int64_t j = 0; j < part[args.axis]; ++j)
            for (std::int64_t k = 0; k < inner; ++k) y(i, args.offset + j, k) = x(i, j, k);
}

void Elementwise::put(Stream&, const Put& args) const {
    const std::int64_t index = *args.index.as<std::int32_t>(), n = args.y.count();
    BKD_CHECK(index >= 0 && index < n, "index {} at 0 is not in 0..{}", index, n - 1);
    const double x = In(args.x)(0);
    std::int32_t none = 0, &fault = args.fault ? *args.fault.as<std::int32_t>() : none;
    Result(args.y)(index) = fault != 0 && std::isfinite(x) ? std::numeric_limits<double>::quiet_NaN() : x;
    if (!std::isfinite(x)) ++fault;
}

}
