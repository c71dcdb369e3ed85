// Golden ops that are losses. A loss is [] in the file and [1] in the engine.
#include "engine/ops/elementwise.h"
#include "engine/ops/loss.h"
#include "tools/check/golden_tables.h"

#include <cmath>

namespace bkd {
namespace {

TargetTensors targets(GoldenRun& r) {
    const Tensor dense = r.in_if_any("target");
    return {.labels = dense ? r.in_if_any("labels") : r.in("labels"), .dense = dense};
}

void out_loss(GoldenRun& r, const Tensor& loss) {
    const bool is_scalar = loss.count() == 1 && r.expects_out("loss") && r.shape("out", "loss").rank() == 0;
    r.out("loss", is_scalar ? reshape(r.ctx, loss, {}) : loss);
}

void cross_entropy_op(GoldenRun& r) {
    using kernels::LossReduction;
    const auto reduction = r.choice<LossReduction>("reduction", {{"none", LossReduction::none},
                                                                 {"sum", LossReduction::sum},
                                                                 {"mean", LossReduction::mean},
                                                                 {"weighted_mean", LossReduction::weighted_mean}});
    out_loss(
        r, cross_entropy(r.ctx, r.in("logits"), targets(r), {.weight = r.in_if_any("weight"), .reduction = reduction}));
}

// log(counts) or tau log(counts / sum counts), added to the logits
Tensor log_prior(GoldenRun& r, double tau, bool of_shares) {
    std::vector<double> counts = r.numbers("in", "counts");
    double total = 0;
    for (const double n : counts) total += n;
    for (double& n : counts) n = tau * std::log(of_shares ? n / total : n);
    return r.ctx.upload(r.shape("in", "counts"), std::span<const double>(counts));
}
void balanced_softmax_op(GoldenRun& r) {
    out_loss(r, cross_entropy(r.ctx, r.in("logits"), targets(r), {.shift = log_prior(r, 1, false)}));
}
void logit_adjustment_op(GoldenRun& r) {
    out_loss(r, cross_entropy(r.ctx, r.in("logits"), targets(r), {.shift = log_prior(r, r.number("tau"), true)}));
}
void focal_loss_op(GoldenRun& r) {
    out_loss(r, focal_loss(r.ctx, r.in("logits"), r.in("labels"), r.number("gamma"), r.in_if_any("weight")));
}
void ldam_loss_op(GoldenRun& r) {
    const Tensor weight = r.in_if_any("weight");
    out_loss(
        r, cross_entropy(r.ctx, r.in("logits"), targets(r),
                         {.weight = weight,
                          .margin = r.in("margins"),
                          .scale = r.number("scale"),
                          .reduction = weight ? kernels::LossReduction::weighted_mean : kernels::LossReduction::mean}));
}

void distil(GoldenRun& r, DistillationOptions options) {
    options.temperature = r.number("T");
    options.kd_weight = r.number("kl_weight");
    const DistillationLoss result = distillation(r.ctx, r.in("logits"), r.in("teacher"), targets(r), options);
    out_loss(r, result.loss);
    r.out("ce", reshape(r.ctx, result.ce, {}));
    r.out("kl", reshape(r.ctx, result.kl, {}));
}
void kd_loss_op(GoldenRun& r) { distil(r, {}); }
void bkd_loss_op(GoldenRun& r) {
    std::vector<double> log_omega = r.numbers("in", "omega");
    for (double& w : log_omega) w = std::log(w);
    using kernels::BkdForm;
    const auto form = r.choice<BkdForm>("form", {{"eq8", BkdForm::eq8}, {"eq7", BkdForm::eq7}, {"eq6", BkdForm::eq6}});
    distil(r, {.log_omega = r.ctx.upload(r.shape("in", "omega"), std::span<const double>(log_omega)), .form = form});
}

}

const GoldenTable& golden_losses() {
    static const GoldenTable table{{"cross_entropy", cross_entropy_op},
                                   {"kd_loss", kd_loss_op},
                                   {"bkd_loss", bkd_loss_op},
                                   {"balanced_softmax", balanced_softmax_op},
                                   {"logit_adjustment", logit_adjustment_op},
                                   {"focal_loss", focal_loss_op},
                                   {"ldam_loss", ldam_loss_op}};
    return table;
}

}
