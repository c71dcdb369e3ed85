#include "engine/ops/normalization.h"

#include "engine/ops/activation.h"
#include "engine/ops/elementwise.h"

namespace bkd {
namespace {

// xhat = (x - mean) rstd    y = gamma xhat + beta [+ residual] [ReLU]    mean, rstd of this batch
Tensor batch_norm_by_batch(Context& ctx, const Tensor& x, const BatchNormParameters& p, bool relu,
                           const Tensor& residual) {
    const Tensor gamma = p.gamma, beta = p.beta;
    Tensor y = ctx.empty_like(x), mean = ctx.empty(gamma.shape()), rstd = ctx.empty(gamma.shape());
    ctx.normalization().batch_norm_forward({.x = x,
                                            .gamma = gamma,
                                            .beta = beta,
                                            .residual = residual,
                                            .y = y,
                                            .mean = mean,
                                            .rstd = rstd,
                                            .running_mean = p.moves_running ? View(p.running_mean) : View{},
                                            .running_var = p.moves_running ? View(p.running_var) : View{},
                                            .eps = p.eps,
                                            .momentum = p.momentum,
                                            .relu = relu});
    ctx.record("batch_norm", y, {x, gamma, beta, residual},
               [=, output = relu ? y : Tensor(), to_residual = residual.slot()](Context& back, const Tensor& dy,
                                                                                Gradients& grad) {
                   back.normalization().batch_norm_backward({.dy = dy,
                                                             .x = x,
                                                             .y = output,
                                                             .gamma = gamma,
                                                             .mean = mean,
                                                             .rstd = rstd,
                                                             .dx = grad.out(x),
                                                             .dgamma = grad.out(gamma),
                                                             .dbeta = grad.out(beta),
                                                             .dresidual = grad.out(to_residual),
                                                             .relu = relu});
               });
    return y;
}

// The same with running statistics, constants of the gradient
Tensor batch_norm_by_running(Context& ctx, const Tensor& x, const BatchNormParameters& p, bool relu,
                             const Tensor& residual) {
    Tensor y = ctx.empty_like(x);
    ctx.normalization().batch_norm_inference({.x = x,
                                              .gamma = p.gamma,
                                              .beta = p.beta,
                                              .running_mean = p.running_mean,
                                              .running_var = p.running_var,
                                              .residual = residual,
                                              .y = y,
                                              .eps = p.eps,
                                              .relu = relu});
    ctx.record("batch_norm", y, {x, p.gamma, p.beta, residual},
               [=, output = relu ? y : Tensor(), to_residual = residual.slot()](Context& back, const Tensor& dy,
                                                                                Gradients& grad) {
                   back.normalization().batch_norm_inference_backward({.dy = dy,
                                                                       .x = x,
                                                                       .y = output,
                                                                       .gamma = p.gamma,
                                                                       .running_mean = p.running_mean,
                                                                       .running_var = p.running_var,
                                                                       .dx = grad.out(x),
                                                                       .dgamma = grad.out(p.gamma),
                                                                       .dbeta = grad.out(p.beta),
                                                                       .dresidual = grad.out(to_residual),
                                                                       .eps = p.eps,
                                                                       .relu = relu});
               });
    return y;
}

}

Tensor batch_norm(Context& ctx, const Tensor& x, const BatchNormParameters& p, bool relu, const Tensor& residual) {
    if (residual && residual.node() == x.node()) {  // the fused gradient writes to both, so they must be two
        const Tensor y = batch_norm(ctx, x, p, false);
        return relu ? add_relu(ctx, y, x) : add(ctx, y, x);
    }
    const bool by_batch = ctx.training() && p.batch_statistics;
    return by_batch ? batch_norm_by_batch(ctx, x, p, relu, residual) : batch_norm_by_running(ctx, x, p, relu, residual);
}

}
