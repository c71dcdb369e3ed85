#pragma once
// Bound: how far an output may lie from the truth, by a model of rounding, not by feel. With u = 2^-24, S the sum of
// the absolute values of the terms behind an element (the truth of the same op on the absolute values of its inputs)
// and M the largest magnitude of the tensor, an element passes if
//
//   |got - want| <= u (terms S + rounding |want| + largest M) + absolute + 4 * 2^-126
//
// bf16 outputs add 2^-8 |want|. All zero means equal. Beside it, from 64 elements on, the sum of
// squared errors may be at most `nmse` of the sum of squares: many small errors pass one by one, but not this.
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace bkd::kernels {

struct Bound {
    double terms = 0, rounding = 0, largest = 0, absolute = 0;
    double nmse = 1e-12;
    bool is_exact() const { return terms == 0 && rounding == 0 && largest == 0 && absolute == 0; }
};

// Copies: nothing is computed.
inline Bound exact() { return {}; }
// k operations one after another, each rounded once; a factor 2 for constants that are rounded on the way in.
inline Bound rounded(double k) { return {.rounding = 2 * k}; }
// An element summed from k products in any order, even one after another: random errors grow as sqrt(k).
inline Bound products(std::int64_t k) {
    const double growth = 4 + std::sqrt(static_cast<double>(k));
    return {.terms = growth, .rounding = 2, .nmse = std::max(1e-12, std::pow(0x1p-24 * growth / 2, 2))};
}
// The same where all products have one sign, so that errors may all have, too.
inline Bound products_of_one_sign(std::int64_t k) {
    Bound bound = products(k);
    bound.terms = 4 + static_cast<double>(k);
    return bound;
}
// A sum of k numbers in tiles or pairs; adding one after another exceeds it on purpose once k is large.
inline Bound tiled_sum(std::int64_t k) {
    const double n = static_cast<double>(k < 1 ? 1 : k);
    return {.terms = 4 + std::log2(n), .rounding = 2};
}
// k roundings at the size of the tensor's largest element: where an element is a difference of numbers of that size.
inline Bound of_largest(double k) { return {.rounding = 4, .largest = k}; }

}
