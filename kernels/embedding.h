#pragma once
// Rows of a table by token. Bodies: reference/ cpu/ cuda/ embedding   Cases: cases/embedding.cpp
//
//   b texts, l tokens, v rows of d numbers. Tokens must lie in 0..v-1: LogicError otherwise.
//   Same bits    for any number of threads: the gradients of one row are added in the order of the tokens.
#include "kernels/family.h"

namespace bkd::kernels {

// y[b,l] = w[token]
struct EmbeddingForward {
    ConstView tokens;  // [b, l]    i32
    ConstView w;       // [v, d]    f32 bf16
    View y;            // [b, l, d] as w
};
// dw[token] += dy, repeats add up; row padding_index (-1: none) stays 0
struct EmbeddingBackward {
    ConstView tokens;  // [b, l]    i32
    ConstView dy;      // [b, l, d] f32 bf16
    Out dw;            // [v, d]    f32, dense
    std::int64_t padding_index = -1;
};

#define BKD_EMBEDDING_OPS(OP)               \
    OP(embedding_forward, EmbeddingForward) \
    OP(embedding_backward, EmbeddingBackward)
BKD_FAMILY(Embedding, BKD_EMBEDDING_OPS)

}
