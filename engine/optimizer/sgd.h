#pragma once
// Stochastic gradient descent in PyTorch's convention (kernels/optimizer.h has the formula): one launch for all
// parameters.
#include "engine/parameter.h"

namespace bkd {

struct SgdOptions {
    double momentum = 0.9;
    bool nesterov = false;
    double weight_decay = 0;
};

class Sgd {
public:
    // The velocity starts at zero. Frozen parameters have no group: call again after Parameters::regroup().
    Sgd(const Context& ctx, Parameters& parameters, const SgdOptions& options);
    // Moves the parameters along their gradients, unless `fault`, [1] i32, is there and not 0. learning_rate is memory,
    // [1], so that a captured step sees its changes.
    void step(const Context& ctx, const Tensor& learning_rate, const Tensor& fault = {});
    const Tensor& velocity() const { return velocity_; }  // [n] beside Parameters::values(); empty without momentum

private:
    Parameters& parameters_;
    SgdOptions options_;
    std::vector<kernels::ParameterGroup> groups_;
    Tensor velocity_;
};

}
