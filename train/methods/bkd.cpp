// Balanced knowledge distillation.        L = CE(z, y) + lambda T^2 KL(q || p^T)        paper: Eq. 8
// q_i = omega_i phat_i / sum_j omega_j phat_j with phat = softmax(zhat / T) of a teacher trained by plain cross-entropy
// on the same long tail, omega by weights.*, p^T = softmax(z / T). The cross-entropy has no class weights. bkd.form =
// "eq7", "eq6": the paper's steps on the way there. docs/paper-and-code.md        paper: Eq. 6, 7
#include "engine/ops/elementwise.h"
#include "train/losses.h"

namespace bkd {
namespace {

class Bkd final : public Method {
public:
    Bkd(const MethodOptions& options, const Recipe& recipe)
        : stages_(teacher_then({.name = "student", .states = {DeferredWeights::state()}}, options)),
          weights_(recipe, DeferredWeights::Form::logarithm),
          mixing_(mixing_of(recipe)),
          temperature_(recipe.number("kd.temperature")),
          kd_weight_(recipe.number("kd.weight")),
          ce_temperature_(recipe.number("ce.temperature")),
          form_(form_of(recipe.text("bkd.form"))),
          target_math_(recipe.text("bkd.target_math") == "product" ? kernels::TargetMath::product
                                                                   : kernels::TargetMath::log_domain) {}

    std::vector<Stage> stages() const override { return stages_; }
    void begin(StageContext& stage) override { weights_.write(stage); }
    void after_epoch(StageContext& stage, const Metrics&) override { weights_.write(stage); }

    // paper: Algorithm 1, lines 9, 10, 11, 12
    Tensor loss(Step& s) override {
        const Batch batch = mixed_batch(s, mixing_);
        const TargetTensors targets = targets_of(batch, mixing_);
        const Tensor teacher = teacher_logits(s, batch, mixing_, temperature_), z = s.network(batch.images);
        const bool is_plain = ce_temperature_ == 1;
        const DistillationLoss l = distillation(s.ctx, z, teacher, targets,
                                                {.log_omega = s.state("class_weights"),
                                                 .temperature = temperature_,
                                                 .kd_weight = kd_weight_,
                                                 .ce_weight = is_plain ? 1.0 : 0.0,
                                                 .form = form_,
                                                 .target_math = target_math_});
        s.note("kd", l.kl);
        const Tensor ce = is_plain ? l.ce : cross_entropy(s.ctx, z, targets, {.scale = 1 / ce_temperature_});
        s.note("ce", ce);
        return is_plain ? l.loss : add(s.ctx, ce, l.loss);
    }

private:
    static kernels::BkdForm form_of(const std::string& name) {
        using enum kernels::BkdForm;
        return name == "eq8" ? eq8 : name == "eq7" ? eq7 : eq6;
    }

    std::vector<Stage> stages_;
    DeferredWeights weights_;
    Mixing mixing_;
    double temperature_, kd_weight_, ce_temperature_;
    kernels::BkdForm form_;
    kernels::TargetMath target_math_;
};

}

std::unique_ptr<Method> make_bkd(const MethodOptions& options) {
    return std::make_unique<Bkd>(options, options.for_stage("student"));
}

}
