#pragma once
// A network for sketches: one convolution with batch norm and ReLU as trunk, one or two convolutions as branches, and
// the head that a part names.
#include "engine/layers/batch_norm.h"
#include "engine/layers/conv.h"
#include "engine/layers/linear.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pooling.h"
#include "tests/train/toy.h"

namespace bkd::test {

// Heads: "linear" of the features; "cosine"; "unit_linear" of the features scaled to length 1, without bias.
class SketchNetwork final : public Network {
public:
    static constexpr std::int64_t width = 4;

    SketchNetwork(std::int64_t classes, std::span<const Part> parts)
        : Network({.name = "sketch", .classes = classes}),
          conv_(parameters_, "conv1", {.in = 3, .out = width, .padding = 1}),
          bn_(parameters_, "bn1", width) {
        for (const Part& part : parts) {
            if (part.name == "head")
                head_ = part.kind;
            else if (part.name == "twin")
                twin_ = true;
        }
        branch_.emplace_back(parameters_, "branch0.conv", ConvOptions{.in = width, .out = width, .padding = 1});
        if (twin_)
            branch_.emplace_back(parameters_, "branch1.conv", ConvOptions{.in = width, .out = width, .padding = 1});
        const std::int64_t d = feature_width();
        if (head_ == "linear")
            linear_.emplace(parameters_, "linear", d, classes, Init::normal(0.5));
        else
            parameters_.add({.name = "linear.weight", .shape = {classes, d}, .init = Init::unit_rows()});
        if (head_ == "unit_linear") parameters_.add({.name = "identity", .shape = {d, d}});
    }
    // Branch 1 and 2 are the first and the second; 0 is what prediction uses: both, joined.
    Tensor features(Context& ctx, const Tensor& images, int branch) const override {
        if (passes != nullptr) ++*passes;
        const Tensor x = bn_(ctx, conv_(ctx, images), true);
        if (branch > 0) return global_avg_pool(ctx, branch_.at(static_cast<std::size_t>(branch - 1))(ctx, x));
        std::vector<Tensor> pooled;
        for (const Conv& conv : branch_) pooled.push_back(global_avg_pool(ctx, conv(ctx, x)));
        return pooled.size() == 1 ? pooled.front() : concat(ctx, pooled, 1);
    }
    Tensor head(Context& ctx, const Tensor& f, std::string_view) const override {
        if (linear_) return (*linear_)(ctx, f);
        const Tensor w = const_cast<Parameters&>(parameters_).find("linear.weight")->value;
        if (head_ == "cosine") return cosine_linear(ctx, f, w, 4);
        const Tensor unit = cosine_linear(ctx, f, const_cast<Parameters&>(parameters_).find("identity")->value, 1);
        return linear(ctx, unit, w, {});
    }
    Tensor before_norm(Context& ctx, const Tensor& images) const { return conv_(ctx, images); }
    std::int64_t feature_width() const override { return width * (twin_ ? 2 : 1); }
    Shape input_shape(std::int64_t batch) const override { return {batch, 8, 8, 3}; }

    int* passes = nullptr;  // counts forwards through the trunk

private:
    std::string head_ = "linear";
    bool twin_ = false;
    Conv conv_;
    BatchNorm bn_;
    std::vector<Conv> branch_;
    std::optional<Linear> linear_;
};

inline std::unique_ptr<Network> make_sketch_network(std::int64_t classes, std::span<const Part> parts) {
    return std::make_unique<SketchNetwork>(classes, parts);
}

inline std::vector<double> numbers(Runtime& runtime, const Tensor& t) { return Context(runtime).download(t); }

}
