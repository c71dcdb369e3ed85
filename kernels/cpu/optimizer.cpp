// Optimizers on the CPU. Contract: kernels/optimizer.h. One pass over the flat block in fixed tiles, whatever the
// groups: a tile walks the groups it meets, so many small groups cost no more parallel regions than one.
#include "kernels/optimizer.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/runs.h"
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {
namespace {

struct Factors {
    float learning_rate, weight_decay, momentum;
};

BKD_SIMD void plain_run(const float* BKD_RESTRICT grad, float* BKD_RESTRICT param, const Factors& factors,
                        std::int64_t n) {
    const float rate = factors.learning_rate, decay = factors.weight_decay;
    for (std::int64_t i = 0; i < n; ++i) param[i] -= rate * (grad[i] + decay * param[i]);
}

BKD_SIMD void momentum_run(const float* BKD_RESTRICT grad, float* BKD_RESTRICT param, float* BKD_RESTRICT velocity,
                           const Factors& factors, std::int64_t n) {
    const float rate = factors.learning_rate, decay = factors.weight_decay, momentum = factors.momentum;
    for (std::int64_t i = 0; i < n; ++i) {
        velocity[i] = momentum * velocity[i] + (grad[i] + decay * param[i]);
        param[i] -= rate * velocity[i];
    }
}

BKD_SIMD void nesterov_run(const float* BKD_RESTRICT grad, float* BKD_RESTRICT param, float* BKD_RESTRICT velocity,
                           const Factors& factors, std::int64_t n) {
    const float rate = factors.learning_rate, decay = factors.weight_decay, momentum = factors.momentum;
    for (std::int64_t i = 0; i < n; ++i) {
        const float d = grad[i] + decay * param[i];
        velocity[i] = momentum * velocity[i] + d;
        param[i] -= rate * (d + momentum * velocity[i]);
    }
}

}

void Optimizer::sgd_step(Stream& stream, const SgdStep& args) const {
    if (args.fault && *args.fault.as<std::int32_t>() != 0) return;
    const auto* grad = args.grad.as<float>();
    auto* param = args.param.as<float>();
    auto* velocity = args.velocity ? args.velocity.as<float>() : nullptr;
    auto* copy = args.copy ? args.copy.as<Bf16>() : nullptr;
    const double learning_rate = args.learning_rate.as<float>()[0];
    const std::int64_t n = args.param.count();
    parallel_for(cpu_stream(stream), n, element_tile, 2 * n, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (const ParameterGroup& group : args.groups) {
            const std::int64_t begin = std::max(first, group.begin), count = std::min(last, group.end) - begin;
            if (count <= 0) continue;
            const Factors factors{static_cast<float>(learning_rate * group.learning_rate_factor),
                                  static_cast<float>(group.weight_decay), static_cast<float>(args.momentum)};
            if (velocity == nullptr)
                plain_run(grad + begin, param + begin, factors, count);
            else if (args.nesterov)
                nesterov_run(grad + begin, param + begin, velocity + begin, factors, count);
            else
                momentum_run(grad + begin, param + begin, velocity + begin, factors, count);
            if (copy != nullptr) round_run(param + begin, copy + begin, count);  // from the cache: a tile fits in it
        }
    });
}

}
