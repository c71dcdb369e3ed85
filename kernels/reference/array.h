#pragma once
// How reference/ reads and writes views: x(n, h, w, c) as in the formula.
//
//   In<T>    a view read as numbers of type T (double, if not said); false if left out
//   Result   an output, of which y(i, j) = value writes or adds as its Out says
#include "kernels/bf16.h"
#include "kernels/view.h"

#include <array>
#include <cmath>
#include <vector>

namespace bkd::kernels::reference {

// Row-major position of an index.
class Strides {
public:
    explicit Strides(const Shape& shape) {
        for (int i = 0; i < shape.rank(); ++i) extents_[static_cast<std::size_t>(i)] = shape[i];
    }
    template <class... Index>
    std::int64_t operator()(Index... index) const {
        std::int64_t at = 0;
        std::size_t axis = 0;
        ((at = at * extents_[axis++] + index), ...);
        return at;
    }

private:
    std::array<std::int64_t, Shape::max_rank> extents_{};
};

template <class T = double>
class In {
public:
    explicit In(const ConstView& view) : data_(view ? view.as<T>() : nullptr), at_(view.shape) {}
    explicit operator bool() const { return data_ != nullptr; }
    template <class... Index>
    T operator()(Index... index) const {
        return data_[at_(index...)];
    }

private:
    const T* data_;
    Strides at_;
};

class Result {
public:
    struct Place {
        double& element;
        bool add;
        void operator=(double value) const { element = add ? element + value : value; }
    };
    explicit Result(const Out& out) : out_(out), data_(out ? out.view.as<double>() : nullptr), at_(out.view.shape) {}
    explicit operator bool() const { return data_ != nullptr; }
    template <class... Index>
    Place operator()(Index... index) const {
        return {data_[at_(index...)], out_.accumulate};
    }

private:
    Out out_;
    double* data_;
    Strides at_;
};

// The same elements as [all of them] or as [rows, c], c the innermost extent; a view left out stays left out.
template <class AnyView>
AnyView flat(const AnyView& x) {
    return x ? x.reshaped({x.count()}) : x;
}
inline Out flat(const Out& x) { return {flat(x.view), x.accumulate}; }

template <class AnyView>
AnyView rows(const AnyView& x) {
    return x ? x.reshaped({x.shape.product(0, x.rank() - 1), x.dim(-1)}) : x;
}
inline Out rows(const Out& x) { return {rows(x.view), x.accumulate}; }

// Writes or adds sums that were gathered apart.
inline void write(const Out& out, const std::vector<double>& values) {
    const Result to(flat(out));
    for (std::int64_t i = 0; i < out.view.count(); ++i) to(i) = values[static_cast<std::size_t>(i)];
}

// bf16: the nearest multiple of the unit in the last of 8 places, ties to even.
inline Bf16 to_bf16(double x) {
    if (std::isfinite(x) && x != 0) {
        const double unit = std::ldexp(1.0, std::max(std::ilogb(x), -126) - 7);
        x = std::nearbyint(x / unit) * unit;
    }
    return {static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(x)) >> 16)};
}

}
