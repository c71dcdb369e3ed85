#pragma once
// From stored bytes to a batch; nothing here takes a gradient. Formulas: kernels/image.h
#include "engine/context.h"

namespace bkd {

Tensor image_normalize(Context& ctx, const Tensor& x, const Tensor& mean, const Tensor& std);
// x u8 [n, h, w, c] -> u8 [n, height, width, c]
Tensor crop_flip(Context& ctx, const Tensor& x, const Tensor& offset, const Tensor& flip, std::int64_t padding,
                 std::int64_t height, std::int64_t width);
Tensor mixup(Context& ctx, const Tensor& x, const Tensor& partner, const Tensor& mix_lambda);
// labels [n] -> [n, classes]
Tensor mix_targets(Context& ctx, const Tensor& labels, const Tensor& partner, const Tensor& mix_lambda,
                   std::int64_t classes);

}
