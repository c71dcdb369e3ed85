#pragma once
// Batch norm layer: "<name>.weight" (gamma), "<name>.bias" (beta) and the buffers "<name>.running_mean",
// "<name>.running_var".
#include "engine/ops/normalization.h"
#include "engine/parameter.h"

namespace bkd {

class BatchNorm {
public:
    BatchNorm(Parameters& parameters, const std::string& name, std::int64_t channels);
    // [..., channels]; with ReLU and a residual fused in when asked for
    Tensor operator()(Context& ctx, const Tensor& x, bool relu, const Tensor& residual = {}) const;

private:
    Parameter &gamma_, &beta_, &running_mean_, &running_var_;
};

}
