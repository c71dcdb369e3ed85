// Element by element, and copies of parts, on a device. Contract: kernels/elementwise.h. All of it is bound by memory:
// bytes are each operand once, and the result twice if it is added to.
#include "kernels/elementwise.h"

#include "kernels/cuda/map.cuh"

#include <type_traits>

namespace bkd::kernels::cuda {
namespace {

template <class F>
void map_pairs(Stream& stream, const ConstView& a, const ConstView& b, const Out& y, const F& f) {
    with_storage(a.dtype, [&]<class T>(T) {
        map(stream, a.count(), y.accumulate, f, elements<T>(y), elements<T>(a), elements<T>(b));
    });
}
template <class F>
void map_one(Stream& stream, const ConstView& x, const Out& y, const F& f) {
    with_storage(x.dtype, [&]<class T>(T) { map(stream, x.count(), y.accumulate, f, elements<T>(y), elements<T>(x)); });
}

// Formula   y[index] = x, or NaN where x is finite and `fault` is not 0; fault += 1 where x is not finite
// Shapes    x [1], y [n] f32; index, fault [1] i32
// Mapping   one thread
// Bytes     x, index and fault read, one element of y written: 16, and 4 for a fault
__global__ void __launch_bounds__(warp_size) put_kernel(const float* x, const std::int32_t* index, float* y,
                                                        std::int64_t n, std::int32_t* fault, StreamState* state) {
    if (threadIdx.x != 0 || n == 0) return;
    const bool is_finite = isfinite(x[0]);
    y[checked_index(state, Indexed::index, index[0], n, 0)] =
        is_finite && fault != nullptr && fault[0] != 0 ? nanf("") : x[0];
    if (!is_finite && fault != nullptr) ++fault[0];
}

// Formula   y[n, i] = factor[n or 0] x[n, i] [+ y]         is_bias: y[n, i] = x[n, i] + factor[i]
// Shapes    x, y [n, row] f32 bf16; factor [1], [n] or [row] f32
// Mapping   a thread a vector of a row; one multiplication finds the row
// Bytes     x once; y written, and read if added to; factor from the cache after the first
template <bool is_bias, int width, class T>
__global__ void __launch_bounds__(256) with_rows(const T* x, const float* factor, int factor_step, T* y, Divider row,
                                                 std::int64_t vectors, bool accumulate) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [n, column] = row(static_cast<std::uint32_t>(at));
    Floats<width> values = load_floats<width>(x + at * width);
    if constexpr (is_bias) {
        const Floats<width> bias = load_parameters<width>(factor + std::int64_t{column} * width);
#pragma unroll
        for (int k = 0; k < width; ++k) values.at[k] += bias.at[k];
    } else {
        const float scale = factor[std::int64_t{n} * factor_step];
#pragma unroll
        for (int k = 0; k < width; ++k) values.at[k] *= scale;
    }
    store_floats(y + at * width, values, accumulate);
}

template <bool is_bias>
void launch_with_rows(Stream& stream, const ConstView& x, const ConstView& factor, const Out& y, std::int64_t row) {
    const int step = factor.count() == 1 ? 0 : 1;
    const std::int64_t count = x.count();
    with_storage(x.dtype, [&]<class T>(T) {
        const auto* from = elements<T>(x);
        const auto* by = elements<float>(factor);
        auto* to = elements<T>(y);
        widest<T>(
            row,
            [&]<int width>(Width<width>) {
                launch(stream, with_rows<is_bias, width, T>, blocks_for(count / width, 256), 256, from, by, step, to,
                       Divider(row / width, count / width), count / width, y.accumulate);
            },
            from, to, is_bias ? by : nullptr);
    });
}

// Formula   y = value in y's dtype
// Shapes    y [count] u8 i32 i64 f32 bf16
// Mapping   a thread a vector of 16 bytes, those behind the last whole one an element
// Bytes     y written, nothing read
template <int width, class T>
__global__ void __launch_bounds__(256) fill_kernel(T* y, T value, std::int64_t count) {
    const std::int64_t at = global_thread(), vectors = count / width;
    if (at < vectors) {
        Vec<T, width> values;
#pragma unroll
        for (int k = 0; k < width; ++k) values.at[k] = value;
        store(y + at * width, values);
    } else if (const std::int64_t i = vectors * width + (at - vectors); i < count) {
        y[i] = value;
    }
}

template <class T>
void launch_fill(Stream& stream, T* y, T value, std::int64_t count) {
    constexpr int width = full_width<T>;
    if (are_aligned(16, y))
        launch(stream, fill_kernel<width, T>, blocks_for(count / width + count % width, 256), 256, y, value, count);
    else
        launch(stream, fill_kernel<1, T>, blocks_for(count, 256), 256, y, value, count);
}

// bf16 is rounded once, from the f32 nearest to the number; the same dtype keeps its bits.
template <class To, class From>
__device__ To convert(From x) {
    if constexpr (std::is_same_v<To, From>)
        return x;
    else if constexpr (std::is_same_v<From, Bf16>)
        return convert<To>(to_float(x));
    else if constexpr (std::is_same_v<To, Bf16>)
        return from_float<Bf16>(static_cast<float>(x));
    else
        return static_cast<To>(x);
}

// Formula   y = x in y's dtype
// Shapes    x, y [count], each of u8 i32 i64 f32 bf16
// Mapping   a thread four elements, two where one side is i64: 2 to 16 bytes an access; those behind the last whole
//           vector an element
// Bytes     x once, y written
template <int width, class To, class From>
__global__ void __launch_bounds__(256) cast_kernel(const From* x, To* y, std::int64_t count) {
    const std::int64_t at = global_thread(), vectors = count / width;
    if (at < vectors) {
        const Vec<From, width> from = load<width>(x + at * width);
        Vec<To, width> to;
#pragma unroll
        for (int k = 0; k < width; ++k) to.at[k] = convert<To>(from.at[k]);
        store(y + at * width, to);
    } else if (const std::int64_t i = vectors * width + (at - vectors); i < count) {
        y[i] = convert<To>(x[i]);
    }
}

template <class To, class From>
void launch_cast(Stream& stream, const From* x, To* y, std::int64_t count) {
    constexpr int width = sizeof(To) == 8 || sizeof(From) == 8 ? 2 : 4;
    if (are_aligned(sizeof(From) * width, x) && are_aligned(sizeof(To) * width, y))
        launch(stream, cast_kernel<width, To, From>, blocks_for(count / width + count % width, 256), 256, x, y, count);
    else
        launch(stream, cast_kernel<1, To, From>, blocks_for(count, 256), 256, x, y, count);
}

// f(T{}) for the element types a device holds; f64 lives on `reference` alone.
template <class F>
void with_element(DType dtype, F&& f) {
    switch (dtype) {
        case DType::u8:
            return f(std::uint8_t{});
        case DType::i32:
            return f(std::int32_t{});
        case DType::i64:
            return f(std::int64_t{});
        default:
            return with_storage(dtype, f);
    }
}

// Formula   part[o, j, i] = whole[o, offset + j, i]   (copy)      whole[o, offset + j, i] = part[o, j, i]   (scatter)
// Shapes    whole [outer, axis, inner], part [outer, extent, inner]; every row of extent * inner elements is contiguous
// Mapping   a thread a vector of the part
// Bytes     the part read once and written once, and read in y if added to; the rest of the whole is not touched
template <bool is_scatter, int width, class T>
__global__ void __launch_bounds__(256) slice_kernel(const T* x, T* y, Divider part_row, std::int64_t whole_row,
                                                    std::int64_t start, std::int64_t vectors, bool accumulate) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [outer, within] = part_row(static_cast<std::uint32_t>(at));
    const std::int64_t in_part = at * width, in_whole = outer * whole_row + start + std::int64_t{within} * width;
    store_floats(y + (is_scatter ? in_whole : in_part), load_floats<width>(x + (is_scatter ? in_part : in_whole)),
                 accumulate);
}

template <bool is_scatter>
void launch_slice(Stream& stream, const ConstView& x, const Out& y, const Shape& whole, const Shape& part, int axis,
                  std::int64_t offset) {
    const std::int64_t inner = whole.product(axis + 1, whole.rank());
    const std::int64_t part_row = part[axis] * inner, whole_row = whole[axis] * inner, start = offset * inner;
    const std::int64_t count = part.count();
    with_storage(x.dtype, [&]<class T>(T) {
        const bool rows_fit = whole_row % full_width<T> == 0 && start % full_width<T> == 0;
        widest<T>(
            rows_fit ? part_row : 1,
            [&]<int width>(Width<width>) {
                launch(stream, slice_kernel<is_scatter, width, T>, blocks_for(count / width, 256), 256, elements<T>(x),
                       elements<T>(y), Divider(part_row / width, count / width), whole_row, start, count / width,
                       y.accumulate);
            },
            x.data, y.view.data);
    });
}

struct Plus {
    __device__ float operator()(float a, float b) const { return a + b; }
};
struct Minus {
    __device__ float operator()(float a, float b) const { return a - b; }
};
struct Times {
    __device__ float operator()(float a, float b) const { return a * b; }
};
struct Over {
    __device__ float operator()(float a, float b) const { return a / b; }
};
struct ByFactor {
    float factor;
    __device__ float operator()(float x) const { return factor * x; }
};
struct ExpOf {
    __device__ float operator()(float x) const { return expf(x); }
};
struct LogOf {
    __device__ float operator()(float x) const { return logf(x); }
};
struct SqrtOf {
    __device__ float operator()(float x) const { return sqrtf(x); }
};

}

void Elementwise::add(Stream& stream, const Add& args) const { map_pairs(stream, args.a, args.b, args.y, Plus{}); }
void Elementwise::subtract(Stream& stream, const Subtract& args) const {
    map_pairs(stream, args.a, args.b, args.y, Minus{});
}
void Elementwise::multiply(Stream& stream, const Multiply& args) const {
    map_pairs(stream, args.a, args.b, args.y, Times{});
}
void Elementwise::divide(Stream& stream, const Divide& args) const {
    map_pairs(stream, args.a, args.b, args.y, Over{});
}
void Elementwise::scale(Stream& stream, const Scale& args) const {
    map_one(stream, args.x, args.y, ByFactor{static_cast<float>(args.factor)});
}
void Elementwise::exp(Stream& stream, const Exp& args) const { map_one(stream, args.x, args.y, ExpOf{}); }
void Elementwise::log(Stream& stream, const Log& args) const { map_one(stream, args.x, args.y, LogOf{}); }
void Elementwise::sqrt(Stream& stream, const Sqrt& args) const { map_one(stream, args.x, args.y, SqrtOf{}); }

void Elementwise::scale_rows(Stream& stream, const ScaleRows& args) const {
    launch_with_rows<false>(stream, args.x, args.factor, args.y, args.x.shape.product(1, args.x.rank()));
}
void Elementwise::bias_add(Stream& stream, const BiasAdd& args) const {
    launch_with_rows<true>(stream, args.x, args.bias, args.y, args.x.dim(-1));
}

void Elementwise::fill(Stream& stream, const Fill& args) const {
    with_element(args.y.dtype, [&]<class T>(T) {
        T value;
        if constexpr (std::is_same_v<T, Bf16>)
            value = {__bfloat16_as_ushort(__float2bfloat16_rn(static_cast<float>(args.value)))};
        else
            value = static_cast<T>(args.value);
        launch_fill(stream, elements<T>(args.y), value, args.y.count());
    });
}

void Elementwise::cast(Stream& stream, const Cast& args) const {
    with_element(args.x.dtype, [&]<class From>(From) {
        with_element(args.y.dtype, [&]<class To>(To) {
            launch_cast(stream, elements<From>(args.x), elements<To>(args.y), args.x.count());
        });
    });
}

void Elementwise::slice_copy(Stream& stream, const SliceCopy& args) const {
    launch_slice<false>(stream, args.x, args.y, args.x.shape, args.y.view.shape, args.axis, args.offset);
}
void Elementwise::slice_scatter(Stream& stream, const SliceScatter& args) const {
    launch_slice<true>(stream, args.x, args.y, args.y.view.shape, args.x.shape, args.axis, args.offset);
}
void Elementwise::put(Stream& stream, const Put& args) const {
    launch(stream, put_kernel, 1, warp_size, elements<float>(args.x), elements<std::int32_t>(args.index),
           elements<float>(args.y), args.y.count(), elements<std::int32_t>(args.fault), cuda_stream(stream).state);
}

}
