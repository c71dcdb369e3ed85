#pragma once
// Classifier layers. Linear: "<name>.weight" [out, in] and "<name>.bias" [out]. CosineLinear: "<name>.weight", [out,
// in] in memory and [in, out] in files (NormedLinear of LDAM-DRW and RIDE), no bias.
#include "engine/ops/matmul.h"
#include "engine/parameter.h"

namespace bkd {

class Linear {
public:
    // Weight by `weight_init`; bias U(-1 / sqrt(in), 1 / sqrt(in)), PyTorch's default.
    Linear(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out, const Init& weight_init);
    Tensor operator()(Context& ctx, const Tensor& x) const;  // [n, in] -> [n, out]

private:
    Parameter &weight_, &bias_;
};

class CosineLinear {
public:
    CosineLinear(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out, double scale);
    Tensor operator()(Context& ctx, const Tensor& x) const;  // [n, in] -> [n, out], scale times the cosines

private:
    Parameter& weight_;
    double scale_;
};

}
