// TextCNN with one layer of convolutions over time (Kim 2014):
//
//   tokens [n, l] -> embedding [n, l, d] -> for each width h: convolution over time h d -> F, bias, ReLU, max
//   -> all F x widths joined -> dropout -> linear -> classes
//
// Names: embedding.weight (row 0 pads), convs.<i>.{weight,bias}, linear.{weight,bias}. Weights start as PyTorch's
// layers do: U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)); the embedding as N(0, 1) with a zero row 0.
#include "models/text_cnn.h"
#include "engine/layers/linear.h"
#include "engine/ops/activation.h"
#include "engine/ops/convolution.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/random.h"
#include "engine/ops/sequence.h"

#include <array>
#include <cmath>

namespace bkd {
namespace {

const NetworkOptions& checked(const NetworkOptions& o) {
    if (o.vocabulary < 1)
        throw InputError({.id = 304,
                          .what = "text_cnn needs a vocabulary",
                          .at = "model.name",
                          .why = "its input is words; image sets have none",
                          .try_ = "a network for images: resnet8, resnet20, resnet32"});
    if (o.classifier != "linear")
        throw InputError({.id = 304,
                          .what = fmt::format("text_cnn has no classifier \"{}\"", printable(o.classifier)),
                          .at = "model.classifier",
                          .try_ = "linear"});
    return o;
}

}

TextCnn::TextCnn(const NetworkOptions& o)
    : Network(checked(o)),
      embedding_(parameters_.add({.name = "embedding.weight",
                                  .shape = {o.vocabulary, o.embedding},
                                  .init = {.kind = Init::Kind::normal, .b = 1, .zero_first_row = true}})) {
    for (std::size_t i = 0; i < o.kernels.size(); ++i) {
        const double bound = 1 / std::sqrt(static_cast<double>(o.kernels[i] * o.embedding));
        const std::string name = fmt::format("convs.{}", i);
        Parameter& weight = parameters_.add({.name = name + ".weight",
                                             .shape = {o.filters, o.kernels[i], o.embedding},
                                             .init = Init::uniform(-bound, bound),
                                             .file_layout = FileLayout::plain});
        Parameter& bias =
            parameters_.add({.name = name + ".bias", .shape = {o.filters}, .init = Init::uniform(-bound, bound)});
        filters_.push_back({&weight, &bias});
    }
    const std::int64_t width = feature_width();
    const double bound = 1 / std::sqrt(static_cast<double>(width));
    linear_.emplace(parameters_, "linear", width, o.classes, Init::uniform(-bound, bound));
}

Tensor TextCnn::pooled(Context& ctx, const Tensor& tokens) const {
    const Tensor words = embedding(ctx, tokens, embedding_.value, /*padding_index=*/0);
    std::vector<Tensor> maxima;
    maxima.reserve(filters_.size());
    for (const Filter& filter : filters_) {
        const Tensor activity =
            relu(ctx, text_conv(ctx, words, filter.weight->value, filter.bias->value, options().text_padding));
        maxima.push_back(max_over_time(ctx, activity));
    }
    return concat(ctx, maxima, 1);
}

Tensor TextCnn::features(Context& ctx, const Tensor& tokens, int) const {
    return dropout(ctx, pooled(ctx, tokens), options().dropout, "features");
}

Tensor TextCnn::features(Context& ctx, const Tensor& tokens, const Tensor& mask) const {
    return dropout(ctx, pooled(ctx, tokens), mask, options().dropout);
}

Tensor TextCnn::head(Context& ctx, const Tensor& x, std::string_view name) const {
    BKD_CHECK(name.empty() || name == "linear", "no head {}", name);
    return (*linear_)(ctx, x);
}

std::unique_ptr<Network> make_text_cnn(const NetworkOptions& options) { return std::make_unique<TextCnn>(options); }

}
