// The CIFAR ResNet of depth 6n + 2 (He et al. 2016) as LDAM-DRW and the BKD code lay it out:
//
//   stem    conv 3x3, 3 -> w, BN, ReLU                                  h x w pixels      w = 16
//   layer1  n basic blocks of w channels                                h x w
//   layer2  n basic blocks of 2w channels, the first with stride 2      h/2 x w/2
//   layer3  n basic blocks of 4w channels, the first with stride 2      h/4 x w/4
//   head    mean over the pixels, linear 4w -> classes (or scaled cosines without bias)
//
//   block   conv 3x3 (stride s) - BN - ReLU - conv 3x3 - BN - add shortcut - ReLU; no convolution has a bias.
//   The shortcut is the identity, or option A: every second pixel, zero channels before and after; it has no
//   parameters.
// Weights start as N(0, 2 / fan_in), the classifier's too.
#include "engine/layers/conv_norm.h"
#include "engine/layers/linear.h"
#include "engine/ops/pooling.h"
#include "models/network.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace bkd {
namespace {

class BasicBlock {
public:
    BasicBlock(Parameters& p, const std::string& name, std::int64_t in, std::int64_t out, std::int64_t stride)
        : first_(p, name + ".conv1", name + ".bn1", {.in = in, .out = out, .stride = stride, .padding = 1}),
          second_(p, name + ".conv2", name + ".bn2", {.in = out, .out = out, .padding = 1}),
          out_(out),
          stride_(stride) {}

    Tensor operator()(Context& ctx, const Tensor& x) const {
        const Tensor shortcut = stride_ == 1 && x.dim(3) == out_ ? x : shortcut_a(ctx, x, stride_, out_);
        return second_(ctx, first_(ctx, x), shortcut);
    }
    void fold(const Context& ctx) {
        first_.fold(ctx);
        second_.fold(ctx);
    }

private:
    ConvNorm first_, second_;
    std::int64_t out_, stride_;
};

class ResNetCifar final : public Network {
public:
    ResNetCifar(const NetworkOptions& o, std::int64_t depth)
        : Network(o), stem_(parameters_, "conv1", "bn1", {.in = o.channels, .out = o.width, .padding = 1}) {
        const std::int64_t blocks = (depth - 2) / 6;
        std::int64_t in = o.width;
        for (const std::int64_t stage : {1, 2, 3}) {
            const std::int64_t out = o.width << (stage - 1);
            for (std::int64_t k = 0; k < blocks; ++k, in = out)
                blocks_.emplace_back(parameters_, fmt::format("layer{}.{}", stage, k), in, out,
                                     stage > 1 && k == 0 ? 2 : 1);
        }
        if (o.classifier == "cosine")
            cosine_.emplace(parameters_, "linear", in, o.classes, o.cosine_scale);
        else
            linear_.emplace(parameters_, "linear", in, o.classes,
                            Init::normal(std::sqrt(2.0 / static_cast<double>(in))));
    }

    Tensor features(Context& ctx, const Tensor& images, int) const override {
        Tensor x = stem_(ctx, images);
        for (const BasicBlock& block : blocks_) x = block(ctx, x);
        return global_avg_pool(ctx, x);
    }
    Tensor head(Context& ctx, const Tensor& x, std::string_view name) const override {
        BKD_CHECK(name.empty() || name == "linear", "no head {}", name);
        return cosine_ ? (*cosine_)(ctx, x) : (*linear_)(ctx, x);
    }
    std::int64_t feature_width() const override { return options().width * 4; }
    Shape input_shape(std::int64_t batch) const override { return {batch, 0, 0, options().channels}; }
    void fold(const Context& ctx) override {
        stem_.fold(ctx);
        for (BasicBlock& block : blocks_) block.fold(ctx);
    }

private:
    ConvNorm stem_;
    std::vector<BasicBlock> blocks_;
    std::optional<Linear> linear_;
    std::optional<CosineLinear> cosine_;
};

}

std::unique_ptr<Network> make_resnet_cifar(const NetworkOptions& options) {
    std::int64_t depth = 0;
    const std::string digits = options.name.substr(options.name.find_first_of("0123456789"));
    std::from_chars(digits.data(), digits.data() + digits.size(), depth);
    BKD_CHECK(depth >= 8 && (depth - 2) % 6 == 0, "depth {} is not 6n + 2", depth);
    if (options.classifier != "linear" && options.classifier != "cosine")
        throw InputError({.id = 304,
                          .what = fmt::format("no classifier is called \"{}\"", printable(options.classifier)),
                          .at = "model.classifier",
                          .try_ = "linear or cosine"});
    return std::make_unique<ResNetCifar>(options, depth);
}

}
