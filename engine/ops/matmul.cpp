#include "engine/ops/matmul.h"

namespace bkd {

// y = x w^T + b
Tensor linear(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias) {
    Tensor y = ctx.empty({x.dim(0), w.dim(0)}, x.dtype());
    ctx.matmul().gemm({.a = x, .b = w.operand(x.dtype()), .transpose_b = true, .bias = bias, .out = y});
    ctx.record("linear", y, {x, w, bias}, [=](Context& back, const Tensor& dy, Gradients& grad) {
        if (Out dx = grad.out(x)) back.matmul().gemm({.a = dy, .b = w.operand(dy.dtype()), .out = dx});
        if (Out dw = grad.out(w, back.real())) back.matmul().gemm({.a = dy, .transpose_a = true, .b = x, .out = dw});
        if (Out db = grad.out(bias)) back.reduction().column_sum({.x = dy, .y = db});
    });
    return y;
}

// y = A B with A = op(a), B = op(b):   dA = dy B^T   dB = A^T dy, transposed back where op transposed
Tensor matmul(Context& ctx, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
    Shape shape = a.shape();
    shape.set(-2, a.dim(transpose_a ? -1 : -2));
    shape.set(-1, b.dim(transpose_b ? -2 : -1));
    Tensor y = ctx.empty(shape, a.dtype());
    ctx.matmul().gemm({.a = a, .transpose_a = transpose_a, .b = b, .transpose_b = transpose_b, .out = y});
    ctx.record("matmul", y, {a, b}, [=](Context& back, const Tensor& dy, Gradients& grad) {
        if (Out da = grad.out(a)) {
            if (transpose_a)
                back.matmul().gemm({.a = b, .transpose_a = transpose_b, .b = dy, .transpose_b = true, .out = da});
            else
                back.matmul().gemm({.a = dy, .b = b, .transpose_b = !transpose_b, .out = da});
        }
        if (Out db = grad.out(b)) {
            if (transpose_b)
                back.matmul().gemm({.a = dy, .transpose_a = true, .b = a, .transpose_b = transpose_a, .out = db});
            else
                back.matmul().gemm({.a = a, .transpose_a = !transpose_a, .b = dy, .out = db});
        }
    });
    return y;
}

// y[n,o] = scale x_n . w_o / (|x_n| |w_o|)
Tensor cosine_linear(Context& ctx, const Tensor& x, const Tensor& w, double scale) {
    const Tensor real = ctx.empty({x.dim(0), w.dim(0)});  // for the gradient, which is a difference of its size
    Tensor x_norm = ctx.empty({x.dim(0)}), w_norm = ctx.empty({w.dim(0)});
    ctx.matmul().cosine_linear_forward(
        {.x = x, .w = w.operand(x.dtype()), .y = real, .x_norm = x_norm, .w_norm = w_norm, .scale = scale});
    Tensor y = ctx.cast(real, x.dtype());
    ctx.record("cosine_linear", y, {x, w}, [=](Context& back, const Tensor& dy, Gradients& grad) {
        back.matmul().cosine_linear_backward({.dy = dy,
                                              .y = real,
                                              .x = x,
                                              .w = w.operand(x.dtype()),
                                              .x_norm = x_norm,
                                              .w_norm = w_norm,
                                              .dx = grad.out(x),
                                              .dw = grad.out(w, back.real()),
                                              .scale = scale});
    });
    return y;
}

}
