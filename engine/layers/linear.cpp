#include "engine/layers/linear.h"

#include <cmath>

namespace bkd {

Linear::Linear(Parameters& p, const std::string& name, std::int64_t in, std::int64_t out, const Init& weight_init)
    : weight_(p.add({.name = name + ".weight", .shape = {out, in}, .init = weight_init})),
      bias_(p.add(
          {.name = name + ".bias",
           .shape = {out},
           .init = Init::uniform(-1 / std::sqrt(static_cast<double>(in)), 1 / std::sqrt(static_cast<double>(in)))})) {}

Tensor Linear::operator()(Context& ctx, const Tensor& x) const { return linear(ctx, x, weight_.value, bias_.value); }

CosineLinear::CosineLinear(Parameters& p, const std::string& name, std::int64_t in, std::int64_t out, double scale)
    : weight_(p.add({.name = name + ".weight",
                     .shape = {out, in},
                     .init = Init::unit_rows(),
                     .file_layout = FileLayout::transposed})),
      scale_(scale) {}

Tensor CosineLinear::operator()(Context& ctx, const Tensor& x) const {
    return cosine_linear(ctx, x, weight_.value, scale_);
}

}
