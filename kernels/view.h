#pragma once
// View, ConstView: where a tensor's elements lie; they never own. Row-major and contiguous, always: images are NHWC,
// convolution weights K R S C/g. There is no layout concept; a backend that wants another layout keeps it to itself.
// Out: a View that is written with = or added to with +=.
#include "kernels/dtype.h"
#include "kernels/shape.h"

namespace bkd {

struct View {
    void* data = nullptr;
    Shape shape{};
    DType dtype = DType::f32;
    Device device{};

    explicit operator bool() const { return data != nullptr; }  // an empty View is an optional argument left out
    std::int64_t count() const { return shape.count(); }
    std::int64_t bytes() const { return count() * static_cast<std::int64_t>(size_of(dtype)); }
    std::int64_t dim(int i) const { return shape[i]; }
    int rank() const { return shape.rank(); }
    template <class T>
    T* as() const {
        BKD_CHECK(dtype == dtype_of<T>(), "a {} view read as {}", name_of(dtype), name_of(dtype_of<T>()));
        return static_cast<T*>(data);
    }
    View reshaped(const Shape& to) const {
        BKD_CHECK(to.count() == count(), "{} has not the elements of {}", shape.str(), to.str());
        return {data, to, dtype, device};
    }
};

struct ConstView {
    const void* data = nullptr;
    Shape shape{};
    DType dtype = DType::f32;
    Device device{};

    ConstView() = default;
    ConstView(const void* d, const Shape& s, DType t, Device v = {}) : data(d), shape(s), dtype(t), device(v) {}
    ConstView(const View& v) : data(v.data), shape(v.shape), dtype(v.dtype), device(v.device) {}

    explicit operator bool() const { return data != nullptr; }
    std::int64_t count() const { return shape.count(); }
    std::int64_t bytes() const { return count() * static_cast<std::int64_t>(size_of(dtype)); }
    std::int64_t dim(int i) const { return shape[i]; }
    int rank() const { return shape.rank(); }
    template <class T>
    const T* as() const {
        BKD_CHECK(dtype == dtype_of<T>(), "a {} view read as {}", name_of(dtype), name_of(dtype_of<T>()));
        return static_cast<const T*>(data);
    }
    ConstView reshaped(const Shape& to) const {
        BKD_CHECK(to.count() == count(), "{} has not the elements of {}", shape.str(), to.str());
        return {data, to, dtype, device};
    }
};

struct Out {
    View view{};
    bool accumulate = false;  // += instead of =

    Out() = default;
    Out(const View& v, bool add = false) : view(v), accumulate(add) {}
    explicit operator bool() const { return static_cast<bool>(view); }
    Out reshaped(const Shape& to) const { return {view.reshaped(to), accumulate}; }
};

}
