#pragma once
// The tensor-core fragments of the toolkit's mma.h that kernels/cuda uses, for the executor: products of a warp's tiles
// in f32. A lane has one row of a left operand and of the sums, and all of a right operand, so that each row is
// computed twice, not 32 times. What lies where in a fragment is the toolkit's secret, and no kernel may look.
#include "kernels/cuda/host/simt.h"

#include <cuda_bf16.h>

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };
namespace precision {
struct tf32 {};
}

// 10 bits of mantissa are left; to the nearest, ties away from 0.
inline float __float_to_tf32(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7F800000) == 0x7F800000) return x;
    bits = (bits + 0x1000) & ~0x1FFFu;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

template <class Number>
struct Stored {
    using Type = Number;
};
template <>
struct Stored<precision::tf32> {
    using Type = float;
};
inline float widened(__nv_bfloat16 x) { return __uint_as_float(std::uint32_t{x.bits} << 16); }
inline float widened(float x) { return x; }

template <class Use, int m, int n, int k, class Number, class Layout = void>
struct fragment;
template <int m, int n, int k, class Number, class Layout>
struct fragment<matrix_a, m, n, k, Number, Layout> {
    float row[k];
};
template <int m, int n, int k, class Number, class Layout>
struct fragment<matrix_b, m, n, k, Number, Layout> {
    float rows[k][n];
};
template <int m, int n, int k>
struct fragment<accumulator, m, n, k, float> {
    float row[n];
};

inline int row_of_lane(int rows) { return static_cast<int>(simt::here.thread.x % 32) % rows; }
inline void check_address(const void* from, std::size_t row_bytes) {
    if (reinterpret_cast<std::uintptr_t>(from) % 32 != 0 || row_bytes % 16 != 0)
        throw std::logic_error("a fragment's address is no multiple of 32 bytes, or its rows of 16");
}

template <int m, int n, int k>
void fill_fragment(fragment<accumulator, m, n, k, float>& to, float value) {
    for (float& x : to.row) x = value;
}
// The number in row i and column j of a matrix.
template <class Layout, class T>
float at(const T* from, unsigned stride, int i, int j) {
    const bool by_rows = std::is_same_v<Layout, row_major>;
    return widened(from[static_cast<unsigned>(by_rows ? i : j) * stride + static_cast<unsigned>(by_rows ? j : i)]);
}
template <int m, int n, int k, class Number, class Layout>
void load_matrix_sync(fragment<matrix_a, m, n, k, Number, Layout>& to, const typename Stored<Number>::Type* from,
                      unsigned stride) {
    check_address(from, stride * sizeof *from);
    simt::exchange(0xFFFFFFFF, 0, 0);
    for (int i = 0; i < k; ++i) to.row[i] = at<Layout>(from, stride, row_of_lane(m), i);
}
template <int m, int n, int k, class Number, class Layout>
void load_matrix_sync(fragment<matrix_b, m, n, k, Number, Layout>& to, const typename Stored<Number>::Type* from,
                      unsigned stride) {
    check_address(from, stride * sizeof *from);
    simt::exchange(0xFFFFFFFF, 0, 0);
    for (int i = 0; i < k; ++i)
        for (int j = 0; j < n; ++j) to.rows[i][j] = at<Layout>(from, stride, i, j);
}
template <int m, int n, int k, class Number, class LayoutA, class LayoutB>
void mma_sync(fragment<accumulator, m, n, k, float>& d, const fragment<matrix_a, m, n, k, Number, LayoutA>& a,
              const fragment<matrix_b, m, n, k, Number, LayoutB>& b, const fragment<accumulator, m, n, k, float>& c) {
    simt::exchange(0xFFFFFFFF, 0, 0);
    d = c;
    for (int i = 0; i < k; ++i)
        for (int j = 0; j < n; ++j) d.row[j] += a.row[i] * b.rows[i][j];
}
template <int m, int n, int k>
void store_matrix_sync(float* to, const fragment<accumulator, m, n, k, float>& from, unsigned stride, layout_t) {
    check_address(to, stride * sizeof *to);
    simt::exchange(0xFFFFFFFF, 0, 0);
    if (simt::here.thread.x % 32 >= m) return;  // another lane has the same row
    for (int j = 0; j < n; ++j) to[static_cast<unsigned>(row_of_lane(m)) * stride + j] = from.row[j];
}

}
