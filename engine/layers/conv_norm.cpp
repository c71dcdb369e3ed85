#include "engine/layers/conv_norm.h"

namespace bkd {

ConvNorm::ConvNorm(Parameters& p, const std::string& conv, const std::string& norm, const ConvOptions& o, After after)
    : conv_(p, conv, o), norm_(p, norm, o.out), after_(after) {}

Tensor ConvNorm::operator()(Context& ctx, const Tensor& x, const Tensor& residual) const {
    BKD_CHECK(after_ == After::relu || !residual, "a layer without ReLU adds no residual");
    if (!weight_) return norm_(ctx, conv_(ctx, x), after_ == After::relu, residual);
    BKD_CHECK(!ctx.training() && ctx.tape() == nullptr, "a folded layer cannot train");
    if (after_ == After::nothing) return conv2d(ctx, x, weight_, bias_, conv_.geometry());
    return conv2d_relu(ctx, x, weight_, bias_, conv_.geometry(), residual);
}

// In f64, so that w' and b' are rounded once.
void ConvNorm::fold(const Context& ctx) {
    const ScaleAndShift norm = norm_.scale_and_shift(ctx);
    const Tensor& w = conv_.weight();
    std::vector<double> folded = ctx.download(w);
    const std::size_t taps = folded.size() / norm.scale.size();
    for (std::size_t i = 0; i < folded.size(); ++i) folded[i] *= norm.scale[i / taps];
    weight_ = ctx.upload(w.shape(), folded, ctx.storage());
    bias_ = ctx.upload({w.dim(0)}, norm.shift);
}

}
