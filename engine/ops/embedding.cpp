#include "engine/ops/embedding.h"

namespace bkd {

// y[b,l] = w[token]    dw[token] += dy
Tensor embedding(Context& ctx, const Tensor& tokens, const Tensor& w, std::int64_t padding_index) {
    const ConstView table = w.operand(ctx.storage());
    Tensor y = ctx.empty({tokens.dim(0), tokens.dim(1), w.dim(1)}, table.dtype);
    ctx.embedding().embedding_forward({.tokens = tokens, .w = table, .y = y});
    ctx.record("embedding", y, {w},
               [tokens, padding_index, to_w = w.slot()](Context& back, const Tensor& dy, Gradients& grad) {
                   back.embedding().embedding_backward(
                       {.tokens = tokens, .dy = dy, .dw = grad.out(to_w, back.real()), .padding_index = padding_index});
               });
    return y;
}

}
