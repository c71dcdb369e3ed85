// Cases of kernels/optimizer.h.
#include "kernels/cases/table.h"

#include <memory>

namespace bkd::kernels {
namespace {

using Groups = std::shared_ptr<const std::vector<ParameterGroup>>;  // outlives the arguments, which hold a span of it

Groups one_group(std::int64_t n, double weight_decay) {
    return std::make_shared<const std::vector<ParameterGroup>>(std::vector<ParameterGroup>{{0, n, 1, weight_decay}});
}

// d, v and p are sums of a few terms of size 1, which may cancel.
Bound sum_bound() { return {.rounding = 4, .largest = 8, .absolute = 16 * 0x1p-24}; }

// The copy is the parameter rounded: half a unit in the last of 8 places off, and a whole one where the parameters of
// two backends lie on two sides of a tie. What holds exactly is an invariant.
Bound copy_bound() { return {.rounding = 4 + 0x1p16, .largest = 8, .absolute = 16 * 0x1p-24}; }

// Tensors 1 and 3 are the parameters and their copy.
Invariant copies_are_rounded(const Groups& groups) {
    return [=](const std::vector<HostTensor>& tensors) -> std::string {
        const std::vector<double>&param = tensors.at(1).values, &copy = tensors.at(3).values;
        for (const ParameterGroup& group : *groups)
            for (auto i = static_cast<std::size_t>(group.begin); i < static_cast<std::size_t>(group.end); ++i)
                if (copy[i] != rounded_to_bf16(static_cast<float>(param[i])))
                    return fmt::format("the copy of parameter {}, {:.9g}, is {:.9g}", i, param[i], copy[i]);
        return {};
    };
}

SgdStep step(CaseMemory& m, std::int64_t n, const Groups& groups, double momentum, bool nesterov, bool copies = false) {
    SgdStep args{.grad = m.input_f32({n}),
                 .param = m.updated_f32({n}, sum_bound()),
                 .learning_rate = m.input_f32({1}, positive(0.05, 0.2)),
                 .groups = *groups};
    if (copies) args.copy = m.updated_bf16({n}, copy_bound());
    if (momentum != 0) args.velocity = m.updated_f32({n}, sum_bound());
    args.momentum = momentum;
    args.nesterov = nesterov;
    return args;
}

// With a fault nothing moves.
SgdStep step_with_fault(CaseMemory& m, std::int64_t n, const Groups& groups, std::int64_t fault) {
    SgdStep args{.grad = m.input_f32({n}, nan_one()),
                 .param = m.updated_f32({n}, fault == 0 ? sum_bound() : exact()),
                 .velocity = m.updated_f32({n}, fault == 0 ? sum_bound() : exact()),
                 .learning_rate = m.input_f32({1}, positive(0.05, 0.2)),
                 .fault = m.integers_below({1}, fault, fault + 1),
                 .groups = *groups,
                 .momentum = 0.9};
    return args;
}

struct Rule {
    double momentum;
    bool nesterov;
    std::string name() const { return fmt::format("_momentum{}{}", momentum, nesterov ? "_nesterov" : ""); }
};

}

Cases<SgdStep> cases(const SgdStep*) {
    Cases<SgdStep> all;
    all.has_bf16 = false;
    for (const Rule& rule : {Rule{0.9, false}, Rule{0.9, true}, Rule{0, false}}) {
        for (const std::int64_t n : {7, 1, 8, 9, 15, 17, 0, 1023, 65537})
            for (const double weight_decay : {0.0, 5e-4}) {
                const Groups groups = one_group(n, weight_decay);
                if (weight_decay != 0)
                    all.add(fmt::format("n{}{}_copy", n, rule.name()), normal(),
                            [=](CaseMemory& m) { return step(m, n, groups, rule.momentum, rule.nesterov, true); })
                        .invariant = copies_are_rounded(groups);
                all.add(fmt::format("n{}{}_decay{}", n, rule.name(), weight_decay), normal(),
                        [=](CaseMemory& m) { return step(m, n, groups, rule.momentum, rule.nesterov); });
            }
        // Groups with unlike factors, out of step with any vector; elements 40 to 49 are frozen, so are those after
        // 1000.
        const auto groups = std::make_shared<const std::vector<ParameterGroup>>(std::vector<ParameterGroup>{
            {0, 3, 1, 5e-4}, {3, 40, 0.1, 0}, {50, 51, 10, 0.1}, {51, 51, 1, 1}, {51, 1000, 0, 0.5}});
        all.add("n1031_groups" + rule.name(), normal(),
                [=](CaseMemory& m) { return step(m, 1031, groups, rule.momentum, rule.nesterov); });
        all.add("n1031_groups_copy" + rule.name(), normal(),
                [=](CaseMemory& m) { return step(m, 1031, groups, rule.momentum, rule.nesterov, true); })
            .invariant = copies_are_rounded(groups);
        const auto none = std::make_shared<const std::vector<ParameterGroup>>();
        all.add("n33_frozen" + rule.name(), normal(),
                [=](CaseMemory& m) { return step(m, 33, none, rule.momentum, rule.nesterov); });
    }
    for (const std::int64_t fault : {0, 1, -3}) {
        const Groups groups = one_group(1031, 5e-4);
        all.add(fmt::format("n1031_fault{}", fault), nan_one(),
                [=](CaseMemory& m) { return step_with_fault(m, 1031, groups, fault); });
    }
    constexpr std::int64_t resnet32 = 464154;  // parameters
    const Groups groups = one_group(resnet32, 2e-4);
    all.bench("n464154_momentum0.9", [=](CaseMemory& m) { return step(m, resnet32, groups, 0.9, false); });
    all.bench("n464154_momentum0.9_copy", [=](CaseMemory& m) { return step(m, resnet32, groups, 0.9, false, true); });
    return all;
}

BKD_CASES_OF(optimizer, Optimizer, BKD_OPTIMIZER_OPS)

}
