// Losses and their gradients in f64. Contract: kernels/loss.h
#include "kernels/loss.h"

#include "kernels/reference/array.h"
#include "kernels/reference/softmax.h"

#include <numeric>

namespace bkd::kernels::reference {
namespace {

std::int64_t checked_label(const In<std::int32_t>& labels, std::int64_t n, std::int64_t classes) {
    const std::int64_t label = labels(n);
    BKD_CHECK(label >= 0 && label < classes, "label {} of sample {} is not in 0..{}", label, n, classes - 1);
    return label;
}

// t_n = e_labels, or lambda e_labels + (1 - lambda) e_partner_labels, or the dense row
Row target_row(const Targets& targets, std::int64_t n, std::int64_t classes) {
    const In<std::int32_t> labels(targets.labels), partner_labels(targets.partner_labels);
    const In mix_lambda(targets.mix_lambda), dense(targets.dense);
    Row t(static_cast<std::size_t>(classes));
    if (dense) {
        for (std::int64_t i = 0; i < classes; ++i) t[static_cast<std::size_t>(i)] = dense(n, i);
        return t;
    }
    const double lambda = mix_lambda ? mix_lambda(targets.mix_lambda.dim(0) == 1 ? 0 : n) : 1;
    t[static_cast<std::size_t>(checked_label(labels, n, classes))] += lambda;
    if (partner_labels) t[static_cast<std::size_t>(checked_label(partner_labels, n, classes))] += 1 - lambda;
    return t;
}

// u_i = z_ni / T
Row logits(const In<>& z, std::int64_t n, std::int64_t classes, double temperature = 1) {
    Row u;
    for (std::int64_t i = 0; i < classes; ++i) u.push_back(z(n, i) / temperature);
    return u;
}

double sum_of(const Row& row) { return std::accumulate(row.begin(), row.end(), 0.0); }

}

// u_i = scale (z_i - [i is the label] margin_i) + shift_i;   l_n = -sum_i weight_i t_i log p(u)_i
// dz = scale (p(u) sum_i weight_i t_i - weight t), over n or the sum of the labels' weights for a mean
void Loss::cross_entropy(Stream&, const CrossEntropy& args) const {
    const In z(args.z), weight(args.weight), shift(args.shift), margin(args.margin);
    const In<std::int32_t> labels(args.targets.labels);
    const Result loss(args.loss), dz(args.dz);
    const std::int64_t samples = args.z.dim(0), classes = args.z.dim(1);
    const auto at = [](const In<>& x, std::int64_t i, double otherwise) { return x ? x(i) : otherwise; };

    double divisor = args.reduction == LossReduction::mean ? static_cast<double>(samples) : 1;
    if (args.reduction == LossReduction::weighted_mean) {
        divisor = 0;
        for (std::int64_t n = 0; n < samples; ++n) divisor += at(weight, checked_label(labels, n, classes), 1);
    }
    double total = 0;
    for (std::int64_t n = 0; n < samples; ++n) {
        Row weighted = target_row(args.targets, n, classes), u;
        for (std::int64_t i = 0; i < classes; ++i) {
            weighted[static_cast<std::size_t>(i)] *= at(weight, i, 1);
            const double margin_here = margin && checked_label(labels, n, classes) == i ? margin(i) : 0;
            u.push_back(args.scale * (z(n, i) - margin_here) + at(shift, i, 0));
        }
        const Row log_p = log_softmax(u);
        double l = 0;
        for (std::size_t i = 0; i < log_p.size(); ++i) l -= times_log(weighted[i], log_p[i]);
        total += l / divisor;
        if (args.reduction == LossReduction::none) loss(n) = l;
        for (std::size_t i = 0; dz && i < log_p.size(); ++i)
            dz(n, static_cast<std::int64_t>(i)) =
                args.scale * (std::exp(log_p[i]) * sum_of(weighted) - weighted[i]) / divisor;
    }
    if (args.reduction != LossReduction::none) loss(0) = total;
}

// l_n = weight_y (1 - p_y)^gamma (-log p_y);   dz = weight_y c (p - e_y) / n
// c = (1 - p_y)^gamma - gamma p_y (1 - p_y)^(gamma - 1) log p_y, whose second term vanishes as p_y becomes 1
void Loss::focal_loss(Stream&, const FocalLoss& args) const {
    const In z(args.z), weight(args.weight);
    const In<std::int32_t> labels(args.labels);
    const Result loss(args.loss), dz(args.dz);
    const std::int64_t samples = args.z.dim(0), classes = args.z.dim(1);
    double total = 0;
    for (std::int64_t n = 0; n < samples; ++n) {
        const std::int64_t label = checked_label(labels, n, classes);
        const Row log_p = log_softmax(logits(z, n, classes));
        const double log_py = log_p[static_cast<std::size_t>(label)], others = -std::expm1(log_py);  // 1 - p_y
        const double share = (weight ? weight(label) : 1) / static_cast<double>(samples);
        const double slope = args.gamma == 0 || others == 0
                                 ? 0
                                 : args.gamma * std::pow(others, args.gamma - 1) * times_log(std::exp(log_py), log_py);
        total += share * std::pow(others, args.gamma) * -log_py;
        for (std::int64_t i = 0; dz && i < classes; ++i) {
            const double p = std::exp(log_p[static_cast<std::size_t>(i)]);
            dz(n, i) = share * (std::pow(others, args.gamma) - slope) * (i == label ? -others : p);
        }
    }
    loss(0) = total;
}

namespace {

// The teacher's side of the divergence: sum of q (log_a - log p).
struct Side {
    Row q, log_a;
};

// eq8: q = omega phat / sum, a = q      eq7: q = omega phat, a = q      eq6: q = omega phat, a = phat
// paper: Eq. 6, 7, 8
Side teacher_side(const Row& u, const Row& log_omega, BkdForm form, TargetMath math) {
    const Row log_phat = log_softmax(u);
    Side side{Row(u.size()), log_phat};
    if (form == BkdForm::eq8 && math == TargetMath::log_domain) {
        Row shifted = u;
        for (std::size_t i = 0; i < u.size(); ++i) shifted[i] += log_omega[i];
        side.log_a = log_softmax(shifted);
        for (std::size_t i = 0; i < u.size(); ++i) side.q[i] = std::exp(side.log_a[i]);
        return side;
    }
    for (std::size_t i = 0; i < u.size(); ++i)
        side.q[i] = math == TargetMath::product ? std::exp(log_omega[i]) * std::exp(log_phat[i])
                                                : std::exp(log_omega[i] + log_phat[i]);
    const double sum = form == BkdForm::eq8 ? sum_of(side.q) : 1;
    for (std::size_t i = 0; i < u.size(); ++i) {
        side.q[i] /= sum;
        if (form != BkdForm::eq6)
            side.log_a[i] = math == TargetMath::product ? std::log(side.q[i]) : log_omega[i] + log_phat[i];
    }
    return side;
}

// q (log a - log p), 0 where q is 0
double divergence(double q, double log_a, double log_p) {
    return q == 0 && !std::isnan(log_p) ? 0 : q * (log_a - log_p);
}

}

// loss = ce_weight ce + kd_weight kl;   ce = mean -sum t log p(z);   kl = T^2 / n sum q (log a - log p(z / T))
// dz = ce_weight (p(z) sum t - t) / n + kd_weight T / n (p(z / T) sum q - q)      paper: Eq. 5, 8
void Loss::distillation(Stream&, const Distillation& args) const {
    const In z(args.z), teacher(args.teacher), omega(args.log_omega);
    const Result loss(args.loss), ce_out(args.ce), kl_out(args.kl), kl_per_class(args.kl_per_class), dz(args.dz);
    const std::int64_t samples = args.z.dim(0), classes = args.z.dim(1);
    const double count = static_cast<double>(samples), temperature = args.temperature;
    Row log_omega(static_cast<std::size_t>(classes)), kl_of(static_cast<std::size_t>(classes));
    for (std::int64_t i = 0; omega && i < classes; ++i) log_omega[static_cast<std::size_t>(i)] = omega(i);

    double ce = 0;
    for (std::int64_t n = 0; n < samples; ++n) {
        const Row t = target_row(args.targets, n, classes);
        const Row log_p = log_softmax(logits(z, n, classes)),
                  log_p_soft = log_softmax(logits(z, n, classes, temperature));
        const auto [q, log_a] =
            teacher_side(logits(teacher, n, classes, temperature), log_omega, args.form, args.target_math);
        for (std::size_t i = 0; i < t.size(); ++i) {
            ce -= times_log(t[i], log_p[i]) / count;
            kl_of[i] += divergence(q[i], log_a[i], log_p_soft[i]) / count;
        }
        for (std::size_t i = 0; dz && i < t.size(); ++i)
            dz(n, static_cast<std::int64_t>(i)) =
                args.ce_weight * (std::exp(log_p[i]) * sum_of(t) - t[i]) / count +
                args.kd_weight * temperature * (std::exp(log_p_soft[i]) * sum_of(q) - q[i]) / count;
    }
    const double kl = temperature * temperature * sum_of(kl_of);
    loss(0) = args.ce_weight * ce + args.kd_weight * kl;
    if (ce_out) ce_out(0) = ce;
    if (kl_out) kl_out(0) = kl;
    for (std::int64_t i = 0; kl_per_class && i < classes; ++i) kl_per_class(i) = kl_of[static_cast<std::size_t>(i)];
}

}
