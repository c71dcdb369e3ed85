#include "engine/layers/batch_norm.h"

namespace bkd {

BatchNorm::BatchNorm(Parameters& p, const std::string& name, std::int64_t channels)
    : gamma_(p.add({.name = name + ".weight", .shape = {channels}, .init = Init::constant(1)})),
      beta_(p.add({.name = name + ".bias", .shape = {channels}})),
      running_mean_(p.add({.name = name + ".running_mean", .shape = {channels}, .is_buffer = true})),
      running_var_(
          p.add({.name = name + ".running_var", .shape = {channels}, .init = Init::constant(1), .is_buffer = true})) {}

Tensor BatchNorm::operator()(Context& ctx, const Tensor& x, bool relu, const Tensor& residual) const {
    return batch_norm(ctx, x,
                      {.gamma = gamma_.value,
                       .beta = beta_.value,
                       .running_mean = running_mean_.value,
                       .running_var = running_var_.value,
                       .batch_statistics = running_mean_.batch_statistics,
                       .moves_running = !running_mean_.frozen},
                      relu, residual);
}

}
