#include "engine/ops/loss.h"

#include <utility>

namespace bkd {
namespace {

// dz = dloss * (d loss / dz), the latter from the forward; rows of dloss when the loss is not reduced
void record_loss(Context& ctx, const char* op, const Tensor& loss, const Tensor& z, const Tensor& dz) {
    ctx.record(op, loss, {z}, [dz, to_z = z.slot()](Context& back, const Tensor& dloss, Gradients& grad) {
        const bool is_one = dloss.view().data == back.runtime().one.view().data;
        if (is_one && grad.pass(to_z, dz, dz.shape())) return;
        back.elementwise().scale_rows({.x = dz, .factor = dloss, .y = grad.out(to_z)});
    });
}

Tensor gradient_memory(const Context& ctx, const Tensor& z) {
    return ctx.tape() != nullptr && z.takes_gradient() ? ctx.empty_like(z) : Tensor();
}

}

// l_n = -sum_i weight_i t_i log p(scale (z - margin at the label) + shift)_i
Tensor cross_entropy(Context& ctx, const Tensor& z, const TargetTensors& targets, const CrossEntropyOptions& o) {
    const bool by_row = o.reduction == kernels::LossReduction::none;
    Tensor loss = ctx.empty({by_row ? z.dim(0) : 1}), dz = gradient_memory(ctx, z);
    ctx.loss().cross_entropy({.z = z,
                              .targets = targets.views(),
                              .loss = loss,
                              .dz = dz,
                              .weight = o.weight,
                              .shift = o.shift,
                              .margin = o.margin,
                              .scale = o.scale,
                              .reduction = o.reduction});
    record_loss(ctx, "cross_entropy", loss, z, dz);
    return loss;
}

// l_n = -weight_y (1 - p_y)^gamma log p_y
Tensor focal_loss(Context& ctx, const Tensor& z, const Tensor& labels, double gamma, const Tensor& weight) {
    Tensor loss = ctx.empty({1}), dz = gradient_memory(ctx, z);
    ctx.loss().focal_loss({.z = z, .labels = labels, .loss = loss, .dz = dz, .weight = weight, .gamma = gamma});
    record_loss(ctx, "focal_loss", loss, z, dz);
    return loss;
}

// loss = ce_weight CE(z, t) + kd_weight T^2 KL(normalise(omega phat) || p)
DistillationLoss distillation(Context& ctx, const Tensor& z, const Tensor& teacher, const TargetTensors& targets,
                              const DistillationOptions& o) {
    DistillationLoss result{ctx.empty({1}), ctx.empty({1}), ctx.empty({1})};
    Tensor dz = gradient_memory(ctx, z);
    ctx.loss().distillation({.z = z,
                             .teacher = teacher,
                             .targets = targets.views(),
                             .log_omega = o.log_omega,
                             .loss = result.loss,
                             .ce = result.ce,
                             .kl = result.kl,
                             .dz = dz,
                             .temperature = o.temperature,
                             .kd_weight = o.kd_weight,
                             .ce_weight = o.ce_weight,
                             .form = o.form,
                             .target_math = o.target_math});
    record_loss(ctx, o.log_omega ? "bkd_loss" : "kd_loss", result.loss, z, dz);
    return result;
}

}
