#include "engine/ops/reduction.h"

namespace bkd {
namespace {

// y = factor sum x    dx = factor dy, spread over the axes
Tensor scaled_sum(Context& ctx, const char* op, const Tensor& x, kernels::Axes axes, double factor) {
    Tensor y = ctx.empty(kernels::reduced_shape(x.shape(), axes), x.dtype());
    ctx.reduction().sum({.x = x, .y = y, .axes = axes, .factor = factor});
    ctx.record(op, y, {x}, [=, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.reduction().broadcast({.x = dy, .y = grad.out(to_x), .axes = axes, .factor = factor});
    });
    return y;
}

}

Tensor sum(Context& ctx, const Tensor& x, kernels::Axes axes) { return scaled_sum(ctx, "sum", x, axes, 1); }

Tensor mean(Context& ctx, const Tensor& x, kernels::Axes axes) {
    std::int64_t count = 1;
    for (int i = 0; i < x.shape().rank(); ++i) count *= axes.has(i) ? x.dim(i) : 1;
    BKD_CHECK(count > 0, "mean of nothing: x {}", x.shape().str());
    return scaled_sum(ctx, "mean", x, axes, 1 / static_cast<double>(count));
}

}
