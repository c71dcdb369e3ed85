#include "train/losses.h"

#include "engine/ops/activation.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/image.h"
#include "train/recipe_check.h"

#include <cmath>

namespace bkd {

Mixing mixing_of(const Recipe& recipe) {
    const std::string input = recipe.text("mixup.teacher_input");
    return {.alpha = recipe.number("mixup.alpha"),
            .per_sample = recipe.boolean("mixup.per_sample"),
            .teacher_input = input == "mixed"   ? Mixing::TeacherInput::mixed
                             : input == "clean" ? Mixing::TeacherInput::clean
                                                : Mixing::TeacherInput::mix_of_outputs,
            .hard_targets = recipe.text("mixup.ce_target") == "hard"};
}

Batch mixed_batch(Step& step, const Mixing& mixing) { return step.mixup(mixing.alpha, mixing.per_sample); }

TargetTensors targets_of(const Batch& batch, const Mixing& mixing) {
    if (mixing.hard_targets) return {.labels = batch.targets.labels};
    return batch.targets;
}

Tensor teacher_logits(Step& step, const Batch& batch, const Mixing& mixing, double temperature) {
    if (!batch.is_mixed() || mixing.teacher_input == Mixing::TeacherInput::mixed) return step.teacher(batch.images);
    const Tensor clean = step.teacher(step.batch().images);
    if (mixing.teacher_input == Mixing::TeacherInput::clean) return clean;
    Context ctx = step.ctx.inference();
    const Tensor probabilities = softmax(ctx, clean, temperature);
    return scale(ctx, log(ctx, mixup(ctx, probabilities, batch.partner, batch.targets.mix_lambda)), temperature);
}

Tensor class_balanced_cross_entropy(Context& ctx, const Tensor& z, const TargetTensors& targets, const Tensor& omega,
                                    kernels::LossReduction reduction, double temperature) {
    const CrossEntropyOptions options{.weight = omega, .scale = 1 / temperature, .reduction = reduction};
    const bool is_mixed = static_cast<bool>(targets.partner_labels);
    if (!is_mixed || reduction != kernels::LossReduction::weighted_mean) return cross_entropy(ctx, z, targets, options);
    BKD_CHECK(targets.mix_lambda.count() == 1, "a weighted mean of each side needs one lambda for the batch");
    const Tensor own = cross_entropy(ctx, z, {.labels = targets.labels}, options);
    const Tensor partner = cross_entropy(ctx, z, {.labels = targets.partner_labels}, options);
    return add(ctx, partner, scale_rows(ctx, subtract(ctx, own, partner), targets.mix_lambda));
}

void DeferredWeights::write(StageContext& stage) const {
    std::vector<float> weights = class_weights_at(stage.epoch, stage.class_counts(), options_);
    if (form_ == Form::logarithm)
        for (float& weight : weights) weight = static_cast<float>(std::log(static_cast<double>(weight)));
    stage.write_state(state().name, weights);
}

// paper: Algorithm 1, lines 4, 6
std::vector<Stage> teacher_then(Stage student, const MethodOptions& options) {
    const Recipe& recipe = options.recipe;
    if (!options.as_stage.empty())
        throw InputError(
            {.id = 305,
             .what = fmt::format("teacher.method = \"{}\" needs a teacher itself", recipe.text("teacher.method")),
             .at = recipe.at("teacher.method"),
             .try_ = "ce"});
    const bool trains = !recipe.is_set("teacher.file");
    // A start's name without '/' or '.' is a stage's; this one is a file's in any case.
    std::string from = trains ? "teacher" : recipe.text("teacher.file");
    if (!trains && !is_model_file(from)) from.insert(0, "./");
    student.companions = {
        {.from = from,
         .batch_norm = recipe.text("teacher.mode") == "eval" ? BatchNormMode::running : BatchNormMode::batch}};
    if (!trains) return {student};
    const std::string by = recipe.text("teacher.method");
    std::vector<Stage> stages = make_method(by, {recipe, options.class_counts, "teacher"})->stages();
    BKD_CHECK(stages.size() == 1, "method {} has {} stages: it cannot train a teacher", by, stages.size());
    stages.front().name = "teacher";
    stages.front().method = by;
    if (recipe.text("teacher.checkpoint") == "best") {
        stages.front().select.kind = Selection::Kind::best;
        stages.front().select.split = recipe.text("eval.split");
    }
    stages.push_back(std::move(student));
    return stages;
}

}
