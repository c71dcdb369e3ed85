// Residual networks: a stem, stages of blocks, the mean over the pixels, a classifier.
//
//   CIFAR, depth 6n + 2 (as LDAM-DRW and the BKD code lay it out)
//     stem small, width w = 16; layer1..3 of n basic blocks of w, 2w, 4w channels, strides 1, 2, 2; shortcut A;
//     "linear". Weights start as N(0, 2 / fan_in), the classifier's too.
//   ImageNet (torchvision's layout)
//     stem of choice, width w = 64; layer1..4 of blocks of w, 2w, 4w, 8w planes, strides 1, 2, 2, 2; projections; "fc".
//     Convolutions start as N(0, 2 / fan_out), the classifier as PyTorch's. ResNet-10 is that of the long-tailed
//     literature. ResNeXt 32x4d: inner widths of 2 planes in w / 2 groups.
#include "engine/ops/pooling.h"
#include "models/classifier.h"
#include "models/residual.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace bkd {
namespace {

struct ResNetDesign {
    ResidualDesign blocks{};
    ResidualStem::Kind stem = ResidualStem::Kind::small;
    std::vector<std::int64_t> depths;  // blocks of each stage
    const char* classifier = "linear";
};

class ResNet final : public Network {
public:
    ResNet(const NetworkOptions& o, const ResNetDesign& design)
        : Network(o), stem_(parameters_, o.channels, o.width, design.stem, design.blocks.init) {
        width_ = o.width;
        for (std::size_t i = 0; i < design.depths.size(); ++i) {
            stages_.emplace_back(parameters_, fmt::format("layer{}", i + 1), width_,
                                 ResidualStage::Size{o.width << i, design.depths[i], i == 0 ? 1 : 2}, design.blocks);
            width_ = stages_.back().out();
        }
        const double fan_in = static_cast<double>(width_);
        classifier_.emplace(parameters_, design.classifier, width_, o,
                            design.blocks.init == ConvInit::fan_in
                                ? Init::normal(std::sqrt(2 / fan_in))
                                : Init::uniform(-1 / std::sqrt(fan_in), 1 / std::sqrt(fan_in)));
        classifier_name_ = design.classifier;
    }

    Tensor features(Context& ctx, const Tensor& images, int) const override {
        Tensor x = stem_(ctx, images);
        for (const ResidualStage& stage : stages_) x = stage(ctx, x);
        return global_avg_pool(ctx, x);
    }
    Tensor head(Context& ctx, const Tensor& x, std::string_view name) const override {
        BKD_CHECK(name.empty() || name == classifier_name_, "no head {}", name);
        return (*classifier_)(ctx, x);
    }
    std::int64_t feature_width() const override { return width_; }
    Shape input_shape(std::int64_t batch) const override { return {batch, 0, 0, options().channels}; }
    void fold(const Context& ctx) override {
        stem_.fold(ctx);
        for (ResidualStage& stage : stages_) stage.fold(ctx);
    }

private:
    ResidualStem stem_;
    std::vector<ResidualStage> stages_;
    std::optional<Classifier> classifier_;
    std::string_view classifier_name_;
    std::int64_t width_ = 0;
};

std::int64_t depth_of(const std::string& name) {
    std::int64_t depth = 0;
    const std::string digits = name.substr(name.find_first_of("0123456789"));
    std::from_chars(digits.data(), digits.data() + digits.size(), depth);
    return depth;
}

NetworkOptions with_width(NetworkOptions options, std::int64_t standard) {
    if (options.width == 0) options.width = standard;
    return options;
}

}

std::unique_ptr<Network> make_resnet_cifar(const NetworkOptions& options) {
    const std::int64_t depth = depth_of(options.name), blocks = (depth - 2) / 6;
    BKD_CHECK(depth >= 8 && (depth - 2) % 6 == 0, "depth {} is not 6n + 2", depth);
    return std::make_unique<ResNet>(with_width(options, 16), ResNetDesign{.depths = {blocks, blocks, blocks}});
}

// paper: Table 3, 4, 5
std::unique_ptr<Network> make_resnet_imagenet(const NetworkOptions& options) {
    struct Row {
        const char* name;
        ResidualDesign::Block block;
        std::vector<std::int64_t> depths;
    };
    static const Row rows[] = {{"resnet10", ResidualDesign::Block::basic, {1, 1, 1, 1}},
                               {"resnet18", ResidualDesign::Block::basic, {2, 2, 2, 2}},
                               {"resnet34", ResidualDesign::Block::basic, {3, 4, 6, 3}},
                               {"resnet50", ResidualDesign::Block::bottleneck, {3, 4, 6, 3}},
                               {"resnet101", ResidualDesign::Block::bottleneck, {3, 4, 23, 3}},
                               {"resnet152", ResidualDesign::Block::bottleneck, {3, 8, 36, 3}},
                               {"resnext50_32x4d", ResidualDesign::Block::bottleneck, {3, 4, 6, 3}}};
    const Row* row =
        std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return options.name == r.name; });
    BKD_CHECK(row != std::end(rows), "no ImageNet ResNet is called {}", options.name);
    NetworkOptions o = with_width(options, 64);
    if (o.stem.empty()) o.stem = "imagenet";
    if (o.stem != "imagenet" && o.stem != "small")
        throw InputError({.id = 304,
                          .what = fmt::format("no stem is called \"{}\"", printable(o.stem)),
                          .at = "model.stem",
                          .try_ = "imagenet or small"});
    ResNetDesign design{
        .blocks = {.block = row->block, .shortcut = ResidualDesign::Shortcut::projection, .init = ConvInit::fan_out},
        .stem = o.stem == "small" ? ResidualStem::Kind::small : ResidualStem::Kind::imagenet,
        .depths = row->depths,
        .classifier = "fc"};
    if (o.name.starts_with("resnext")) {
        design.blocks.inner = 2;
        design.blocks.groups = std::max<std::int64_t>(1, o.width / 2);
    }
    return std::make_unique<ResNet>(o, design);
}

}
