#include "kernels/normalization.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

// What all four ops share: x [..., c] with c channels, of which each has a gamma.
Shape check_channels(const Checker& check, const ConstView& x, const ConstView& gamma) {
    check.stored("x", x);
    check.rank("x", x, 1, Shape::max_rank);
    const Shape channels{x.dim(-1)};
    check.real("gamma", gamma, channels);
    return channels;
}

void check_batch(const Checker& check, const ConstView& x) {
    const std::int64_t m = x.shape.product(0, x.rank() - 1);
    BKD_CHECK_OP(check, m >= 2, "x {} has {} values per channel: no variance", x.shape.str(), m);
}

template <class Args>
void check_gradients(const Checker& check, const Args& args, const Shape& channels) {
    check.like("dy", args.dy, args.x);
    BKD_CHECK_OP(check, args.y || !args.relu, "relu needs y {}", args.x.shape.str());
    check.optional_like("y", args.y, args.x);
    check.optional_like("dx", args.dx.view, args.x);
    check.optional_real("dgamma", args.dgamma.view, channels);
    check.optional_real("dbeta", args.dbeta.view, channels);
    check.optional_like("dresidual", args.dresidual.view, args.x);
    check.apart(args, {{args.dx.view, args.dy}});
}

}

void check(const BatchNormForward& args) {
    const Checker check("batch_norm_forward");
    const Shape channels = check_channels(check, args.x, args.gamma);
    check_batch(check, args.x);
    check.real("beta", args.beta, channels);
    check.optional_like("residual", args.residual, args.x);
    check.like("y", args.y, args.x);
    check.real("mean", args.mean, channels);
    check.real("rstd", args.rstd, channels);
    BKD_CHECK_OP(check, static_cast<bool>(args.running_mean) == static_cast<bool>(args.running_var),
                 "one of the two running statistics of x {} is left out", args.x.shape.str());
    check.optional_real("running_mean", args.running_mean, channels);
    check.optional_real("running_var", args.running_var, channels);
    check.apart(args, {{args.x, args.y}, {args.residual, args.y}});
}

void check(const BatchNormBackward& args) {
    const Checker check("batch_norm_backward");
    const Shape channels = check_channels(check, args.x, args.gamma);
    check_batch(check, args.x);
    check.real("mean", args.mean, channels);
    check.real("rstd", args.rstd, channels);
    check_gradients(check, args, channels);
}

void check(const BatchNormInference& args) {
    const Checker check("batch_norm_inference");
    const Shape channels = check_channels(check, args.x, args.gamma);
    check.real("beta", args.beta, channels);
    check.real("running_mean", args.running_mean, channels);
    check.real("running_var", args.running_var, channels);
    check.optional_like("residual", args.residual, args.x);
    check.like("y", args.y, args.x);
    check.apart(args, {{args.x, args.y}, {args.residual, args.y}});
}

void check(const BatchNormInferenceBackward& args) {
    const Checker check("batch_norm_inference_backward");
    const Shape channels = check_channels(check, args.x, args.gamma);
    check.real("running_mean", args.running_mean, channels);
    check.real("running_var", args.running_var, channels);
    check_gradients(check, args, channels);
}

}
