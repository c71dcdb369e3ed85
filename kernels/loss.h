#pragma once
// Losses, each with its gradient in one pass over the logits. Bodies: reference/ cpu/ cuda/ loss, cuda/distillation.cu
// Cases: cases/loss.cpp
//
//   n samples, c classes. p(z) = softmax(z); every logarithm is natural and taken of a log-softmax, never of a
//   probability. dz is the gradient for an upstream gradient of 1 (scale_rows brings in any other); empty: not wanted.
//   Precision    rows in f32 (bf16 logits are widened first); sums over rows in f64, in a fixed order: the same bits
//                for any number of threads. NaN logits give a NaN loss.
//   Aliasing     dz may be z. n = 0 is an error where a mean is taken.
#include "kernels/family.h"

namespace bkd::kernels {

// What a row should predict: t = e_labels, or lambda e_labels + (1 - lambda) e_partner_labels, or any rows of numbers.
struct Targets {
    static constexpr bool holds_views = true;
    ConstView labels{};          // [n] i32
    ConstView partner_labels{};  // [n] i32, with mix_lambda
    ConstView mix_lambda{};      // [1] or [n] f32
    ConstView dense{};           // [n, c] f32, in place of the other three
};

enum class LossReduction : std::uint8_t { none, sum, mean, weighted_mean };

// u_i = scale (z_i - [i is the label] margin_i) + shift_i;   l_n = -sum_i weight_i t_ni log p(u_n)_i
// none: l_n; sum: sum l; mean: sum l / n; weighted_mean (labels only): sum l / sum_n weight_{label n}. paper: Eq. 1, 3
// dz = scale (p(u) sum_i weight_i t_i - weight t), and its reduction.
// Balanced softmax is shift = log counts, logit adjustment shift = tau log prior, LDAM margin and scale, a temperature
// T of the cross-entropy scale = 1 / T.
struct CrossEntropy {
    ConstView z;  // [n, c] f32 bf16
    Targets targets;
    View loss;           // [1], or [n] without reduction; f32
    View dz{};           // as z
    ConstView weight{};  // [c] f32; empty: 1
    ConstView shift{};   // [c] f32; empty: 0
    ConstView margin{};  // [c] f32; empty: 0; needs labels alone
    double scale = 1;
    LossReduction reduction = LossReduction::mean;
};

// l_n = weight_y (1 - p_y)^gamma (-log p_y), mean over n.      Lin et al. 2017
// dz = weight_y c (p - e_y) / n with c = (1 - p_y)^gamma - gamma p_y (1 - p_y)^(gamma - 1) log p_y
struct FocalLoss {
    ConstView z;         // [n, c] f32 bf16
    ConstView labels;    // [n] i32
    View loss;           // [1] f32
    View dz{};           // as z
    ConstView weight{};  // [c] f32
    double gamma = 2;
};

enum class BkdForm : std::uint8_t { eq8, eq7, eq6 };
enum class TargetMath : std::uint8_t { log_domain, product };

// loss = ce_weight ce + kd_weight kl;  ce = mean_n -sum_i t_i log p(z)_i at temperature 1, never weighted.
// With phat = p(teacher / T) and p = p(z / T):                                                    paper: Eq. 5, 6, 7, 8
//   eq8   kl = T^2 / n sum q (log q - log p),          q_i = omega_i phat_i / sum_j omega_j phat_j
//   eq7   kl = T^2 / n sum omega phat (log omega phat - log p)
//   eq6   kl = T^2 / n sum omega phat (log phat - log p)
// Knowledge distillation is eq8 without omega. Gradient of kl: T / n (S p - q), q the teacher's side and S its sum.
// log_domain computes log q = log_softmax(teacher / T + log omega): no class is lost when phat underflows;
// product multiplies f32 probabilities and divides by their sum, as the public code does.
struct Distillation {
    ConstView z, teacher;   // [n, c] f32 bf16
    Targets targets;        // of the cross-entropy
    ConstView log_omega{};  // [c] f32, may hold -infinity; empty: omega = 1
    View loss;              // [1] f32
    View ce{}, kl{};        // [1] f32, kl with T^2 and without kd_weight
    View kl_per_class{};    // [c] f32: 1 / n sum_n q (log q - log p), without T^2
    View dz{};              // as z
    double temperature = 2, kd_weight = 1, ce_weight = 1;
    BkdForm form = BkdForm::eq8;
    TargetMath target_math = TargetMath::log_domain;
};

#define BKD_LOSS_OPS(OP)            \
    OP(cross_entropy, CrossEntropy) \
    OP(focal_loss, FocalLoss)       \
    OP(distillation, Distillation)
BKD_FAMILY(Loss, BKD_LOSS_OPS)

}
