#pragma once
// The last layer of a network, as `model.classifier` names it: linear, or cosine (NormedLinear of LDAM-DRW and RIDE).
#include "engine/layers/linear.h"
#include "models/network.h"

#include <optional>

namespace bkd {

class Classifier {
public:
    // `weight_init`: of the linear one. InputError E0304 for another kind.
    Classifier(Parameters& parameters, const std::string& name, std::int64_t in, const NetworkOptions& options,
               const Init& weight_init);
    Tensor operator()(Context& ctx, const Tensor& features) const;  // [n, in] -> [n, classes]

private:
    std::optional<Linear> linear_;
    std::optional<CosineLinear> cosine_;
};

}
