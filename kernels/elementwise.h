#pragma once
// Element by element, and copies of parts. Bodies: reference/ cpu/ cuda/ elementwise   Cases: cases/elementwise.cpp
//
//   Many are each other's gradients: that of add is scale by 1, of multiply multiply, of slice_copy slice_scatter.
//   Precision    one rounding an operation.     Aliasing  the output may be an input of its own shape and dtype.
//   Any extent may be 0.
#include "kernels/family.h"

namespace bkd::kernels {

struct Add {         // y = a + b
    ConstView a, b;  // equal shapes, f32 bf16
    Out y;           // as a
};
struct Subtract {  // y = a - b
    ConstView a, b;
    Out y;
};
struct Multiply {  // y = a b
    ConstView a, b;
    Out y;
};
struct Divide {  // y = a / b
    ConstView a, b;
    Out y;
};
struct Scale {    // y = factor x
    ConstView x;  // any shape, f32 bf16
    Out y;        // as x
    double factor = 1;
};
struct ScaleRows {     // y[n, ...] = factor[n or 0] x[n, ...]
    ConstView x;       // [n, ...]   f32 bf16
    ConstView factor;  // [1] or [n] f32
    Out y;             // as x
};
struct BiasAdd {     // y[..., c] = x[..., c] + bias[c]
    ConstView x;     // [..., c] f32 bf16
    ConstView bias;  // [c]      f32
    View y;          // as x
};
struct Exp {  // y = exp(x)
    ConstView x;
    View y;
};
struct Log {  // y = log(x), natural
    ConstView x;
    View y;
};
struct Sqrt {  // y = sqrt(x)
    ConstView x;
    View y;
};
struct Fill {  // y = value
    static constexpr bool takes_any_dtype = true;
    View y;
    double value = 0;
};
struct Cast {  // y = x in y's dtype; to bf16 by rounding to nearest even
    static constexpr bool takes_any_dtype = true;
    ConstView x;
    View y;  // shape of x
};
// y = x[..., offset : offset + y.dim(axis), ...] along `axis`
struct SliceCopy {
    ConstView x;  // f32 bf16
    Out y;        // as x but along axis
    int axis = 0;
    std::int64_t offset = 0;
};
// y[..., offset : offset + x.dim(axis), ...] = x along `axis`; the rest of y stays as it is
struct SliceScatter {
    static constexpr bool keeps_rest = true;
    ConstView x;  // f32 bf16
    Out y;        // as x but along axis
    int axis = 0;
    std::int64_t offset = 0;
};
// y[index] = x, or NaN where x is finite and `fault` is not 0; the rest of y stays as it is. Then fault += 1 where x is
// not finite. LogicError for an index outside y, found by the body
struct Put {
    ConstView x;      // [1] f32
    ConstView index;  // [1] i32, in 0..n - 1
    View y;           // [n] f32
    View fault{};     // [1] i32; empty: 0, and nothing is counted
};

#define BKD_ELEMENTWISE_OPS(OP)     \
    OP(add, Add)                    \
    OP(subtract, Subtract)          \
    OP(multiply, Multiply)          \
    OP(divide, Divide)              \
    OP(scale, Scale)                \
    OP(scale_rows, ScaleRows)       \
    OP(bias_add, BiasAdd)           \
    OP(exp, Exp)                    \
    OP(log, Log)                    \
    OP(sqrt, Sqrt)                  \
    OP(fill, Fill)                  \
    OP(cast, Cast)                  \
    OP(slice_copy, SliceCopy)       \
    OP(slice_scatter, SliceScatter) \
    OP(put, Put)
BKD_FAMILY(Elementwise, BKD_ELEMENTWISE_OPS)

}
