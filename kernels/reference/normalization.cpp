// Batch normalisation in f64. Contract: kernels/normalization.h
#include "kernels/normalization.h"

#include "kernels/reference/array.h"

#include <algorithm>
#include <cmath>

namespace bkd::kernels::reference {

// y = gamma (x - mean) rstd + beta [+ residual] [then max(., 0)]
void Normalization::batch_norm_forward(Stream&, const BatchNormForward& args) const {
    const In x(rows(args.x)), gamma(args.gamma), beta(args.beta), residual(rows(args.residual));
    const In running_mean(args.running_mean), running_var(args.running_var);
    const Result y(rows(args.y)), mean_out(args.mean), rstd_out(args.rstd);
    const Result running_mean_out(args.running_mean), running_var_out(args.running_var);
    const std::int64_t channels = args.x.dim(-1), count = args.x.shape.product(0, args.x.rank() - 1);
    const double m = static_cast<double>(count);
    for (std::int64_t c = 0; c < channels; ++c) {
        double mean = 0, squares = 0;
        for (std::int64_t i = 0; i < count; ++i) mean += x(i, c) / m;
        for (std::int64_t i = 0; i < count; ++i) squares += (x(i, c) - mean) * (x(i, c) - mean);
        const double rstd = 1 / std::sqrt(squares / m + args.eps);
        for (std::int64_t i = 0; i < count; ++i) {
            const double value = gamma(c) * (x(i, c) - mean) * rstd + beta(c) + (residual ? residual(i, c) : 0);
            y(i, c) = args.relu ? std::max(value, 0.0) : value;
        }
        mean_out(c) = mean;
        rstd_out(c) = rstd;
        if (!running_mean) continue;
        running_mean_out(c) = running_mean(c) + args.momentum * (mean - running_mean(c));
        running_var_out(c) = running_var(c) + args.momentum * (squares / (m - 1) - running_var(c));
    }
}

// dx = gamma rstd / m (m g - s1 - xhat s2)    dgamma = s2    dbeta = s1    dresidual = g
void Normalization::batch_norm_backward(Stream&, const BatchNormBackward& args) const {
    const In dy(rows(args.dy)), x(rows(args.x)), y(rows(args.y)), gamma(args.gamma), mean(args.mean), rstd(args.rstd);
    const Result dx(rows(args.dx)), dgamma(args.dgamma), dbeta(args.dbeta), dresidual(rows(args.dresidual));
    const std::int64_t channels = args.x.dim(-1), count = args.x.shape.product(0, args.x.rank() - 1);
    const double m = static_cast<double>(count);
    for (std::int64_t c = 0; c < channels; ++c) {
        const auto g = [&](std::int64_t i) { return args.relu && !(y(i, c) > 0) ? 0.0 : dy(i, c); };
        const auto xhat = [&](std::int64_t i) { return (x(i, c) - mean(c)) * rstd(c); };
        double s1 = 0, s2 = 0;
        for (std::int64_t i = 0; i < count; ++i) {
            s1 += g(i);
            s2 += g(i) * xhat(i);
        }
        for (std::int64_t i = 0; i < count; ++i) {
            if (dresidual) dresidual(i, c) = g(i);
            if (dx) dx(i, c) = gamma(c) * rstd(c) / m * (m * g(i) - s1 - xhat(i) * s2);
        }
        if (dgamma) dgamma(c) = s2;
        if (dbeta) dbeta(c) = s1;
    }
}

// y = gamma (x - running_mean) / sqrt(running_var + eps) + beta [+ residual] [then max(., 0)]
void Normalization::batch_norm_inference(Stream&, const BatchNormInference& args) const {
    const In x(rows(args.x)), gamma(args.gamma), beta(args.beta), residual(rows(args.residual));
    const In running_mean(args.running_mean), running_var(args.running_var);
    const Result y(rows(args.y));
    const std::int64_t channels = args.x.dim(-1), count = args.x.shape.product(0, args.x.rank() - 1);
    for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t c = 0; c < channels; ++c) {
            const double xhat = (x(i, c) - running_mean(c)) / std::sqrt(running_var(c) + args.eps);
            const double value = gamma(c) * xhat + beta(c) + (residual ? residual(i, c) : 0);
            y(i, c) = args.relu ? std::max(value, 0.0) : value;
        }
}

// dx = gamma g / sqrt(running_var + eps)    dgamma = sum_m g xhat    dbeta = sum_m g    dresidual = g
void Normalization::batch_norm_inference_backward(Stream&, const BatchNormInferenceBackward& args) const {
    const In dy(rows(args.dy)), x(rows(args.x)), y(rows(args.y)), gamma(args.gamma);
    const In running_mean(args.running_mean), running_var(args.running_var);
    const Result dx(rows(args.dx)), dgamma(args.dgamma), dbeta(args.dbeta), dresidual(rows(args.dresidual));
    const std::int64_t channels = args.x.dim(-1), count = args.x.shape.product(0, args.x.rank() - 1);
    for (std::int64_t c = 0; c < channels; ++c) {
        const double rstd = 1 / std::sqrt(running_var(c) + args.eps);
        double s1 = 0, s2 = 0;
        for (std::int64_t i = 0; i < count; ++i) {
            const double g = args.relu && !(y(i, c) > 0) ? 0.0 : dy(i, c);
            s1 += g;
            s2 += g * (x(i, c) - running_mean(c)) * rstd;
            if (dresidual) dresidual(i, c) = g;
            if (dx) dx(i, c) = gamma(c) * g * rstd;
        }
        if (dgamma) dgamma(c) = s2;
        if (dbeta) dbeta(c) = s1;
    }
}

}
