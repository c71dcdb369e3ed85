#pragma once
// Texts as sequences. Formulas: kernels/sequence.h
#include "engine/context.h"

namespace bkd {

// x [b, l, k] -> y [b, k]
Tensor max_over_time(Context& ctx, const Tensor& x);

}
