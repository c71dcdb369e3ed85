#pragma once
// TextCNN: the network of the paper's text experiments. The .cpp draws it.
#include "engine/layers/linear.h"
#include "models/network.h"

#include <optional>

namespace bkd {

class TextCnn final : public Network {
public:
    explicit TextCnn(const NetworkOptions& options);

    // tokens [n, l] i32, l + 2 padding at least the widest filter -> [n, filters * widths]
    Tensor features(Context& ctx, const Tensor& tokens, int branch = 0) const override;
    // With a dropout mask given from outside, [n, filters * widths] u8: what a reference computed with its own mask
    // needs.
    Tensor features(Context& ctx, const Tensor& tokens, const Tensor& mask) const;
    Tensor head(Context& ctx, const Tensor& features, std::string_view name = {}) const override;
    std::int64_t feature_width() const override {
        return options().filters * static_cast<std::int64_t>(options().kernels.size());
    }
    Shape input_shape(std::int64_t batch) const override { return {batch, 0}; }

private:
    struct Filter {
        Parameter *weight, *bias;
    };
    Tensor pooled(Context& ctx, const Tensor& tokens) const;

    Parameter& embedding_;
    std::vector<Filter> filters_;
    std::optional<Linear> linear_;
};

}
