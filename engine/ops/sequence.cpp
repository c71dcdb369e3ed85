#include "engine/ops/sequence.h"

namespace bkd {

// y[b,k] = max_l x[b,l,k]; the gradient goes to the first maximum
Tensor max_over_time(Context& ctx, const Tensor& x) {
    Tensor y = ctx.empty({x.dim(0), x.dim(2)}, x.dtype());
    Tensor index = ctx.empty(y.shape(), DType::i32);
    ctx.sequence().max_over_time_forward({.x = x, .y = y, .index = index});
    ctx.record("max_over_time", y, {x}, [index, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.sequence().max_over_time_backward({.dy = dy, .index = index, .dx = grad.out(to_x)});
    });
    return y;
}

}
