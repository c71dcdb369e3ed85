#pragma once
// What several methods share: mixing of a batch, deferred class weights, the class-balanced cross-entropy and its
// reductions, and training a teacher first.
#include "train/class_weights.h"
#include "train/method.h"

namespace bkd {

// mixup.*: who sees which images, which labels the cross-entropy has.     Zhang et al. 2018; paper: Algorithm 1, line 9
struct Mixing {
    enum class TeacherInput : std::uint8_t { mixed, mix_of_outputs, clean };
    double alpha = 0;
    bool per_sample = false;
    TeacherInput teacher_input = TeacherInput::mixed;
    bool hard_targets = false;
};
Mixing mixing_of(const Recipe& recipe);
Batch mixed_batch(Step& step, const Mixing& mixing);
// The labels that the cross-entropy of this batch has.
TargetTensors targets_of(const Batch& batch, const Mixing& mixing);
// The teacher's logits [n, classes] for this batch. mix_of_outputs gives T log(lambda phat(x) + (1 - lambda)
// phat(partner)), whose softmax at T is the mixture.
Tensor teacher_logits(Step& step, const Batch& batch, const Mixing& mixing, double temperature);

// l = -sum_i omega_i t_i log p_i of softmax(z / temperature).       paper: Eq. 3
//   weighted_mean  sum l / sum omega_label; of a mixed batch lambda of it for the labels + (1 - lambda) for the
//   partners mean           sum l / n                    sum  sum l
Tensor class_balanced_cross_entropy(Context& ctx, const Tensor& z, const TargetTensors& targets, const Tensor& omega,
                                    kernels::LossReduction reduction, double temperature);

// Class weights as a state of the stage, [classes], rewritten in place when weights.defer_until comes: the optimizer,
// the statistics and the schedule go on as they are.
class DeferredWeights {
public:
    enum class Form : std::uint8_t { plain, logarithm };
    DeferredWeights(const Recipe& recipe, Form form) : options_(class_weight_options(recipe)), form_(form) {}
    static State state() { return {.name = "class_weights", .rows = State::Rows::per_class, .initial = 0}; }
    // For the epoch that is coming: call in begin and after_epoch.
    void write(StageContext& stage) const;

private:
    ClassWeightOptions options_;
    Form form_;
};

// The stages "teacher" (by teacher.method, unless teacher.file is given) and `student`, whose companion the teacher
// becomes.
std::vector<Stage> teacher_then(Stage student, const MethodOptions& options);

}
