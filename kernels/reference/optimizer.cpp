// Optimizers in f64. Contract: kernels/optimizer.h
#include "kernels/optimizer.h"

#include "kernels/reference/array.h"

namespace bkd::kernels::reference {

// d = g + weight_decay p;  v = momentum v + d;  p -= lr (nesterov ? d + momentum v : v)
void Optimizer::sgd_step(Stream&, const SgdStep& args) const {
    if (args.fault && *args.fault.as<std::int32_t>() != 0) return;
    const double* grad = args.grad.as<double>();
    double* param = args.param.as<double>();
    double* velocity = args.velocity ? args.velocity.as<double>() : nullptr;
    Bf16* copy = args.copy ? args.copy.as<Bf16>() : nullptr;
    for (const ParameterGroup& group : args.groups) {
        const double lr = *args.learning_rate.as<double>() * group.learning_rate_factor;
        for (std::int64_t i = group.begin; i < group.end; ++i) {
            const double d = grad[i] + group.weight_decay * param[i];
            double step = d;
            if (velocity != nullptr) {
                velocity[i] = args.momentum * velocity[i] + d;
                step = args.nesterov ? d + args.momentum * velocity[i] : velocity[i];
            }
            param[i] -= lr * step;
            if (copy != nullptr) copy[i] = to_bf16(param[i]);
        }
    }
}

}
