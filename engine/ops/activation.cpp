#include "engine/ops/activation.h"

namespace bkd {

// y = max(x, 0)    dx = dy [y > 0]
Tensor relu(Context& ctx, const Tensor& x) {
    Tensor y = ctx.empty_like(x);
    ctx.activation().relu_forward({.x = x, .y = y});
    ctx.record("relu", y, {x}, [y, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.activation().relu_backward({.dy = dy, .y = y, .dx = grad.out(to_x)});
    });
    return y;
}

// y = max(a + b, 0)    da = db = dy [y > 0]
Tensor add_relu(Context& ctx, const Tensor& a, const Tensor& b) {
    Tensor y = ctx.empty_like(a);
    ctx.activation().add_relu_forward({.a = a, .b = b, .y = y});
    ctx.record("add_relu", y, {a, b},
               [y, to_a = a.slot(), to_b = b.slot()](Context& back, const Tensor& dy, Gradients& grad) {
                   back.activation().add_relu_backward({.dy = dy, .y = y, .da = grad.out(to_a), .db = grad.out(to_b)});
               });
    return y;
}

// y = softmax(x / T)    dx = y (dy - sum dy y) / T: of the real y, for a bf16 one loses what is left of the difference
Tensor softmax(Context& ctx, const Tensor& x, double temperature) {
    const Tensor real = ctx.empty(x.shape());
    ctx.activation().softmax_forward({.x = x, .y = real, .temperature = temperature});
    Tensor y = ctx.cast(real, x.dtype());
    ctx.record("softmax", y, {x}, [=, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.activation().softmax_backward({.dy = dy, .y = real, .dx = grad.out(to_x), .temperature = temperature});
    });
    return y;
}

// y = x / T - log sum exp(x / T)    dx = (dy - exp(y) sum dy) / T
Tensor log_softmax(Context& ctx, const Tensor& x, double temperature) {
    const Tensor real = ctx.empty(x.shape());
    ctx.activation().log_softmax_forward({.x = x, .y = real, .temperature = temperature});
    Tensor y = ctx.cast(real, x.dtype());
    ctx.record("log_softmax", y, {x}, [=, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.activation().log_softmax_backward({.dy = dy, .y = real, .dx = grad.out(to_x), .temperature = temperature});
    });
    return y;
}

}
