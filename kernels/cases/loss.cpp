// Cases of kernels/loss.h. Limits: z - max z and what is added to z lose u times their size (`far`), the sum over
// classes a little more; where p and q agree their difference keeps that error, so it is counted at the size of the
// larger.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

constexpr double u = 0x1p-24;

enum class TargetKind : std::uint8_t { hard, mixed_one, mixed_each, dense };
constexpr const char* target_names[] = {"hard", "mixone", "mixeach", "dense"};

Targets targets(CaseMemory& m, std::int64_t n, std::int64_t c, TargetKind kind) {
    Targets t;
    if (kind == TargetKind::dense) {
        t.dense = m.input_f32({n, c}, probabilities());
        return t;
    }
    t.labels = m.labels({n}, c);
    if (kind == TargetKind::hard) return t;
    t.partner_labels = m.labels({n}, c);
    t.mix_lambda = m.input_f32({kind == TargetKind::mixed_each ? n : 1}, uniform(0, 1));
    return t;
}

struct Size {
    std::int64_t n, c;
    std::string name() const { return fmt::format("n{}c{}", n, c); }
};
std::vector<Size> sizes() {
    return {{3, 7}, {1, 1}, {1, 2}, {5, 10}, {4, 16}, {7, 17}, {2, 31}, {128, 10}, {9, 100}, {3, 1023}, {2, 1025}};
}

struct Logits {
    Draw draw;
    double size;  // largest |z|
};
std::vector<Logits> logits() {
    return {{normal(), 5},          {Draw{"forty", Draw::Kind::uniform, -40, 40}, 40},
            {logit_extreme(), 1e4}, {logit_extreme(40), 40},
            {p_tiny(), 200},        {ties(), 1},
            {zeros(), 0},           {nan_one(), 5}};
}

double far_of(double size, std::int64_t c) { return 8 + 3 * size + std::sqrt(static_cast<double>(c)) / 4; }
// A loss of samples that weigh `weight` together.
Bound loss_bound(double far, double weight) { return {.rounding = 32, .absolute = 8 * u * far * weight}; }
// One element of a gradient whose terms are at most `weight`.
Bound gradient_bound(double far, double weight) {
    return {.rounding = 8 * far, .absolute = 8 * u * far * weight, .nmse = std::max(1e-12, std::pow(2 * u * far, 2))};
}

struct CrossEntropyOptions {
    TargetKind target = TargetKind::hard;
    LossReduction reduction = LossReduction::mean;
    bool weight = false, shift = false, margin = false, gradient = true;
    double scale = 1;
    std::string name() const {
        constexpr const char* reductions[] = {"none", "sum", "mean", "wmean"};
        std::string text = fmt::format("_{}_{}", target_names[static_cast<std::size_t>(target)],
                                       reductions[static_cast<std::size_t>(reduction)]);
        if (weight) text += "_weight";
        if (shift) text += "_shift";
        if (margin) text += "_margin";
        if (!gradient) text += "_nodz";
        return scale == 1 ? text : text + fmt::format("_by{}", scale);
    }
};

double cross_entropy_far(const Size& s, const Logits& z, const CrossEntropyOptions& o) {
    return far_of(o.scale * (z.size + (o.margin ? 1 : 0)) + (o.shift ? 17 : 0), s.c);
}

// The limit of one element of dz; weighted_mean divides by a sum of weights of at least n / 2.
Bound cross_entropy_gradient(const Size& s, const Logits& z, const CrossEntropyOptions& o) {
    const bool is_mean = o.reduction == LossReduction::mean || o.reduction == LossReduction::weighted_mean;
    const double rows = is_mean ? static_cast<double>(s.n) : 1,
                 lightest = o.reduction == LossReduction::weighted_mean && o.weight ? 0.5 : 1;
    return gradient_bound(cross_entropy_far(s, z, o), (o.weight ? 2 : 1) * o.scale / (rows * lightest));
}

CrossEntropy cross_entropy(CaseMemory& m, const Size& s, const Logits& z, const CrossEntropyOptions& o) {
    const double rows = o.reduction == LossReduction::sum ? static_cast<double>(s.n) : 1;
    const Bound loss = loss_bound(cross_entropy_far(s, z, o), (o.weight ? 4 : 2) * rows);
    CrossEntropy args{.z = m.input({s.n, s.c}, z.draw), .targets = targets(m, s.n, s.c, o.target), .loss = {}};
    args.loss = m.output_f32({o.reduction == LossReduction::none ? s.n : 1}, loss);
    if (o.gradient) args.dz = m.output({s.n, s.c}, cross_entropy_gradient(s, z, o));
    if (o.weight) args.weight = m.input_f32({s.c}, positive());
    if (o.shift) args.shift = m.input_f32({s.c}, count_extreme());
    if (o.margin) args.margin = m.input_f32({s.c}, uniform(0, 1));
    args.scale = o.scale;
    args.reduction = o.reduction;
    return args;
}

// Tensors of a case before its loss: logits, targets, and `more`.
std::size_t loss_place(TargetKind target, std::size_t more) {
    const bool is_mixed = target == TargetKind::mixed_one || target == TargetKind::mixed_each;
    return 1 + (is_mixed ? 3 : 1) + more;
}

// A cross-entropy is not negative; a gradient of plain labels sums to 0 in every row.
Invariant of_cross_entropy(const Size& s, const Logits& z, const CrossEntropyOptions& o) {
    const double rows = o.reduction == LossReduction::sum ? static_cast<double>(s.n) : 1;
    const std::size_t loss = loss_place(o.target, 0);
    const Invariant is_positive =
        at_least(loss, -loss_bound(cross_entropy_far(s, z, o), (o.weight ? 4 : 2) * rows).absolute);
    if (!o.gradient || o.target != TargetKind::hard) return is_positive;
    return all_of({is_positive, rows_sum_to(loss + 1, 0, 64, cross_entropy_gradient(s, z, o).absolute)});
}

std::vector<CrossEntropyOptions> cross_entropy_options() {
    using enum TargetKind;
    std::vector<CrossEntropyOptions> all;
    for (const LossReduction reduction :
         {LossReduction::mean, LossReduction::none, LossReduction::sum, LossReduction::weighted_mean}) {
        all.push_back({.reduction = reduction});
        all.push_back({.reduction = reduction, .weight = true});
        if (reduction == LossReduction::weighted_mean) continue;
        all.push_back({.target = mixed_one, .reduction = reduction, .weight = true});
        all.push_back({.target = dense, .reduction = reduction, .weight = true});
    }
    for (const TargetKind target : {mixed_one, mixed_each, dense}) all.push_back({.target = target});
    all.push_back({.shift = true});
    all.push_back({.target = mixed_each, .weight = true, .shift = true});
    all.push_back({.margin = true});
    all.push_back({.margin = true, .scale = 30});
    all.push_back({.weight = true, .shift = true, .margin = true, .scale = 0.5});
    all.push_back({.gradient = false});
    return all;
}

struct DistillationOptions {
    BkdForm form = BkdForm::eq8;
    TargetMath math = TargetMath::log_domain;
    TargetKind target = TargetKind::hard;
    int omega = 1;  // 0: none, 1: moderate, 2: of extreme counts, 3: one class left out
    double temperature = 2, kd_weight = 1, ce_weight = 1;
    bool parts = true, gradient = true;
    std::string name() const {
        constexpr const char* forms[] = {"eq8", "eq7", "eq6"};
        constexpr const char* omegas[] = {"", "_omega", "_counts", "_without"};
        std::string text = fmt::format("_{}{}_{}{}_t{}", forms[static_cast<std::size_t>(form)],
                                       math == TargetMath::product ? "_product" : "",
                                       target_names[static_cast<std::size_t>(target)], omegas[omega], temperature);
        if (kd_weight != 1 || ce_weight != 1) text += fmt::format("_kd{}_ce{}", kd_weight, ce_weight);
        return text + (parts ? "" : "_bare") + (gradient ? "" : "_nodz");
    }
};

Distillation distillation(CaseMemory& m, const Size& s, const Logits& z, const Logits& teacher,
                          const DistillationOptions& o) {
    constexpr double largest_log[] = {0, 1, 17, 1};
    const double log_omega = largest_log[o.omega], t2 = o.temperature * o.temperature, n = static_cast<double>(s.n);
    const double far = far_of(std::max(z.size, std::max(z.size, teacher.size) / o.temperature) + log_omega, s.c);
    const double mass = o.form == BkdForm::eq8 ? 1 : std::exp(log_omega);  // of the teacher's side
    const double kl = t2 * mass * 2;
    Distillation args{.z = m.input({s.n, s.c}, z.draw),
                      .teacher = m.input({s.n, s.c}, teacher.draw),
                      .targets = targets(m, s.n, s.c, o.target),
                      .loss = {}};
    if (o.omega == 1) args.log_omega = m.input_f32({s.c}, uniform(-1, 1));
    if (o.omega == 2) args.log_omega = m.input_f32({s.c}, count_extreme());
    if (o.omega == 3) args.log_omega = m.input_f32({s.c}, minus_inf_one());
    args.loss = m.output_f32({1}, loss_bound(far, 2 * o.ce_weight + o.kd_weight * kl));
    if (o.parts) {
        args.ce = m.output_f32({1}, loss_bound(far, 2));
        args.kl = m.output_f32({1}, loss_bound(far, kl));
        args.kl_per_class = m.output_f32({s.c}, loss_bound(far, mass));
    }
    if (o.gradient)
        args.dz = m.output({s.n, s.c}, gradient_bound(far, (o.ce_weight + o.kd_weight * o.temperature * mass) / n));
    args.temperature = o.temperature;
    args.kd_weight = o.kd_weight;
    args.ce_weight = o.ce_weight;
    args.form = o.form;
    args.target_math = o.math;
    return args;
}

// Cross-entropy and divergence are not negative.
Invariant of_distillation(const Size& s, const Logits& z, const DistillationOptions& o) {
    constexpr double largest_log[] = {0, 1, 17, 1};
    const double far = far_of(std::max(z.size, z.size / o.temperature) + largest_log[o.omega], s.c);
    const std::size_t loss = loss_place(o.target, o.omega == 0 ? 1 : 2);
    return all_of({at_least(loss + 1, -loss_bound(far, 2).absolute),
                   at_least(loss + 2, -loss_bound(far, 2 * o.temperature * o.temperature).absolute)});
}

std::vector<DistillationOptions> distillation_options() {
    using enum TargetKind;
    std::vector<DistillationOptions> all;
    for (const BkdForm form : {BkdForm::eq8, BkdForm::eq7, BkdForm::eq6})
        for (const TargetMath math : {TargetMath::log_domain, TargetMath::product})
            for (const int omega : {0, 1, 2}) all.push_back({.form = form, .math = math, .omega = omega});
    for (const BkdForm form : {BkdForm::eq8, BkdForm::eq7, BkdForm::eq6}) all.push_back({.form = form, .omega = 3});
    for (const TargetKind target : {mixed_one, mixed_each, dense}) all.push_back({.target = target});
    for (const double temperature : {1.0, 0.5, 4.0}) all.push_back({.temperature = temperature});
    all.push_back({.kd_weight = 0.3, .ce_weight = 0.7});
    all.push_back({.kd_weight = 0});
    all.push_back({.ce_weight = 0});
    all.push_back({.parts = false});
    all.push_back({.gradient = false});
    return all;
}

}

Cases<CrossEntropy> cases(const CrossEntropy*) {
    Cases<CrossEntropy> all;
    for (const Size& s : sizes())
        for (const CrossEntropyOptions& o : cross_entropy_options()) {
            const Draw extra = o.shift ? count_extreme() : normal();  // the shift is log counts
            Case<CrossEntropy>& c = all.add(s.name() + o.name(), extra, [=](CaseMemory& m) {
                return cross_entropy(m, s, {normal(), 5}, o);
            });
            c.invariant = of_cross_entropy(s, {normal(), 5}, o);
        }
    for (const Logits& z : logits())
        for (const CrossEntropyOptions& o :
             {CrossEntropyOptions{}, CrossEntropyOptions{.reduction = LossReduction::none},
              CrossEntropyOptions{.target = TargetKind::mixed_one, .weight = true, .shift = true}}) {
            const Size s{6, 10};
            all.add(s.name() + o.name() + fmt::format("_z{}", z.size), z.draw,
                    [=](CaseMemory& m) { return cross_entropy(m, s, z, o); });
        }
    for (const LossReduction reduction : {LossReduction::none, LossReduction::sum})
        all.add("n0c5" + CrossEntropyOptions{.reduction = reduction}.name(), normal(), [=](CaseMemory& m) {
            return cross_entropy(m, {0, 5}, {normal(), 5}, {.reduction = reduction});
        });
    for (const std::int64_t c : {10, 100})
        all.bench(fmt::format("n128c{}", c), [=](CaseMemory& m) {
            return cross_entropy(m, {128, c}, {normal(), 5}, {});
        });
    return all;
}

Cases<FocalLoss> cases(const FocalLoss*) {
    Cases<FocalLoss> all;
    const auto make = [](CaseMemory& m, const Size& s, const Logits& z, double gamma, bool weight, bool gradient) {
        const double far = far_of(z.size, s.c) * (1 + gamma), n = static_cast<double>(s.n);
        FocalLoss args{.z = m.input({s.n, s.c}, z.draw),
                       .labels = m.labels({s.n}, s.c),
                       .loss = m.output_f32({1}, loss_bound(far, 2))};
        // c is (1 - p)^gamma and gamma p (1 - p)^(gamma - 1) |log p|, at most 1 + gamma.
        if (gradient) args.dz = m.output({s.n, s.c}, gradient_bound(far, 2 * (1 + gamma) / n));
        if (weight) args.weight = m.input_f32({s.c}, positive());
        args.gamma = gamma;
        return args;
    };
    for (const Size& s : sizes())
        for (const double gamma : {0.0, 1.0, 2.0, 5.0})
            for (const bool weight : {false, true})
                all.add(fmt::format("{}_gamma{}{}", s.name(), gamma, weight ? "_weight" : ""), normal(),
                        [=](CaseMemory& m) {
                            return make(m, s, {normal(), 5}, gamma, weight, true);
                        })
                    .invariant = at_least(2, -loss_bound(far_of(5, s.c) * (1 + gamma), 2).absolute);
    for (const Logits& z : logits())
        for (const double gamma : {0.0, 1.0, 2.0})
            all.add(fmt::format("n6c10_gamma{}_z{}", gamma, z.size), z.draw, [=](CaseMemory& m) {
                return make(m, {6, 10}, z, gamma, false, true);
            });
    all.add("n5c10_gamma0.5", normal(), [=](CaseMemory& m) {
        return make(m, {5, 10}, {normal(), 5}, 0.5, false, true);
    });
    all.add("n5c10_gamma2_nodz", normal(), [=](CaseMemory& m) {
        return make(m, {5, 10}, {normal(), 5}, 2, false, false);
    });
    for (const std::int64_t c : {10, 100})
        all.bench(fmt::format("n128c{}", c), [=](CaseMemory& m) {
            return make(m, {128, c}, {normal(), 5}, 2, true, true);
        });
    return all;
}

Cases<Distillation> cases(const Distillation*) {
    Cases<Distillation> all;
    for (const Size& s : sizes())
        for (const DistillationOptions& o : distillation_options()) {
            const bool is_small = s.c <= 17 || o.omega == 1;
            if (!is_small) continue;
            const Draw extra = o.omega == 2   ? count_extreme()
                               : o.omega == 3 ? minus_inf_one()
                                              : normal();  // of log omega
            Case<Distillation>& c = all.add(s.name() + o.name(), extra, [=](CaseMemory& m) {
                return distillation(m, s, {normal(), 5}, {normal(), 5}, o);
            });
            if (o.form == BkdForm::eq8 && o.parts) c.invariant = of_distillation(s, {normal(), 5}, o);
        }
    for (const Logits& z : logits())
        for (const TargetMath math : {TargetMath::log_domain, TargetMath::product})
            for (const int omega : {0, 1}) {
                const DistillationOptions o{.math = math, .omega = omega};
                const std::string name = "n6c10" + o.name() + fmt::format("_z{}", z.size);
                all.add(name, z.draw, [=](CaseMemory& m) { return distillation(m, {6, 10}, z, {normal(), 5}, o); });
                all.add(name + "_both", z.draw, [=](CaseMemory& m) { return distillation(m, {6, 10}, z, z, o); });
            }
    for (const Logits& teacher : logits())
        for (const int omega : {0, 1, 2}) {
            const DistillationOptions o{.omega = omega};
            all.add("n6c10" + o.name() + fmt::format("_teacher{}", teacher.size), teacher.draw, [=](CaseMemory& m) {
                return distillation(m, {6, 10}, {normal(), 5}, teacher, o);
            });
        }
    for (const std::int64_t c : {10, 100})
        all.bench(fmt::format("n128c{}", c), [=](CaseMemory& m) {
            return distillation(m, {128, c}, {normal(), 5}, {normal(), 5},
                                {.target = TargetKind::mixed_one, .parts = false});
        });
    return all;
}

BKD_CASES_OF(loss, Loss, BKD_LOSS_OPS)

}
