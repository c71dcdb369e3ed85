// Losses: the value's derivative along the logits is the gradient that came with it. `reference` in f64.
#include "engine/ops/loss.h"
#include "tests/engine/gradient_check.h"

#include <limits>

using namespace bkd;
using Inputs = std::vector<Tensor>;
using kernels::LossReduction;

namespace {

Tensor labels(Context& ctx) {
    static constexpr std::int32_t numbers[] = {3, 0, 4, 3};
    return ctx.upload({4}, std::span<const std::int32_t>(numbers));
}
Tensor partners(Context& ctx) {
    static constexpr std::int32_t numbers[] = {0, 0, 1, 2};
    return ctx.upload({4}, std::span<const std::int32_t>(numbers));
}
Tensor per_class(Context& ctx, double first) {
    const std::vector<double> numbers{first, 0.5, 1, 2.4, 0.7};
    return ctx.upload({5}, std::span<const double>(numbers));
}

Tensor teacher_logits(Context& ctx) {
    std::vector<double> numbers;
    for (int i = 0; i < 20; ++i) numbers.push_back(std::sin(3.0 * i) * 2);
    return ctx.upload({4, 5}, std::span<const double>(numbers));
}

}

TEST_CASE("the gradient of cross-entropy agrees with central differences for every kind of target and reduction") {
    GradientCheck check;
    for (const LossReduction reduction :
         {LossReduction::none, LossReduction::sum, LossReduction::mean, LossReduction::weighted_mean})
        check({{{4, 5}, -3, 3}}, [&](Context& ctx, const Inputs& x) {
            return cross_entropy(ctx, x[0], {.labels = labels(ctx)},
                                 {.weight = per_class(ctx, 0.1), .reduction = reduction});
        });
    check({{{4, 5}, -3, 3}}, [](Context& ctx, const Inputs& x) {
        return cross_entropy(ctx, x[0],
                             {.labels = labels(ctx), .partner_labels = partners(ctx), .mix_lambda = ctx.full({1}, 0.3)},
                             {.weight = per_class(ctx, 0.1)});
    });
    check({{{4, 5}, -3, 3}}, [](Context& ctx, const Inputs& x) {
        return cross_entropy(ctx, x[0],
                             {.labels = labels(ctx), .partner_labels = partners(ctx), .mix_lambda = ctx.full({4}, 0.6)},
                             {.scale = 0.5});
    });
    check({{{4, 5}, -3, 3}}, [](Context& ctx, const Inputs& x) {
        return cross_entropy(ctx, x[0], {.dense = ctx.full({4, 5}, 0.2)}, {.shift = per_class(ctx, 3), .scale = 2});
    });
    check({{{4, 5}}}, [](Context& ctx, const Inputs& x) {
        return cross_entropy(ctx, x[0], {.labels = labels(ctx)}, {.margin = per_class(ctx, 0.1), .scale = 30});
    });
}

TEST_CASE("the gradient of the focal loss agrees with central differences") {
    GradientCheck check;
    for (const double gamma : {0.0, 0.5, 1.0, 2.0})
        check({{{4, 5}, -3, 3}}, [&](Context& ctx, const Inputs& x) {
            return focal_loss(ctx, x[0], labels(ctx), gamma, per_class(ctx, 0.1));
        });
}

TEST_CASE("the gradient of distillation agrees with central differences in every form") {
    GradientCheck check;
    const auto distil = [](const kernels::BkdForm form, const kernels::TargetMath math, double first_log_omega) {
        return [=](Context& ctx, const Inputs& x) {
            return distillation(ctx, x[0], teacher_logits(ctx), {.labels = labels(ctx)},
                                {.log_omega = per_class(ctx, first_log_omega),
                                 .temperature = 2,
                                 .kd_weight = 0.7,
                                 .form = form,
                                 .target_math = math})
                .loss;
        };
    };
    for (const auto form : {kernels::BkdForm::eq8, kernels::BkdForm::eq7, kernels::BkdForm::eq6})
        check({{{4, 5}, -3, 3}}, distil(form, kernels::TargetMath::log_domain, -1));
    check({{{4, 5}, -3, 3}}, distil(kernels::BkdForm::eq8, kernels::TargetMath::product, -1));
    check({{{4, 5}, -3, 3}},
          distil(kernels::BkdForm::eq8, kernels::TargetMath::log_domain, -std::numeric_limits<double>::infinity()));
}
