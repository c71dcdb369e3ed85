#pragma once
// Pooling and the parameter-free shortcut with their gradients. Formulas: kernels/pooling.h
#include "engine/context.h"

namespace bkd {

// x [n, h, w, c] -> y [n, p, q, c]
Tensor max_pool(Context& ctx, const Tensor& x, const kernels::Window& window);
Tensor avg_pool(Context& ctx, const Tensor& x, const kernels::Window& window, bool count_include_pad);
// x [n, h, w, c] -> y [n, c]
Tensor global_avg_pool(Context& ctx, const Tensor& x);
// x [n, h, w, c] -> y [n, ceil(h / stride), ceil(w / stride), out_channels]
Tensor shortcut_a(Context& ctx, const Tensor& x, std::int64_t stride, std::int64_t out_channels);

}
