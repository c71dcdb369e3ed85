#pragma once
// Batch norm layer: "<name>.weight" (gamma), "<name>.bias" (beta) and the buffers "<name>.running_mean",
// "<name>.running_var".
#include "engine/ops/normalization.h"
#include "engine/parameter.h"

namespace bkd {

// Batch norm by running statistics as y = scale x + shift, per channel.
struct ScaleAndShift {
    std::vector<double> scale, shift;  // [channels] gamma / sqrt(var + eps), beta - mean scale
};

class BatchNorm {
public:
    BatchNorm(Parameters& parameters, const std::string& name, std::int64_t channels);
    // [..., channels]; with ReLU and a residual fused in when asked for
    Tensor operator()(Context& ctx, const Tensor& x, bool relu, const Tensor& residual = {}) const;
    ScaleAndShift scale_and_shift(const Context& ctx) const;  // by the statistics as they are now

private:
    BatchNormParameters arguments() const;

    Parameter &gamma_, &beta_, &running_mean_, &running_var_;
};

}
