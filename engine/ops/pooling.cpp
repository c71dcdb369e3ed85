#include "engine/ops/pooling.h"

namespace bkd {

// y = max over the window; the gradient goes to the first maximum
Tensor max_pool(Context& ctx, const Tensor& x, const kernels::Window& window) {
    Tensor y = ctx.empty(kernels::pooling_shape(x.shape(), window), x.dtype());
    Tensor index = ctx.empty(y.shape(), DType::i32);
    ctx.pooling().max_pool_forward({.x = x, .y = y, .index = index, .window = window});
    ctx.record("max_pool", y, {x}, [=, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.pooling().max_pool_backward({.dy = dy, .index = index, .dx = grad.out(to_x), .window = window});
    });
    return y;
}

// y = mean over the window
Tensor avg_pool(Context& ctx, const Tensor& x, const kernels::Window& window, bool count_include_pad) {
    Tensor y = ctx.empty(kernels::pooling_shape(x.shape(), window), x.dtype());
    ctx.pooling().avg_pool_forward({.x = x, .y = y, .window = window, .count_include_pad = count_include_pad});
    ctx.record("avg_pool", y, {x}, [=, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.pooling().avg_pool_backward(
            {.dy = dy, .dx = grad.out(to_x), .window = window, .count_include_pad = count_include_pad});
    });
    return y;
}

// y[n,c] = mean over h, w
Tensor global_avg_pool(Context& ctx, const Tensor& x) {
    Tensor y = ctx.empty({x.dim(0), x.dim(3)}, x.dtype());
    ctx.pooling().global_avg_pool_forward({.x = x, .y = y});
    ctx.record("global_avg_pool", y, {x}, [to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.pooling().global_avg_pool_backward({.dy = dy, .dx = grad.out(to_x)});
    });
    return y;
}

// y[n,i,j,lo+c] = x[n, i stride, j stride, c], zeros before and after
Tensor shortcut_a(Context& ctx, const Tensor& x, std::int64_t stride, std::int64_t out_channels) {
    const auto strided = [&](std::int64_t extent) { return (extent + stride - 1) / stride; };
    Tensor y = ctx.empty({x.dim(0), strided(x.dim(1)), strided(x.dim(2)), out_channels}, x.dtype());
    ctx.pooling().shortcut_a_forward({.x = x, .y = y, .stride = stride});
    ctx.record("shortcut_a", y, {x}, [stride, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.pooling().shortcut_a_backward({.dy = dy, .dx = grad.out(to_x), .stride = stride});
    });
    return y;
}

}
