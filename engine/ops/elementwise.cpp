#include "engine/ops/elementwise.h"

#include <array>

namespace bkd {

// y = a + b    da = db = dy
Tensor add(Context& ctx, const Tensor& a, const Tensor& b) {
    Tensor y = ctx.empty_like(a);
    ctx.elementwise().add({.a = a, .b = b, .y = y});
    ctx.record("add", y, {a, b}, [to_a = a.slot(), to_b = b.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        if (Out da = grad.out(to_a)) back.elementwise().scale({.x = dy, .y = da});
        if (Out db = grad.out(to_b)) back.elementwise().scale({.x = dy, .y = db});
    });
    return y;
}

// y = a - b    da = dy    db = -dy
Tensor subtract(Context& ctx, const Tensor& a, const Tensor& b) {
    Tensor y = ctx.empty_like(a);
    ctx.elementwise().subtract({.a = a, .b = b, .y = y});
    ctx.record("subtract", y, {a, b},
               [to_a = a.slot(), to_b = b.slot()](Context& back, const Tensor& dy, Gradients& grad) {
                   if (Out da = grad.out(to_a)) back.elementwise().scale({.x = dy, .y = da});
                   if (Out db = grad.out(to_b)) back.elementwise().scale({.x = dy, .y = db, .factor = -1});
               });
    return y;
}

// y = a b    da = dy b    db = dy a
Tensor multiply(Context& ctx, const Tensor& a, const Tensor& b) {
    Tensor y = ctx.empty_like(a);
    ctx.elementwise().multiply({.a = a, .b = b, .y = y});
    ctx.record("multiply", y, {a, b}, [=](Context& back, const Tensor& dy, Gradients& grad) {
        if (Out da = grad.out(a)) back.elementwise().multiply({.a = dy, .b = b, .y = da});
        if (Out db = grad.out(b)) back.elementwise().multiply({.a = dy, .b = a, .y = db});
    });
    return y;
}

// y = factor x    dx = factor dy
Tensor scale(Context& ctx, const Tensor& x, double factor) {
    Tensor y = ctx.empty_like(x);
    ctx.elementwise().scale({.x = x, .y = y, .factor = factor});
    ctx.record("scale", y, {x}, [factor, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.elementwise().scale({.x = dy, .y = grad.out(to_x), .factor = factor});
    });
    return y;
}

// y[n, ...] = factor[n] x[n, ...]    dx the same of dy
Tensor scale_rows(Context& ctx, const Tensor& x, const Tensor& factor) {
    Tensor y = ctx.empty_like(x);
    ctx.elementwise().scale_rows({.x = x, .factor = factor, .y = y});
    ctx.record("scale_rows", y, {x}, [factor, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.elementwise().scale_rows({.x = dy, .factor = factor, .y = grad.out(to_x)});
    });
    return y;
}

// y[..., c] = x[..., c] + bias[c]    dx = dy    dbias[c] = sum dy[..., c]
Tensor bias_add(Context& ctx, const Tensor& x, const Tensor& bias) {
    Tensor y = ctx.empty_like(x);
    ctx.elementwise().bias_add({.x = x, .bias = bias, .y = y});
    ctx.record("bias_add", y, {x, bias},
               [to_x = x.slot(), to_bias = bias.slot()](Context& back, const Tensor& dy, Gradients& grad) {
                   if (Out dx = grad.out(to_x)) back.elementwise().scale({.x = dy, .y = dx});
                   if (Out db = grad.out(to_bias)) back.reduction().column_sum({.x = dy, .y = db});
               });
    return y;
}

// y = exp(x)    dx = dy y
Tensor exp(Context& ctx, const Tensor& x) {
    Tensor y = ctx.empty_like(x);
    ctx.elementwise().exp({.x = x, .y = y});
    ctx.record("exp", y, {x}, [y, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.elementwise().multiply({.a = dy, .b = y, .y = grad.out(to_x)});
    });
    return y;
}

// y = log(x)    dx = dy / x
Tensor log(Context& ctx, const Tensor& x) {
    Tensor y = ctx.empty_like(x);
    ctx.elementwise().log({.x = x, .y = y});
    ctx.record("log", y, {x}, [=](Context& back, const Tensor& dy, Gradients& grad) {
        back.elementwise().divide({.a = dy, .b = x, .y = grad.out(x)});
    });
    return y;
}

// y = sqrt(x)    dx = dy / (2 y)
Tensor sqrt(Context& ctx, const Tensor& x) {
    Tensor y = ctx.empty_like(x);
    ctx.elementwise().sqrt({.x = x, .y = y});
    ctx.record("sqrt", y, {x}, [y, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        const Tensor twice = back.empty_like(dy);
        back.elementwise().divide({.a = dy, .b = y, .y = twice});
        back.elementwise().scale({.x = twice, .y = grad.out(to_x), .factor = 0.5});
    });
    return y;
}

// y = [x0 x1 ...] along axis    dx_k = its slice of dy
Tensor concat(Context& ctx, std::span<const Tensor> pieces, int axis) {
    constexpr std::size_t most = 16;
    BKD_CHECK(!pieces.empty() && pieces.size() <= most, "{} pieces, 1 to {} can be joined", pieces.size(), most);
    Shape shape = pieces[0].shape();
    for (const Tensor& piece : pieces.subspan(1)) shape.set(axis, shape[axis] + piece.dim(axis));
    Tensor y = ctx.empty(shape, pieces[0].dtype());
    std::int64_t offset = 0;
    for (const Tensor& piece : pieces) {
        ctx.elementwise().slice_scatter({.x = piece, .y = y, .axis = axis, .offset = offset});
        offset += piece.dim(axis);
    }
    struct Piece {
        Slot to;
        std::int64_t extent = 0;
    };
    std::array<Piece, most> joined;
    for (std::size_t i = 0; i < pieces.size(); ++i) joined[i] = {pieces[i].slot(), pieces[i].dim(axis)};
    const auto slots = [&](std::size_t i) { return i < pieces.size() ? pieces[i].slot() : Slot(); };
    ctx.record("concat", y,
               {slots(0), slots(1), slots(2), slots(3), slots(4), slots(5), slots(6), slots(7), slots(8), slots(9),
                slots(10), slots(11), slots(12), slots(13), slots(14), slots(15)},
               [=](Context& back, const Tensor& dy, Gradients& grad) {
                   std::int64_t first = 0;
                   for (const Piece& piece : joined) {
                       if (!piece.to) break;
                       if (Out dx = grad.out(piece.to))
                           back.elementwise().slice_copy({.x = dy, .y = dx, .axis = axis, .offset = first});
                       first += piece.extent;
                   }
               });
    return y;
}

// y = x    dx = dy
Tensor reshape(Context& ctx, const Tensor& x, const Shape& shape) {
    Tensor y = ctx.runtime().tensors.alias(x, shape);
    ctx.record("reshape", y, {x},
               [to_x = x.slot(), from = x.shape()](Context& back, const Tensor& dy, Gradients& grad) {
                   if (grad.pass(to_x, dy, from)) return;
                   const Out dx = grad.out(to_x);
                   back.elementwise().scale({.x = dy, .y = dx.reshaped(dy.shape())});
               });
    return y;
}

}
