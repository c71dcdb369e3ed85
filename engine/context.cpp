#include "engine/context.h"

#include "kernels/bf16.h"

#include <algorithm>

namespace bkd {

void Runtime::set_up() { one = Context(*this).full({1}, 1); }

Tensor Context::full(const Shape& shape, double value) const {
    Tensor y = empty(shape);
    elementwise().fill({.y = y, .value = value});
    return y;
}

template <class T>
void Context::assign_reals(const Tensor& to, std::span<const T> numbers) const {
    BKD_CHECK(to.count() == static_cast<std::int64_t>(numbers.size()), "{} numbers for {}", numbers.size(),
              to.shape().str());
    const auto as = [&]<class To>(To (*convert)(T)) {
        std::vector<To> converted(numbers.size());
        std::transform(numbers.begin(), numbers.end(), converted.begin(), convert);
        backend().upload(*runtime_.stream, to, converted.data());
    };
    if (to.dtype() == dtype_of<T>())
        backend().upload(*runtime_.stream, to, numbers.data());
    else if (to.dtype() == DType::f64)
        as(+[](T x) { return static_cast<double>(x); });
    else if (to.dtype() == DType::bf16)
        as(+[](T x) { return to_bf16(static_cast<float>(x)); });
    else {
        BKD_CHECK(to.dtype() == DType::f32, "{} from host numbers", name_of(to.dtype()));
        as(+[](T x) { return static_cast<float>(x); });
    }
    refresh_copy(to);
}

Tensor Context::cast(const Tensor& x, DType dtype) const {
    if (x.dtype() == dtype) return x;
    Tensor y = empty(x.shape(), dtype);
    elementwise().cast({.x = x, .y = y});
    return y;
}

void Context::refresh_copy(const Tensor& weight) const {
    if (const View& copy = weight.node()->bf16_copy) elementwise().cast({.x = weight, .y = copy});
}

void Context::assign(const Tensor& to, std::span<const float> numbers) const { assign_reals(to, numbers); }
void Context::assign(const Tensor& to, std::span<const double> numbers) const { assign_reals(to, numbers); }

void Context::assign(const Tensor& to, std::span<const std::int32_t> numbers) const {
    BKD_CHECK(to.dtype() == DType::i32 && to.count() == static_cast<std::int64_t>(numbers.size()), "{} i32 for {} {}",
              numbers.size(), name_of(to.dtype()), to.shape().str());
    backend().upload(*runtime_.stream, to, numbers.data());
}

void Context::assign(const Tensor& to, std::span<const std::uint8_t> numbers) const {
    BKD_CHECK(to.dtype() == DType::u8 && to.count() == static_cast<std::int64_t>(numbers.size()), "{} u8 for {} {}",
              numbers.size(), name_of(to.dtype()), to.shape().str());
    backend().upload(*runtime_.stream, to, numbers.data());
}

Tensor Context::upload(const Shape& shape, std::span<const float> numbers) const {
    Tensor t = empty(shape);
    assign(t, numbers);
    return t;
}
Tensor Context::upload(const Shape& shape, std::span<const double> numbers) const {
    return upload(shape, numbers, real());
}
Tensor Context::upload(const Shape& shape, std::span<const double> numbers, DType dtype) const {
    Tensor t = empty(shape, dtype);
    assign(t, numbers);
    return t;
}
Tensor Context::upload(const Shape& shape, std::span<const std::int32_t> numbers) const {
    Tensor t = empty(shape, DType::i32);
    assign(t, numbers);
    return t;
}
Tensor Context::upload(const Shape& shape, std::span<const std::uint8_t> numbers) const {
    Tensor t = empty(shape, DType::u8);
    assign(t, numbers);
    return t;
}

std::vector<double> Context::download(const ConstView& from) const {
    const auto read = [&]<class T>(T) {
        std::vector<T> host(static_cast<std::size_t>(from.count()));
        backend().download(*runtime_.stream, from, host.data());
        return std::vector<double>(host.begin(), host.end());
    };
    switch (from.dtype) {
        case DType::f32:
            return read(float{});
        case DType::f64:
            return read(double{});
        case DType::bf16: {
            std::vector<Bf16> host(static_cast<std::size_t>(from.count()));
            backend().download(*runtime_.stream, from, host.data());
            std::vector<double> wide(host.size());
            std::transform(host.begin(), host.end(), wide.begin(), to_f32);
            return wide;
        }
        case DType::u8:
            return read(std::uint8_t{});
        case DType::i32:
            return read(std::int32_t{});
        default:
            break;
    }
    BKD_CHECK(false, "{} cannot be read by the host", name_of(from.dtype));
    return {};
}

std::vector<float> Context::download_f32(const ConstView& from) const {
    if (from.dtype == DType::f32) {
        std::vector<float> host(static_cast<std::size_t>(from.count()));
        backend().download(*runtime_.stream, from, host.data());
        return host;
    }
    const std::vector<double> wide = download(from);
    std::vector<float> narrow(wide.size());
    std::transform(wide.begin(), wide.end(), narrow.begin(), [](double x) { return static_cast<float>(x); });
    return narrow;
}

double Context::item(const ConstView& from) const {
    BKD_CHECK(from.count() == 1, "{} is not a single number", from.shape.str());
    return download(from).front();
}

}
