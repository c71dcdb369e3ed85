// Losses in the table of gradients: the value's derivative along the logits is the gradient that came with it.
#include "engine/cases/gradient.h"
#include "engine/ops/loss.h"

#include <cmath>
#include <limits>

namespace bkd {

using kernels::LossReduction;

namespace {

using Inputs = std::vector<Tensor>;

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
    for (int i = 0; i < 20; ++i) numbers.push_back(static_cast<float>(std::sin(3.0 * i) * 2));
    return ctx.upload({4, 5}, std::span<const double>(numbers));
}

}

void append_losses(std::vector<GradientCase>& all) {
    const std::vector<GradientInput> logits{{{4, 5}, -3, 3}};
    const auto push = [&](const char* op, std::string name, auto run) {
        all.push_back({op, std::move(name), logits, run});
    };
    for (const LossReduction reduction :
         {LossReduction::none, LossReduction::sum, LossReduction::mean, LossReduction::weighted_mean}) {
        constexpr const char* names[] = {"none", "sum", "mean", "wmean"};
        push("cross_entropy", fmt::format("n4c5_{}_weight", names[static_cast<std::size_t>(reduction)]),
             [=](Context& ctx, const Inputs& x) {
                 return cross_entropy(ctx, x[0], {.labels = labels(ctx)},
                                      {.weight = per_class(ctx, 0.1), .reduction = reduction});
             });
    }
    push("cross_entropy", "n4c5_mixone_weight", [](Context& ctx, const Inputs& x) {
        return cross_entropy(ctx, x[0],
                             {.labels = labels(ctx), .partner_labels = partners(ctx), .mix_lambda = ctx.full({1}, 0.3)},
                             {.weight = per_class(ctx, 0.1)});
    });
    push("cross_entropy", "n4c5_mixeach_by0.5", [](Context& ctx, const Inputs& x) {
        return cross_entropy(ctx, x[0],
                             {.labels = labels(ctx), .partner_labels = partners(ctx), .mix_lambda = ctx.full({4}, 0.6)},
                             {.scale = 0.5});
    });
    push("cross_entropy", "n4c5_dense_shift_by2", [](Context& ctx, const Inputs& x) {
        return cross_entropy(ctx, x[0], {.dense = ctx.full({4, 5}, 0.2)}, {.shift = per_class(ctx, 3), .scale = 2});
    });
    all.push_back({"cross_entropy", "n4c5_margin_by30", {{{4, 5}}}, [](Context& ctx, const Inputs& x) {
                       return cross_entropy(ctx, x[0], {.labels = labels(ctx)},
                                            {.margin = per_class(ctx, 0.1), .scale = 30});
                   }});
    for (const double gamma : {0.0, 0.5, 1.0, 2.0})
        push("focal_loss", fmt::format("n4c5_gamma{}", gamma), [=](Context& ctx, const Inputs& x) {
            return focal_loss(ctx, x[0], labels(ctx), gamma, per_class(ctx, 0.1));
        });
    struct Form {
        const char* name;
        kernels::BkdForm form;
        kernels::TargetMath math;
        double first_log_omega;
    };
    using kernels::BkdForm, kernels::TargetMath;
    for (const Form& f :
         {Form{"eq8", BkdForm::eq8, TargetMath::log_domain, -1},
          {"eq7", BkdForm::eq7, TargetMath::log_domain, -1},
          {"eq6", BkdForm::eq6, TargetMath::log_domain, -1},
          {"eq8_product", BkdForm::eq8, TargetMath::product, -1},
          {"eq8_without", BkdForm::eq8, TargetMath::log_domain, -std::numeric_limits<double>::infinity()}})
        push("distillation", fmt::format("n4c5_{}_t2_kd0.7", f.name), [f](Context& ctx, const Inputs& x) {
            return distillation(ctx, x[0], teacher_logits(ctx), {.labels = labels(ctx)},
                                {.log_omega = per_class(ctx, f.first_log_omega),
                                 .temperature = 2,
                                 .kd_weight = 0.7,
                                 .form = f.form,
                                 .target_math = f.math})
                .loss;
        });
}

}
