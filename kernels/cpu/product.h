#pragma once
// The product that everything of matmul.cpp is made of. Bodies: product.cpp (oneDNN), product_portable.cpp (our own loops);
// BKD_CPU_BACKEND says which of them is built.
#include "kernels/cpu/stream.h"

namespace bkd::kernels::cpu {

// One product c [m, n] = op(a) op(b), or c + it. Rows of a and b are as long as the matrices are stored.
struct Product {
    const float* a;
    bool transpose_a;
    const float* b;
    bool transpose_b;
    float* c;
    std::int64_t m, n, k;
    bool accumulate;
};

// m, n and k are at least 1.
void multiply_large(CpuStream& stream, const Product& product);

}
