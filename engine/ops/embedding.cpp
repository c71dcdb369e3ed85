#include "engine/ops/embedding.h"

namespace bkd {

// y[b,l] = w[token]    dw[token] += dy
Tensor embedding(Context& ctx, const Tensor& tokens, const Tensor& w, std::int64_t padding_index) {
    Tensor y = ctx.empty({tokens.dim(0), tokens.dim(1), w.dim(1)}, w.dtype());
    ctx.embedding().embedding_forward({.tokens = tokens, .w = w, .y = y});
    ctx.record("embedding", y, {w}, [=, to_w = w.slot()](Context& back, const Tensor& dy, Gradients& grad) {
        back.embedding().embedding_backward(
            {.tokens = tokens, .dy = dy, .dw = grad.out(to_w), .padding_index = padding_index});
    });
    return y;
}

}
