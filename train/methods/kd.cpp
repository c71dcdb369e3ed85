// Knowledge distillation, Hinton et al. 2015.        L = CE(z, y) + lambda T^2 KL(phat || p^T)        paper: Eq. 5
// phat = softmax(zhat / T) of a teacher trained by plain cross-entropy, p^T = softmax(z / T). kd.ce_class_weights =
// "en" is what the public code does: class weights in the cross-entropy, as a weighted mean. docs/paper-and-code.md D11
#include "engine/ops/elementwise.h"
#include "train/losses.h"

namespace bkd {
namespace {

class KnowledgeDistillation final : public Method {
public:
    KnowledgeDistillation(const MethodOptions& options, const Recipe& recipe)
        : stages_(teacher_then({.name = "student"}, options)),
          mixing_(mixing_of(recipe)),
          temperature_(recipe.number("kd.temperature")),
          kd_weight_(recipe.number("kd.weight")),
          ce_temperature_(recipe.number("ce.temperature")) {
        if (recipe.text("kd.ce_class_weights") == "en") weights_.emplace(recipe, DeferredWeights::Form::plain);
        if (weights_) stages_.back().states = {DeferredWeights::state()};
        if (weights_ && mixing_.alpha > 0 && mixing_.per_sample)
            throw InputError({.id = 305,
                              .what = "kd.ce_class_weights = \"en\" mixes with one lambda for the batch",
                              .at = recipe.at("mixup.per_sample"),
                              .try_ = "mixup.per_sample=false"});
    }

    std::vector<Stage> stages() const override { return stages_; }
    void begin(StageContext& stage) override {
        if (weights_) weights_->write(stage);
    }
    void after_epoch(StageContext& stage, const Metrics&) override { begin(stage); }

    Tensor loss(Step& s) override {
        const Batch batch = mixed_batch(s, mixing_);
        const TargetTensors targets = targets_of(batch, mixing_);
        const Tensor teacher = teacher_logits(s, batch, mixing_, temperature_), z = s.network(batch.images);
        const bool is_plain = !weights_ && ce_temperature_ == 1;
        const DistillationLoss l =
            distillation(s.ctx, z, teacher, targets,
                         {.temperature = temperature_, .kd_weight = kd_weight_, .ce_weight = is_plain ? 1.0 : 0.0});
        s.note("kd", l.kl);
        if (is_plain) {
            s.note("ce", l.ce);
            return l.loss;
        }
        const Tensor omega = weights_ ? s.state("class_weights") : Tensor();
        const auto reduction = weights_ ? kernels::LossReduction::weighted_mean : kernels::LossReduction::mean;
        const Tensor ce = class_balanced_cross_entropy(s.ctx, z, targets, omega, reduction, ce_temperature_);
        s.note("ce", ce);
        return add(s.ctx, ce, l.loss);
    }

private:
    std::vector<Stage> stages_;
    Mixing mixing_;
    double temperature_, kd_weight_, ce_temperature_;
    std::optional<DeferredWeights> weights_;
};

}

std::unique_ptr<Method> make_kd(const MethodOptions& options) {
    return std::make_unique<KnowledgeDistillation>(options, options.for_stage("student"));
}

}
