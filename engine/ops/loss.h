#pragma once
// Losses: one kernel computes value and gradient; the rule only scales it by the upstream gradient.
// Formulas: kernels/loss.h
#include "engine/context.h"

namespace bkd {

// What a row should predict: labels alone, labels mixed with a partner's, or any rows of numbers.
struct TargetTensors {
    Tensor labels{};          // [n] i32
    Tensor partner_labels{};  // [n] i32, with mix_lambda
    Tensor mix_lambda{};      // [1] or [n]
    Tensor dense{};           // [n, c], in place of the other three
    kernels::Targets views() const {
        return {.labels = labels, .partner_labels = partner_labels, .mix_lambda = mix_lambda, .dense = dense};
    }
};

struct CrossEntropyOptions {
    Tensor weight{};  // [c]
    Tensor shift{};   // [c]  added to the scaled logits
    Tensor margin{};  // [c]  subtracted from the label's logit
    double scale = 1;
    kernels::LossReduction reduction = kernels::LossReduction::mean;
};
// z [n, c] -> [1], or [n] without reduction.       paper: Eq. 1, 3
Tensor cross_entropy(Context& ctx, const Tensor& z, const TargetTensors& targets,
                     const CrossEntropyOptions& options = {});

// z [n, c], labels [n], weight [c] or empty -> [1]
Tensor focal_loss(Context& ctx, const Tensor& z, const Tensor& labels, double gamma, const Tensor& weight = {});

struct DistillationOptions {
    Tensor log_omega{};  // [c]; empty: omega = 1, plain knowledge distillation
    double temperature = 2, kd_weight = 1, ce_weight = 1;
    kernels::BkdForm form = kernels::BkdForm::eq8;
    kernels::TargetMath target_math = kernels::TargetMath::log_domain;
};
struct DistillationLoss {
    Tensor loss;    // [1] ce_weight ce + kd_weight kl; the one that takes the gradient
    Tensor ce, kl;  // [1] its parts, kl with T^2
};
// z, teacher [n, c]; the teacher gets no gradient. Without omega it is Eq. 5.      paper: Eq. 5, 8
DistillationLoss distillation(Context& ctx, const Tensor& z, const Tensor& teacher, const TargetTensors& targets,
                              const DistillationOptions& options);

}
