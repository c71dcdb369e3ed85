#pragma once
// Convolution layer: the parameter "<name>.weight" and its geometry; no bias.
#include "engine/ops/convolution.h"
#include "engine/parameter.h"

namespace bkd {

// He normal: N(0, 2 / fan), fan = kernel^2 in / groups or kernel^2 out.      He et al. 2015
enum class ConvInit : std::uint8_t { fan_in, fan_out };

struct ConvOptions {
    std::int64_t in = 1, out = 1, kernel = 3, stride = 1, padding = 0, groups = 1;
    ConvInit init = ConvInit::fan_in;
};

class Conv {
public:
    Conv(Parameters& parameters, const std::string& name, const ConvOptions& options);
    Tensor operator()(Context& ctx, const Tensor& x) const;  // [n, h, w, in] -> [n, p, q, out]

    const Tensor& weight() const { return weight_.value; }  // [out, kernel, kernel, in / groups]
    const kernels::ConvolutionGeometry& geometry() const { return geometry_; }

private:
    Parameter& weight_;
    kernels::ConvolutionGeometry geometry_;
};

}
