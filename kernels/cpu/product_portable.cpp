// Products by plain loops, for machines without oneDNN. A row of c is a sum of rows of b; b is turned first where it is
// stored the other way. The same bits for any number of threads.
#include "kernels/cpu/product.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {
namespace {

// c[j] += sum over `terms` of a[l step] b[l, j]
BKD_SIMD void add_rows(const float* BKD_RESTRICT a, std::int64_t step, const float* BKD_RESTRICT b,
                       float* BKD_RESTRICT c, std::int64_t terms, std::int64_t n) {
    for (std::int64_t l = 0; l < terms; ++l)
        for (std::int64_t j = 0; j < n; ++j) c[j] += a[l * step] * b[l * n + j];
}

BKD_SIMD void add_row(const float* BKD_RESTRICT from, float* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

// to [columns, rows] = from [rows, columns] turned
void transpose(const float* from, float* to, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
}

}

void multiply_large(CpuStream& stream, const Product& p) {
    const std::int64_t numbers_of_b = p.transpose_b ? p.k * p.n : 0;
    constexpr std::int64_t row_tile = 4, terms = 256;  // sums of a part of k before they are added: f32 loses less
    const std::int64_t tiles = tile_count(p.m, row_tile);
    const Scratch scratch(stream, static_cast<std::size_t>(numbers_of_b + tiles * p.n) * sizeof(float));
    float *turned = scratch.as<float>(), *parts = turned + numbers_of_b;
    if (p.transpose_b) transpose(p.b, turned, p.n, p.k);
    const float* b = p.transpose_b ? turned : p.b;
    const std::int64_t row = p.transpose_a ? 1 : p.k, step = p.transpose_a ? p.m : 1;
    parallel_for(stream, p.m, row_tile, p.m * p.n * p.k, [&](std::int64_t first, std::int64_t last, std::int64_t tile) {
        float* part = parts + tile * p.n;
        for (std::int64_t i = first; i < last; ++i) {
            float* c = p.c + i * p.n;
            if (!p.accumulate) std::fill_n(c, p.n, 0.0f);
            for (std::int64_t l = 0; l < p.k; l += terms) {
                std::fill_n(part, p.n, 0.0f);
                add_rows(p.a + i * row + l * step, step, b + l * p.n, part, std::min(terms, p.k - l), p.n);
                add_row(part, c, p.n);
            }
        }
    });
}

}
