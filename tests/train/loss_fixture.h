#pragma once
// A loss with its gradient on one device, for golden numbers: z is a leaf that takes a gradient.
#include "engine/ops/loss.h"
#include "train/losses.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

namespace bkd::test {

using Numbers = std::vector<double>;

struct LossAndGradient {
    double loss = 0;
    Numbers gradient{};
};

class LossBench {
public:
    explicit LossBench(const char* device) : runtime_(Device::parse(device)) {}

    Tensor row(const Numbers& values) {
        return Context(runtime_).upload({static_cast<std::int64_t>(values.size())}, std::span(values));
    }
    Tensor rows(const Numbers& values, std::int64_t n) {
        return Context(runtime_).upload({n, static_cast<std::int64_t>(values.size()) / n}, std::span(values));
    }
    Tensor labels(const std::vector<std::int32_t>& values) {
        return Context(runtime_).upload({static_cast<std::int64_t>(values.size())}, std::span(values));
    }
    LossAndGradient run(const Numbers& z, std::int64_t n, const std::function<Tensor(Context&, const Tensor&)>& loss) {
        Tape tape;
        Context ctx(runtime_, &tape, true), plain(runtime_);
        Tensor leaf = rows(z, n);
        leaf.set_takes_gradient(true);
        const Tensor value = loss(ctx, leaf);
        const double number = plain.item(value);
        tape.backward(plain, value);
        return {number, plain.download(leaf.gradient())};
    }
    // 1e-11 where reals are f64, 2e-6 of the largest number where they are f32.
    double tolerance() const { return runtime_.backend->real == DType::f64 ? 1e-11 : 2e-6; }
    bool is_exact() const { return runtime_.backend->real == DType::f64; }
    void check(double value, double expected) const {
        CHECK(std::abs(value - expected) <= tolerance() * std::max(1.0, std::abs(expected)));
    }
    void check(const Numbers& values, const Numbers& expected) const {
        REQUIRE(values.size() == expected.size());
        for (std::size_t i = 0; i < values.size(); ++i) check(values[i], expected[i]);
    }
    void check(const LossAndGradient& value, double loss, const Numbers& gradient) const {
        check(value.loss, loss);
        check(value.gradient, gradient);
    }

private:
    Runtime runtime_;
};

inline const Numbers z1 = {2, 1, 0.1, -1}, t1 = {1.5, 0.5, -0.5, 0}, w1 = {0.1, 0.5, 1, 2.4};
inline const Numbers zb = {2, 1, 0.1, -1, 0.5, -0.5, 1.5, 0, -1, 0, 0, 3};
inline const Numbers tb = {1.5, 0.5, -0.5, 0, 0.2, -0.3, 2, 0.1, 0, 1, -1, 2.5};
inline const std::vector<std::int32_t> yb = {0, 2, 1}, partner_yb = {1, 0, 2};  // of the permutation (2, 0, 1)

inline Numbers log_of(Numbers values) {
    for (double& v : values) v = std::log(v);
    return values;
}

// The distillation of these rows against hard labels; plain knowledge distillation without omega.
inline LossAndGradient distil(LossBench& b, const Numbers& z, const Numbers& teacher,
                              const std::vector<std::int32_t>& y, DistillationOptions options,
                              const Numbers& omega = {}) {
    const auto n = static_cast<std::int64_t>(y.size());
    if (!omega.empty()) options.log_omega = b.row(log_of(omega));
    const Tensor labels = b.labels(y), t = b.rows(teacher, n);
    return b.run(z, n, [&](Context& ctx, const Tensor& leaf) {
        return distillation(ctx, leaf, t, {.labels = labels}, options).loss;
    });
}

}
