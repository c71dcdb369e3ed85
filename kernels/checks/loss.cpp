#include "kernels/loss.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

void check_logits(const Checker& check, const ConstView& z, const ConstView& dz) {
    check.stored("z", z);
    check.rank("z", z, 2, 2);
    BKD_CHECK_OP(check, z.dim(1) >= 1, "z {} has no class", z.shape.str());
    check.optional_like("dz", dz, z);
}

void check_mean(const Checker& check, const ConstView& z) {
    BKD_CHECK_OP(check, z.dim(0) >= 1, "z {} has no sample to take a mean of", z.shape.str());
}

void check_targets(const Checker& check, const Targets& targets, const ConstView& z) {
    const std::int64_t n = z.dim(0);
    BKD_CHECK_OP(check, static_cast<bool>(targets.labels) != static_cast<bool>(targets.dense),
                 "z {} needs labels or dense targets, and not both", z.shape.str());
    BKD_CHECK_OP(check, static_cast<bool>(targets.partner_labels) == static_cast<bool>(targets.mix_lambda),
                 "partner_labels and mix_lambda of z {} come together", z.shape.str());
    BKD_CHECK_OP(check, targets.labels || !targets.partner_labels, "partner_labels of z {} without labels",
                 z.shape.str());
    check.optional_typed("labels", targets.labels, DType::i32, {n});
    check.optional_typed("partner_labels", targets.partner_labels, DType::i32, {n});
    if (targets.mix_lambda) check.one_or_each("mix_lambda", targets.mix_lambda, n);
    check.optional_real("dense", targets.dense, z.shape);
}

}

void check(const CrossEntropy& args) {
    const Checker check("cross_entropy");
    check_logits(check, args.z, args.dz);
    check_targets(check, args.targets, args.z);
    const std::int64_t n = args.z.dim(0), c = args.z.dim(1);
    const bool each = args.reduction == LossReduction::none,
               labels_alone = args.targets.labels && !args.targets.mix_lambda;
    if (args.reduction == LossReduction::mean || args.reduction == LossReduction::weighted_mean)
        check_mean(check, args.z);
    BKD_CHECK_OP(check, labels_alone || args.reduction != LossReduction::weighted_mean,
                 "weighted_mean of z {} needs labels alone", args.z.shape.str());
    BKD_CHECK_OP(check, labels_alone || !args.margin, "margin of z {} needs labels alone", args.z.shape.str());
    check.real("loss", args.loss, {each ? n : 1});
    check.optional_real("weight", args.weight, {c});
    check.optional_real("shift", args.shift, {c});
    check.optional_real("margin", args.margin, {c});
    check.apart(args, {{args.z, args.dz}});
}

void check(const FocalLoss& args) {
    const Checker check("focal_loss");
    check_logits(check, args.z, args.dz);
    check_mean(check, args.z);
    check.typed("labels", args.labels, DType::i32, {args.z.dim(0)});
    check.real("loss", args.loss, {1});
    check.optional_real("weight", args.weight, {args.z.dim(1)});
    BKD_CHECK_OP(check, args.gamma >= 0, "gamma is {}", args.gamma);
    check.apart(args, {{args.z, args.dz}});
}

void check(const Distillation& args) {
    const Checker check("distillation");
    check_logits(check, args.z, args.dz);
    check_mean(check, args.z);
    check_targets(check, args.targets, args.z);
    check.like("teacher", args.teacher, args.z);
    check.optional_real("log_omega", args.log_omega, {args.z.dim(1)});
    check.real("loss", args.loss, {1});
    check.optional_real("ce", args.ce, {1});
    check.optional_real("kl", args.kl, {1});
    check.optional_real("kl_per_class", args.kl_per_class, {args.z.dim(1)});
    BKD_CHECK_OP(check, args.temperature > 0, "temperature is {}", args.temperature);
    check.apart(args, {{args.z, args.dz}});
}

}
