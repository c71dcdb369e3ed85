#pragma once
// Convolution, batch norm, residual, ReLU: one layer, since inference has the first two as one convolution with a bias.
//
//   training form    conv2d by "<conv>.weight", then batch_norm by "<norm>.*"
//   inference form   conv2d by w' = w s and the bias b' = beta - mean s        s = gamma / sqrt(var + eps), [out]
//
// Both compute the same; in f32 they differ by rounding.
#include "engine/layers/batch_norm.h"
#include "engine/layers/conv.h"

namespace bkd {

class ConvNorm {
public:
    enum class After : std::uint8_t { relu, nothing };

    // Adds the parameters "<conv>.weight", "<norm>.weight", "<norm>.bias" and the buffers of BatchNorm, in this order.
    ConvNorm(Parameters& parameters, const std::string& conv, const std::string& norm, const ConvOptions& options,
             After after = After::relu);

    // relu(norm(conv(x)) + residual)     x [n, h, w, in], residual as the result or empty -> [n, p, q, out]
    // After::nothing: without ReLU, and without a residual. In the inference form LogicError on a tape or in training.
    Tensor operator()(Context& ctx, const Tensor& x, const Tensor& residual = {}) const;

    // Into the inference form, by the parameters' numbers as they are now. w' is stored as activations are.
    void fold(const Context& ctx);

private:
    Conv conv_;
    BatchNorm norm_;
    After after_;
    Tensor weight_, bias_;  // of the inference form; else empty
};

}
