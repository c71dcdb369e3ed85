#include "engine/optimizer/sgd.h"

namespace bkd {

Sgd::Sgd(const Context& ctx, Parameters& parameters, const SgdOptions& options)
    : parameters_(parameters), options_(options), groups_(parameters.groups(options.weight_decay)) {
    if (options.momentum != 0) velocity_ = ctx.full(parameters.values().shape(), 0);
}

void Sgd::step(const Context& ctx, const Tensor& learning_rate, const Tensor& fault) {
    ctx.optimizer().sgd_step({.grad = parameters_.gradients(),
                              .param = parameters_.values(),
                              .velocity = velocity_,
                              .copy = parameters_.copies(),
                              .learning_rate = learning_rate,
                              .fault = fault,
                              .groups = groups_,
                              .momentum = options_.momentum,
                              .nesterov = options_.nesterov});
}

}
