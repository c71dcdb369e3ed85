#pragma once
// Convolution layer: the parameter "<name>.weight" and its geometry; no bias.
#include "engine/ops/convolution.h"
#include "engine/parameter.h"

namespace bkd {

struct ConvOptions {
    std::int64_t in = 1, out = 1, kernel = 3, stride = 1, padding = 0, groups = 1;
};

class Conv {
public:
    // He normal by fan-in: N(0, 2 / (kernel^2 in / groups)).      He et al. 2015
    Conv(Parameters& parameters, const std::string& name, const ConvOptions& options);
    Tensor operator()(Context& ctx, const Tensor& x) const;  // [n, h, w, in] -> [n, p, q, out]

    const Tensor& weight() const { return weight_.value; }  // [out, kernel, kernel, in / groups]
    const kernels::ConvolutionGeometry& geometry() const { return geometry_; }

private:
    Parameter& weight_;
    kernels::ConvolutionGeometry geometry_;
};

}
