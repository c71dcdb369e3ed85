#include "engine/ops/random.h"

namespace bkd {

// y = x mask / (1 - p)    dx = dy mask / (1 - p)
Tensor dropout(Context& ctx, const Tensor& x, const Tensor& mask, double p) {
    Tensor y = ctx.empty_like(x);
    ctx.random().dropout({.x = x, .mask = mask, .y = y, .p = p});
    ctx.record("dropout", y, {x}, [=, to_x = x.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.random().dropout({.x = dy, .mask = mask, .y = grad.out(to_x), .p = p});
    });
    return y;
}

Tensor dropout(Context& ctx, const Tensor& x, double p, std::string_view name) {
    if (!ctx.training() || p == 0) return x;
    const PhiloxKey base = ctx.randomness.key;
    Tensor mask = ctx.empty(x.shape(), DType::u8);
    ctx.random().random_mask({.y = mask,
                              .position = ctx.randomness.position,
                              .key = philox_key(std::uint64_t{base[1]} << 32 | base[0], name),
                              .keep_probability = 1 - p});
    return dropout(ctx, x, mask, p);
}

}
