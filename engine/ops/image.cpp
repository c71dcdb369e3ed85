#include "engine/ops/image.h"

namespace bkd {

// y = (x / 255 - mean) / std
Tensor image_normalize(Context& ctx, const Tensor& x, const Tensor& mean, const Tensor& std) {
    Tensor y = ctx.empty(x.shape(), ctx.storage());
    ctx.image().image_normalize({.x = x, .mean = mean, .std = std, .y = y});
    return y;
}

Tensor crop_flip(Context& ctx, const Tensor& x, const Tensor& offset, const Tensor& flip, std::int64_t padding,
                 std::int64_t height, std::int64_t width) {
    Tensor y = ctx.empty({x.dim(0), height, width, x.dim(3)}, DType::u8);
    ctx.image().crop_flip({.x = x, .offset = offset, .flip = flip, .y = y, .padding = padding});
    return y;
}

// y_n = lambda x_n + (1 - lambda) x_partner[n]
Tensor mixup(Context& ctx, const Tensor& x, const Tensor& partner, const Tensor& mix_lambda) {
    Tensor y = ctx.empty_like(x);
    ctx.image().mixup({.x = x, .partner = partner, .mix_lambda = mix_lambda, .y = y});
    return y;
}

// target_n = lambda e_labels[n] + (1 - lambda) e_labels[partner[n]]
Tensor mix_targets(Context& ctx, const Tensor& labels, const Tensor& partner, const Tensor& mix_lambda,
                   std::int64_t classes) {
    Tensor target = ctx.empty({labels.dim(0), classes});
    ctx.image().mix_targets({.labels = labels, .partner = partner, .mix_lambda = mix_lambda, .target = target});
    return target;
}

}
