#pragma once
// check_gradient: an op's rules against central differences in f64 on `reference`, with a random upstream gradient dy.
// For each input and a random direction e, (sum dy y(x + h e) - sum dy y(x - h e)) / 2h must equal dx . e. One
// direction an input sees what a difference an element would see, for two runs instead of two an element.
#include "engine/context.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace bkd {

struct GradientInput {
    Shape shape;
    double low = -1, high = 1;
    double away_from_zero = 0;  // inputs of an op with a kink there keep this distance
};

class GradientCheck {
public:
    using Op = std::function<Tensor(Context&, const std::vector<Tensor>&)>;

    explicit GradientCheck(std::uint64_t seed = 7) : seed_(seed) {}

    void operator()(const std::vector<GradientInput>& inputs, const Op& op) {
        std::vector<std::vector<double>> x;
        for (const GradientInput& input : inputs) x.push_back(draw(input));
        const std::vector<std::vector<double>> dx = gradients(inputs, x, op);
        constexpr double h = 1e-6;
        for (std::size_t k = 0; k < inputs.size(); ++k) {
            CAPTURE(k);
            const std::vector<double> e = draw({inputs[k].shape});
            double along = 0, size_dx = 0, size_e = 0;
            std::vector<std::vector<double>> above = x, below = x;
            for (std::size_t i = 0; i < e.size(); ++i) {
                above[k][i] += h * e[i];
                below[k][i] -= h * e[i];
                along += dx[k][i] * e[i];
                size_dx += dx[k][i] * dx[k][i];
                size_e += e[i] * e[i];
            }
            const double difference = (value(inputs, above, op) - value(inputs, below, op)) / (2 * h);
            const double bound = 1e-7 * std::max(std::sqrt(size_dx * size_e), 1e-2);
            CHECK(std::abs(difference - along) <= bound);
        }
    }

private:
    std::vector<double> draw(const GradientInput& input) {
        std::vector<double> numbers(static_cast<std::size_t>(input.shape.count()));
        for (double& number : numbers) {
            number = input.low +
                     (input.high - input.low) * philox_draw(philox_key(seed_, "gradient"), drawn_++)[0] * 0x1p-32;
            if (std::abs(number) < input.away_from_zero)
                number += number < 0 ? -input.away_from_zero : input.away_from_zero;
        }
        return numbers;
    }
    std::vector<Tensor> upload(Context& ctx, const std::vector<GradientInput>& inputs,
                               const std::vector<std::vector<double>>& x) {
        std::vector<Tensor> tensors;
        for (std::size_t k = 0; k < inputs.size(); ++k)
            tensors.push_back(ctx.upload(inputs[k].shape, std::span<const double>(x[k])));
        return tensors;
    }
    double value(const std::vector<GradientInput>& inputs, const std::vector<std::vector<double>>& x, const Op& op) {
        Context ctx(runtime_, nullptr, /*training=*/true);
        const std::vector<double> y = ctx.download(op(ctx, upload(ctx, inputs, x)));
        double total = 0;
        for (std::size_t i = 0; i < y.size(); ++i) total += y[i] * upstream_[i];
        return total;
    }
    std::vector<std::vector<double>> gradients(const std::vector<GradientInput>& inputs,
                                               const std::vector<std::vector<double>>& x, const Op& op) {
        Tape tape;
        Context ctx(runtime_, &tape, /*training=*/true);
        std::vector<Tensor> leaves = upload(ctx, inputs, x);
        for (Tensor& leaf : leaves) leaf.set_takes_gradient(true);
        const Tensor y = op(ctx, leaves);
        upstream_ = draw({y.shape()});
        Context back = ctx.inference();
        tape.backward(back, y, ctx.upload(y.shape(), std::span<const double>(upstream_)));
        std::vector<std::vector<double>> dx;
        for (const Tensor& leaf : leaves) dx.push_back(ctx.download(leaf.gradient()));
        return dx;
    }

    Runtime runtime_{Device{DeviceKind::reference, 0}};
    std::uint64_t seed_, drawn_ = 0;
    std::vector<double> upstream_;
};

}
