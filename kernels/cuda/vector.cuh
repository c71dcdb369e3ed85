#pragma once
// Numbers as they are stored, and vectors of them: 16 bytes a thread and access.
//
//   Bf16        kernels/dtype.h; arithmetic is always done on the widened number
//   Vec<T, n>   n numbers in one access; its address must be a multiple of its size
//
// A kernel comes in two forms: of `full_width<T>` numbers a thread where every pointer and every row allows it, of one
// number where not. `widest` says which; both are in the table of cases, whose tensors start at odd addresses too.
#include "kernels/dtype.h"

#include <cuda_bf16.h>

namespace bkd::kernels::cuda {

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(Bf16 x) { return __uint_as_float(std::uint32_t{x.bits} << 16); }

__device__ inline float to_float(std::uint8_t x) { return static_cast<float>(x); }

// Rounds to the nearest, ties to even.
template <class T>
__device__ T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
    return x;
}
template <>
__device__ inline Bf16 from_float<Bf16>(float x) {
    return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
}

template <class T, int n>
struct alignas(sizeof(T) * n) Vec {
    T at[n];
};

template <int n, class T>
__device__ Vec<T, n> load(const T* from) {
    return *reinterpret_cast<const Vec<T, n>*>(from);
}
template <int n, class T>
__device__ void store(T* to, const Vec<T, n>& values) {
    *reinterpret_cast<Vec<T, n>*>(to) = values;
}

// The same as f32, whatever the storage.
template <int n>
struct Floats {
    float at[n];
};
template <int n, class T>
__device__ Floats<n> load_floats(const T* from) {
    const Vec<T, n> stored = load<n>(from);
    Floats<n> values;
#pragma unroll
    for (int k = 0; k < n; ++k) values.at[k] = to_float(stored.at[k]);
    return values;
}
// f32 parameters and i32 indices beside bf16 data: 8 of them are two accesses.
template <int n, class T>
__device__ Vec<T, n> load_beside(const T* from) {
    static_assert(sizeof(T) == 4);
    constexpr int step = n < 4 ? n : 4;
    Vec<T, n> values;
#pragma unroll
    for (int k = 0; k < n; k += step) {
        const Vec<T, step> part = load<step>(from + k);
#pragma unroll
        for (int j = 0; j < step; ++j) values.at[k + j] = part.at[j];
    }
    return values;
}
template <int n>
__device__ Floats<n> load_parameters(const float* from) {
    const Vec<float, n> stored = load_beside<n>(from);
    Floats<n> values;
#pragma unroll
    for (int k = 0; k < n; ++k) values.at[k] = stored.at[k];
    return values;
}
template <int n, class T>
__device__ void store_beside(T* to, const Vec<T, n>& values) {
    static_assert(sizeof(T) == 4);
    constexpr int step = n < 4 ? n : 4;
#pragma unroll
    for (int k = 0; k < n; k += step) {
        Vec<T, step> part;
#pragma unroll
        for (int j = 0; j < step; ++j) part.at[j] = values.at[k + j];
        store(to + k, part);
    }
}
// The same by `access` elements at a time. Sums take it: how rows are shared out, and so every bit, depends on n alone,
// and an address that allows no vector costs more accesses.
template <int n, int access, class T>
__device__ Floats<n> load_floats_by(const T* from) {
    Floats<n> values;
#pragma unroll
    for (int k = 0; k < n; k += access) {
        const Floats<access> part = load_floats<access>(from + k);
#pragma unroll
        for (int j = 0; j < access; ++j) values.at[k + j] = part.at[j];
    }
    return values;
}
// *to = values, or += values
template <int n, class T>
__device__ void store_floats(T* to, const Floats<n>& values, bool accumulate = false) {
    Vec<T, n> stored;
    if (accumulate) {
        stored = load<n>(to);
#pragma unroll
        for (int k = 0; k < n; ++k) stored.at[k] = from_float<T>(to_float(stored.at[k]) + values.at[k]);
    } else {
#pragma unroll
        for (int k = 0; k < n; ++k) stored.at[k] = from_float<T>(values.at[k]);
    }
    store(to, stored);
}

template <class T>
constexpr int full_width = 16 / sizeof(T);

}
