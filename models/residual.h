#pragma once
// What residual networks are made of (He et al. 2016), under PyTorch's names: a stem, then stages of blocks.
//
//   basic        conv 3x3 (stride) - conv 3x3, both of `planes` channels
//   bottleneck   conv 1x1 - conv 3x3 (stride, groups) - conv 1x1, of inner, inner and 4 planes channels. The stride
//                lies in the 3x3, as torchvision has it ("v1.5").
//   Each convolution has a batch norm and no bias; ReLU after each but the last, and after the sum with the shortcut.
//   shortcut     the identity where shapes agree; else A, without parameters: every stride-th pixel, zero channels
//                before and after; or a projection: conv 1x1 (stride) and batch norm, "downsample.0", "downsample.1".
#include "engine/layers/conv_norm.h"

#include <optional>
#include <vector>

namespace bkd {

struct ResidualDesign {
    enum class Block : std::uint8_t { basic, bottleneck } block = Block::basic;
    enum class Shortcut : std::uint8_t { a, projection } shortcut = Shortcut::a;
    std::int64_t inner = 1, groups = 1;  // of a bottleneck: its inner width by planes, the groups of its 3x3
    ConvInit init = ConvInit::fan_in;

    std::int64_t out(std::int64_t planes) const { return block == Block::basic ? planes : 4 * planes; }
};

class ResidualBlock {
public:
    // Parameters "<name>.conv1.weight", "<name>.bn1.*" and so on. [n, h, w, in] -> [n, h / stride, w / stride, out],
    // extents rounded up.
    ResidualBlock(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t planes,
                  std::int64_t stride, const ResidualDesign& design);
    Tensor operator()(Context& ctx, const Tensor& x) const;
    void fold(const Context& ctx);

private:
    std::vector<ConvNorm> convolutions_;
    std::optional<ConvNorm> projection_;
    std::int64_t out_, stride_;
};

// `blocks` blocks "<name>.0", "<name>.1" ..., of which the first has the stride.
class ResidualStage {
public:
    struct Size {
        std::int64_t planes, blocks, stride;
    };
    ResidualStage(Parameters& parameters, const std::string& name, std::int64_t in, const Size& size,
                  const ResidualDesign& design);
    Tensor operator()(Context& ctx, const Tensor& x) const;
    void fold(const Context& ctx);
    std::int64_t out() const { return out_; }

private:
    std::vector<ResidualBlock> blocks_;
    std::int64_t out_;
};

// "conv1" and "bn1", ReLU. small: 3x3, stride 1. imagenet: 7x7, stride 2, then the largest of 3x3 pixels, stride 2.
class ResidualStem {
public:
    enum class Kind : std::uint8_t { small, imagenet };
    ResidualStem(Parameters& parameters, std::int64_t channels, std::int64_t width, Kind kind, ConvInit init);
    Tensor operator()(Context& ctx, const Tensor& images) const;
    void fold(const Context& ctx) { convolution_.fold(ctx); }

private:
    ConvNorm convolution_;
    Kind kind_;
};

}
