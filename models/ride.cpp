// RIDE's ensemble of ResNet-32 (Wang et al. 2021): the beginning shared, one end for each expert.
//
// paper: Table 8
//   shared      stem and layer1 of the CIFAR ResNet-32, w = 16 channels
//   expert k    layer2s.k and layer3s.k of 2w and 4w channels, or 3/4 of that; mean over the pixels; linears.k
//   logits      the mean of the experts'
#include "engine/ops/elementwise.h"
#include "engine/ops/pooling.h"
#include "models/classifier.h"
#include "models/residual.h"

#include <cmath>

namespace bkd {
namespace {

constexpr std::int64_t blocks = 5, most_experts = 6;

class RideResNet32 final : public Network {
public:
    explicit RideResNet32(const NetworkOptions& o)
        : Network(o),
          stem_(parameters_, o.channels, o.width, ResidualStem::Kind::small, ConvInit::fan_in),
          shared_(parameters_, "layer1", o.width, {o.width, blocks, 1}, {}) {
        const auto width = [&](std::int64_t factor) {
            return *o.reduces_width ? factor * o.width * 3 / 4 : factor * o.width;
        };
        for (std::int64_t k = 0; k < o.experts; ++k)
            middle_.emplace_back(parameters_, fmt::format("layer2s.{}", k), o.width,
                                 ResidualStage::Size{width(2), blocks, 2}, ResidualDesign{});
        for (std::int64_t k = 0; k < o.experts; ++k)
            last_.emplace_back(parameters_, fmt::format("layer3s.{}", k), width(2),
                               ResidualStage::Size{width(4), blocks, 2}, ResidualDesign{});
        const Init init = Init::normal(std::sqrt(2 / static_cast<double>(width(4))));
        for (std::int64_t k = 0; k < o.experts; ++k)
            heads_.emplace_back(parameters_, fmt::format("linears.{}", k), width(4), o, init);
    }

    // `branch`: the expert.
    Tensor features(Context& ctx, const Tensor& images, int branch) const override {
        return end_of(ctx, shared_(ctx, stem_(ctx, images)), static_cast<std::size_t>(branch));
    }
    // The empty name is "linears.0".
    Tensor head(Context& ctx, const Tensor& x, std::string_view name) const override {
        std::size_t expert = 0;
        while (!name.empty() && expert < heads_.size() && name != fmt::format("linears.{}", expert)) ++expert;
        BKD_CHECK(expert < heads_.size(), "no head {}", name);
        return heads_[expert](ctx, x);
    }
    std::vector<Tensor> experts(Context& ctx, const Tensor& images) const override {
        const Tensor x = shared_(ctx, stem_(ctx, images));
        std::vector<Tensor> logits;
        for (std::size_t k = 0; k < heads_.size(); ++k) logits.push_back(heads_[k](ctx, end_of(ctx, x, k)));
        return logits;
    }
    Tensor operator()(Context& ctx, const Tensor& images) const override {
        const std::vector<Tensor> logits = experts(ctx, images);
        Tensor sum = logits[0];
        for (std::size_t k = 1; k < logits.size(); ++k) sum = add(ctx, sum, logits[k]);
        return logits.size() == 1 ? sum : scale(ctx, sum, 1 / static_cast<double>(logits.size()));
    }
    std::int64_t feature_width() const override { return last_[0].out(); }
    Shape input_shape(std::int64_t batch) const override { return {batch, 0, 0, options().channels}; }
    void fold(const Context& ctx) override {
        stem_.fold(ctx);
        shared_.fold(ctx);
        for (std::vector<ResidualStage>* stages : {&middle_, &last_})
            for (ResidualStage& stage : *stages) stage.fold(ctx);
    }

private:
    Tensor end_of(Context& ctx, const Tensor& x, std::size_t expert) const {
        return global_avg_pool(ctx, last_.at(expert)(ctx, middle_.at(expert)(ctx, x)));
    }

    ResidualStem stem_;
    ResidualStage shared_;
    std::vector<ResidualStage> middle_, last_;
    std::vector<Classifier> heads_;
};

}

std::unique_ptr<Network> make_ride(const NetworkOptions& options) {
    NetworkOptions o = options;
    if (o.width == 0) o.width = 16;
    if (o.experts == 0) o.experts = 3;
    if (!o.reduces_width) o.reduces_width = true;
    if (o.experts < 1 || o.experts > most_experts)
        throw InputError(
            {.id = 304,
             .what = fmt::format("model.experts = {}: {} has 1..{} experts", o.experts, o.name, most_experts),
             .at = "model.experts"});
    return std::make_unique<RideResNet32>(o);
}

}
