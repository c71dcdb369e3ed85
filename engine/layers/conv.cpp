#include "engine/layers/conv.h"

#include <cmath>

namespace bkd {
namespace {

double he_deviation(const ConvOptions& o) {
    const std::int64_t channels = o.init == ConvInit::fan_in ? o.in / o.groups : o.out;
    return std::sqrt(2.0 / static_cast<double>(o.kernel * o.kernel * channels));
}

}

Conv::Conv(Parameters& parameters, const std::string& name, const ConvOptions& o)
    : weight_(parameters.add({.name = name + ".weight",
                              .shape = {o.out, o.kernel, o.kernel, o.in / o.groups},
                              .init = Init::normal(he_deviation(o)),
                              .file_layout = FileLayout::oihw})),
      geometry_{.stride = {o.stride, o.stride}, .padding = {o.padding, o.padding}, .groups = o.groups} {}

Tensor Conv::operator()(Context& ctx, const Tensor& x) const { return conv2d(ctx, x, weight_.value, {}, geometry_); }

}
