#pragma once
// Sums over axes and their opposite. Bodies: reference/ cpu/ cuda/ reduction   Cases: cases/reduction.cpp
//
//   Precision    sums in f32, over fixed tiles added in a fixed order: the same bits for any number of threads.
//   Aliasing     none. Any extent may be 0: an empty sum is 0.
#include "kernels/family.h"

namespace bkd::kernels {

// A set of axes, one bit each.
struct Axes {
    std::uint8_t bits = 0;
    bool has(int axis) const { return (bits >> axis & 1) != 0; }
    static Axes of(std::initializer_list<int> axes) {
        Axes set;
        for (const int axis : axes) set.bits = static_cast<std::uint8_t>(set.bits | 1 << axis);
        return set;
    }
};

// Shape of x without `axes`.
Shape reduced_shape(const Shape& x, Axes axes);

// y = factor sum of x over axes, which vanish from the shape
struct Sum {
    ConstView x;  // f32 bf16
    Out y;        // reduced_shape(x, axes), as x
    Axes axes;
    double factor = 1;
};
// y[i] = factor x[i without axes]: the gradient of sum
struct Broadcast {
    ConstView x;  // reduced_shape(y, axes), f32 bf16
    Out y;        // as x
    Axes axes;
    double factor = 1;
};
// y[c] = sum of x[..., c] over all other axes: the gradient of a bias
struct ColumnSum {
    ConstView x;  // [..., c] f32 bf16
    Out y;        // [c]      f32
};
// count[0] = how many values of x are NaN or infinite; what is added to may stop anywhere from 2^30 on
struct CountNonfinite {
    ConstView x;  // f32 bf16, at most 2^30 values
    Out count;    // [1] i32
};

#define BKD_REDUCTION_OPS(OP) \
    OP(sum, Sum)              \
    OP(broadcast, Broadcast)  \
    OP(column_sum, ColumnSum) \
    OP(count_nonfinite, CountNonfinite)
BKD_FAMILY(Reduction, BKD_REDUCTION_OPS)

}
