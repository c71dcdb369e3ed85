#include "models/residual.h"

#include "engine/ops/pooling.h"

namespace bkd {

ResidualBlock::ResidualBlock(Parameters& p, const std::string& name, std::int64_t in, std::int64_t planes,
                             std::int64_t stride, const ResidualDesign& design)
    : out_(design.out(planes)), stride_(stride) {
    const auto add = [&](ConvOptions options) {
        const std::size_t number = convolutions_.size() + 1;
        options.init = design.init;
        convolutions_.emplace_back(p, fmt::format("{}.conv{}", name, number), fmt::format("{}.bn{}", name, number),
                                   options);
    };
    if (design.block == ResidualDesign::Block::basic) {
        add({.in = in, .out = out_, .stride = stride, .padding = 1});
        add({.in = out_, .out = out_, .padding = 1});
    } else {
        const std::int64_t inner = design.inner * planes;
        add({.in = in, .out = inner, .kernel = 1});
        add({.in = inner, .out = inner, .stride = stride, .padding = 1, .groups = design.groups});
        add({.in = inner, .out = out_, .kernel = 1});
    }
    if (design.shortcut == ResidualDesign::Shortcut::projection && (stride != 1 || in != out_))
        projection_.emplace(p, name + ".downsample.0", name + ".downsample.1",
                            ConvOptions{.in = in, .out = out_, .kernel = 1, .stride = stride, .init = design.init},
                            ConvNorm::After::nothing);
}

Tensor ResidualBlock::operator()(Context& ctx, const Tensor& x) const {
    Tensor shortcut = x;
    if (projection_)
        shortcut = (*projection_)(ctx, x);
    else if (stride_ != 1 || x.dim(3) != out_)
        shortcut = shortcut_a(ctx, x, stride_, out_);
    Tensor y = x;
    for (std::size_t i = 0; i + 1 < convolutions_.size(); ++i) y = convolutions_[i](ctx, y);
    return convolutions_.back()(ctx, y, shortcut);
}

void ResidualBlock::fold(const Context& ctx) {
    for (ConvNorm& convolution : convolutions_) convolution.fold(ctx);
    if (projection_) projection_->fold(ctx);
}

ResidualStage::ResidualStage(Parameters& p, const std::string& name, std::int64_t in, const Size& size,
                             const ResidualDesign& design)
    : out_(design.out(size.planes)) {
    for (std::int64_t k = 0; k < size.blocks; ++k)
        blocks_.emplace_back(p, fmt::format("{}.{}", name, k), k == 0 ? in : out_, size.planes,
                             k == 0 ? size.stride : 1, design);
}

Tensor ResidualStage::operator()(Context& ctx, const Tensor& x) const {
    Tensor y = x;
    for (const ResidualBlock& block : blocks_) y = block(ctx, y);
    return y;
}

void ResidualStage::fold(const Context& ctx) {
    for (ResidualBlock& block : blocks_) block.fold(ctx);
}

ResidualStem::ResidualStem(Parameters& p, std::int64_t channels, std::int64_t width, Kind kind, ConvInit init)
    : convolution_(
          p, "conv1", "bn1",
          kind == Kind::small
              ? ConvOptions{.in = channels, .out = width, .padding = 1, .init = init}
              : ConvOptions{.in = channels, .out = width, .kernel = 7, .stride = 2, .padding = 3, .init = init}),
      kind_(kind) {}

Tensor ResidualStem::operator()(Context& ctx, const Tensor& images) const {
    const Tensor x = convolution_(ctx, images);
    return kind_ == Kind::small ? x : max_pool(ctx, x, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
}

}
