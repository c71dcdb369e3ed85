#include "engine/layers/batch_norm.h"

#include <cmath>

namespace bkd {

BatchNorm::BatchNorm(Parameters& p, const std::string& name, std::int64_t channels)
    : gamma_(p.add({.name = name + ".weight", .shape = {channels}, .init = Init::constant(1)})),
      beta_(p.add({.name = name + ".bias", .shape = {channels}})),
      running_mean_(p.add({.name = name + ".running_mean", .shape = {channels}, .is_buffer = true})),
      running_var_(
          p.add({.name = name + ".running_var", .shape = {channels}, .init = Init::constant(1), .is_buffer = true})) {}

BatchNormParameters BatchNorm::arguments() const {
    return {.gamma = gamma_.value,
            .beta = beta_.value,
            .running_mean = running_mean_.value,
            .running_var = running_var_.value,
            .batch_statistics = running_mean_.batch_statistics,
            .moves_running = !running_mean_.frozen};
}

Tensor BatchNorm::operator()(Context& ctx, const Tensor& x, bool relu, const Tensor& residual) const {
    return batch_norm(ctx, x, arguments(), relu, residual);
}

ScaleAndShift BatchNorm::scale_and_shift(const Context& ctx) const {
    const BatchNormParameters p = arguments();
    ScaleAndShift of{ctx.download(p.gamma), ctx.download(p.beta)};
    const std::vector<double> mean = ctx.download(p.running_mean), var = ctx.download(p.running_var);
    for (std::size_t c = 0; c < of.scale.size(); ++c) {
        of.scale[c] /= std::sqrt(var[c] + p.eps);
        of.shift[c] -= mean[c] * of.scale[c];
    }
    return of;
}

}
