#include "engine/context.h"

#include <algorithm>

namespace bkd {

Tensor Context::full(const Shape& shape, double value) const {
    Tensor y = empty(shape);
    elementwise().fill({.y = y, .value = value});
    return y;
}

template <class T>
void Context::assign_reals(const Tensor& to, std::span<const T> numbers) const {
    BKD_CHECK(to.count() == static_cast<std::int64_t>(numbers.size()), "{} numbers for {}", numbers.size(),
              to.shape().str());
    if (to.dtype() == dtype_of<T>()) return backend().upload(*runtime_.stream, to, numbers.data());
    if (to.dtype() == DType::f64) {
        const std::vector<double> wide(numbers.begin(), numbers.end());
        return backend().upload(*runtime_.stream, to, wide.data());
    }
    BKD_CHECK(to.dtype() == DType::f32, "{} from host numbers", name_of(to.dtype()));
    std::vector<float> narrow(numbers.size());
    std::transform(numbers.begin(), numbers.end(), narrow.begin(), [](T x) { return static_cast<float>(x); });
    backend().upload(*runtime_.stream, to, narrow.data());
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
    Tensor t = empty(shape);
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
