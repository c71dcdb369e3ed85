#pragma once
// Rows of a table by token, with the dense gradient. Formulas: kernels/embedding.h
#include "engine/context.h"

namespace bkd {

// tokens [b, l] i32, w [v, d] -> y [b, l, d]; row padding_index (-1: none) takes no gradient
Tensor embedding(Context& ctx, const Tensor& tokens, const Tensor& w, std::int64_t padding_index = -1);

}
