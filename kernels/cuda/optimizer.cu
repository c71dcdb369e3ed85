// Optimizers on a device. Contract: kernels/optimizer.h
#include "kernels/optimizer.h"

#include "kernels/cuda/launch.cuh"

namespace bkd::kernels::cuda {
namespace {

struct Group {
    std::int64_t begin, end;
    float learning_rate_factor, weight_decay;
};
constexpr int most_groups = 64;
struct Groups {  // in the launch's arguments: 1.5 KB of the 4 KB there are
    int count = 0;
    Group at[most_groups];
};

struct Rule {
    float momentum;
    bool nesterov;

    template <int width>
    __device__ void step(float* param, const float* grad, float* velocity, Bf16* copy, float rate, float decay) const {
        Floats<width> p = load_floats<width>(param), v{};
        const Floats<width> g = load_floats<width>(grad);
        if (velocity != nullptr) v = load_floats<width>(velocity);
#pragma unroll
        for (int k = 0; k < width; ++k) {
            const float d = fmaf(decay, p.at[k], g.at[k]);
            v.at[k] = velocity == nullptr ? d : fmaf(momentum, v.at[k], d);
            p.at[k] -= rate * (nesterov ? fmaf(momentum, v.at[k], d) : v.at[k]);
        }
        store_floats(param, p);
        if (copy != nullptr) store_floats(copy, p);
        if (velocity != nullptr) store_floats(velocity, v);
    }
};

// Formula   d = g + decay p;  v = momentum v + d;  p -= lr (nesterov ? d + momentum v : v)
// Shapes    param, grad, velocity [n] f32, copy [n] bf16; learning_rate [1] in memory: it changes each step; fault [1]:
//           not 0 keeps all as it is
// Mapping   a thread four elements and, one after another, the groups they lie in: one group but at a seam
// Bytes     20 a parameter: p, g, v read, p, v written (12 without momentum), and 2 of its bf16 copy; one launch for
//           every 64 groups
template <int width>
__global__ void __launch_bounds__(256)
    sgd_kernel(const float* grad, float* param, float* velocity, Bf16* copy, const float* lr, const std::int32_t* fault,
               std::int64_t first, std::int64_t last, Rule rule, Groups groups) {
    const std::int64_t begin = first + global_thread() * width, end = begin + width;
    if (begin >= last || (fault != nullptr && fault[0] != 0)) return;
    for (int i = 0; i < groups.count; ++i) {
        const Group group = groups.at[i];
        if (group.begin >= end || group.end <= begin) continue;
        const float rate = lr[0] * group.learning_rate_factor;
        if (group.begin <= begin && end <= group.end) {
            rule.step<width>(param + begin, grad + begin, velocity == nullptr ? nullptr : velocity + begin,
                             copy == nullptr ? nullptr : copy + begin, rate, group.weight_decay);
            continue;
        }
        const std::int64_t from = group.begin > begin ? group.begin : begin, to = group.end < end ? group.end : end;
        for (std::int64_t k = from; k < to; ++k)
            rule.step<1>(param + k, grad + k, velocity == nullptr ? nullptr : velocity + k,
                         copy == nullptr ? nullptr : copy + k, rate, group.weight_decay);
    }
}

}

void Optimizer::sgd_step(Stream& stream, const SgdStep& args) const {
    const auto *grad = elements<float>(args.grad), *lr = elements<float>(args.learning_rate);
    auto *param = elements<float>(args.param), *velocity = elements<float>(args.velocity);
    auto* copy = elements<Bf16>(args.copy);
    const auto* fault = elements<std::int32_t>(args.fault);
    const Rule rule{static_cast<float>(args.momentum), args.nesterov};
    for (std::size_t done = 0; done < args.groups.size(); done += most_groups) {
        Groups groups;
        for (std::size_t i = done; i < args.groups.size() && i < done + most_groups; ++i) {
            const ParameterGroup& from = args.groups[i];
            groups.at[groups.count++] = {from.begin, from.end, static_cast<float>(from.learning_rate_factor),
                                         static_cast<float>(from.weight_decay)};
        }
        const std::int64_t first = groups.at[0].begin / full_width<float> * full_width<float>;
        const std::int64_t last = groups.at[groups.count - 1].end;
        widest<float>(
            full_width<float>,
            [&]<int width>(Width<width>) {
                launch(stream, sgd_kernel<width>, blocks_for(last - first, 256 * width), 256, grad, param, velocity,
                       copy, lr, fault, first, last, rule, groups);
            },
            grad, param, velocity, copy);
    }
}

}
