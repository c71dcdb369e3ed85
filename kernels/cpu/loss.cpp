// Losses on the CPU. Contract: kernels/loss.h. A leaf function takes one row from logits to loss and gradient while it
// lies in the first cache: some ten short loops over c numbers. Rows are independent, their losses wait in f64 and are
// added in row order at the end. Scalars of a row (logarithm of the sum, loss) are f64: they cost nothing there.
#include "kernels/loss.h"

#include "kernels/cpu/indices.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax.h"

#include <cmath>

namespace bkd::kernels::cpu {
namespace {

// What one row should predict: a dense row, or one or two classes with their masses.
struct RowTarget {
    const float* dense = nullptr;
    std::array<std::int64_t, 2> label{};
    std::array<float, 2> mass{};
};

class TargetReader {
public:
    TargetReader(const Targets& targets, std::int64_t c) : c_(c) {
        check_indices("labels", targets.labels, c);
        check_indices("partner_labels", targets.partner_labels, c);
        if (targets.dense) dense_ = targets.dense.as<float>();
        if (targets.labels) labels_ = targets.labels.as<std::int32_t>();
        if (!targets.partner_labels) return;
        partner_labels_ = targets.partner_labels.as<std::int32_t>();
        lambda_ = targets.mix_lambda.as<float>();
        lambda_step_ = targets.mix_lambda.count() == 1 ? 0 : 1;
    }
    RowTarget row(std::int64_t n) const {
        if (dense_ != nullptr) return {.dense = dense_ + n * c_};
        if (partner_labels_ == nullptr) return {.label = {labels_[n], labels_[n]}, .mass = {1, 0}};
        const float lambda = lambda_[n * lambda_step_];
        return {.label = {labels_[n], partner_labels_[n]}, .mass = {lambda, 1 - lambda}};
    }

private:
    std::int64_t c_, lambda_step_ = 0;
    const float *dense_ = nullptr, *lambda_ = nullptr;
    const std::int32_t *labels_ = nullptr, *partner_labels_ = nullptr;
};

const float* optional(const ConstView& view) { return view ? view.as<float>() : nullptr; }
float* optional(const View& view) { return view ? view.as<float>() : nullptr; }

struct CrossEntropyTerms {
    double loss;  // -sum_i weight_i t_i log p_i
    double mass;  // sum_i weight_i t_i
};

// log p_i = (u_i - max) - log_sum. A class without mass adds nothing, even where its log p is -infinity.
BKD_INLINE CrossEntropyTerms cross_entropy_terms(const RowTarget& target, const float* weight, const float* u,
                                                 float max, double log_sum, std::int64_t c) {
    CrossEntropyTerms terms{0, 0};
    if (target.dense == nullptr) {
        for (std::size_t k = 0; k < 2; ++k) {
            const std::int64_t i = target.label[k];
            const double mass = static_cast<double>(target.mass[k]) * (weight == nullptr ? 1.0f : weight[i]);
            terms.mass += mass;
            if (target.mass[k] != 0) terms.loss += mass * (log_sum - (u[i] - max));
        }
        return terms;
    }
    float loss = 0, total = 0;
    const auto log_of_sum = static_cast<float>(log_sum);
#pragma omp simd reduction(+ : loss, total)
    for (std::int64_t i = 0; i < c; ++i) {
        const float mass = weight == nullptr ? target.dense[i] : weight[i] * target.dense[i];
        total += mass;
        loss += mass == 0 ? 0 : mass * (log_of_sum - (u[i] - max));
    }
    return {loss, total};
}

// dz_i -= factor weight_i t_i
BKD_INLINE void subtract_target(const RowTarget& target, const float* weight, double factor, float* dz,
                                std::int64_t c) {
    if (target.dense == nullptr) {
        for (std::size_t k = 0; k < 2; ++k) {
            const std::int64_t i = target.label[k];
            dz[i] -= static_cast<float>(factor * target.mass[k] * (weight == nullptr ? 1.0f : weight[i]));
        }
        return;
    }
    const auto each = static_cast<float>(factor);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i)
        dz[i] -= each * (weight == nullptr ? target.dense[i] : weight[i] * target.dense[i]);
}

struct CrossEntropyRow {
    const float* z;
    RowTarget target;
    const float *weight, *shift, *margin;
    float scale;
    double gradient_factor;
    float* dz;
};

BKD_SIMD double cross_entropy_row(const CrossEntropyRow& row, float* scratch, std::int64_t c) {
    float *u = scratch, *e = scratch + c;
    scaled_row(row.z, row.scale, 1, u, c);
    if (row.margin != nullptr) {
        const std::int64_t y = row.target.label[0];
        u[y] = row.scale * (row.z[y] - row.margin[y]);
    }
    if (row.shift != nullptr) shift_row(u, row.shift, c);
    const float max = largest(u, c);
    const double sum = exponentials(u, max, e, c);
    const CrossEntropyTerms terms = cross_entropy_terms(row.target, row.weight, u, max, std::log(sum), c);
    if (row.dz != nullptr) {
        const double factor = row.gradient_factor * row.scale;
        const auto of_exponential = static_cast<float>(factor * terms.mass / sum);
#pragma omp simd
        for (std::int64_t i = 0; i < c; ++i) row.dz[i] = of_exponential * e[i];
        subtract_target(row.target, row.weight, factor, row.dz, c);
    }
    return terms.loss;
}

struct FocalRow {
    const float* z;
    std::int64_t label;
    double weight, gamma, gradient_factor;
    float* dz;
};

// 1 - p_y is the sum over the other classes, divided: 1 minus a rounded p_y has no digits left where p_y is near 1.
BKD_SIMD double focal_row(const FocalRow& row, float* e, std::int64_t c) {
    const float max = largest(row.z, c), z_label = row.z[row.label];
    exponentials(row.z, max, e, c);
    const double own = e[row.label];
    e[row.label] = 0;
    const double others = sum_of_row(e, c);
    e[row.label] = static_cast<float>(own);

    const double sum = own + others, p = own / sum, rest = others / sum;
    const double log_p = own == 1 ? -std::log1p(others) : (z_label - max) - std::log(sum);
    const double power = std::pow(rest, row.gamma);
    if (row.dz != nullptr) {
        // At rest = 0 the second term's limit is 0, though rest^(gamma - 1) has none for gamma < 1.
        const double slope = row.gamma == 0 || rest == 0 ? 0 : row.gamma * p * std::pow(rest, row.gamma - 1) * log_p;
        const double factor = row.gradient_factor * row.weight * (power - slope);
        const auto of_exponential = static_cast<float>(factor / sum);
#pragma omp simd
        for (std::int64_t i = 0; i < c; ++i) row.dz[i] = of_exponential * e[i];
        row.dz[row.label] = static_cast<float>(-factor * rest);
    }
    return -row.weight * power * log_p;
}

struct DistillationRow {
    const float *z, *teacher;
    RowTarget target;
    const float *log_omega, *omega;  // omega: with TargetMath::product only
    BkdForm form;
    float temperature;
    double ce_factor, kl_factor;  // of the gradient
    float *kl_terms, *dz;
};

// The teacher's side: q_i, and log_q_i - offset, which stands for log q_i in the divergence.
struct TeacherSide {
    double mass;    // sum of q
    double offset;  // of log_q, in f64: the divergence is a difference of two such offsets
};

BKD_INLINE TeacherSide teacher_side(const DistillationRow& row, float* q, float* log_q, std::int64_t c) {
    const bool is_shifted = row.log_omega != nullptr && row.form == BkdForm::eq8 && row.omega == nullptr;
    scaled_row(row.teacher, 1, row.temperature, log_q, c);
    if (is_shifted) shift_row(log_q, row.log_omega, c);
    const float max = largest(log_q, c);
    const double sum = exponentials(log_q, max, q, c), log_sum = std::log(sum);
    normalize(q, sum, c);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) log_q[i] -= max;
    if (is_shifted || row.log_omega == nullptr) return {1, log_sum};

    const auto log_of_sum = static_cast<float>(log_sum);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) {
        q[i] = row.omega == nullptr ? vector_exp(row.log_omega[i] + (log_q[i] - log_of_sum)) : row.omega[i] * q[i];
        log_q[i] += row.form == BkdForm::eq6 ? 0 : row.log_omega[i];
    }
    const double mass = sum_of_row(q, c);
    if (row.form != BkdForm::eq8) return {mass, log_sum};
    normalize(q, mass, c);
    return {1, log_sum + std::log(mass)};
}

struct DistillationLoss {
    double ce, kl;  // kl without T^2
};

BKD_SIMD DistillationLoss distillation_row(const DistillationRow& row, float* scratch, std::int64_t c) {
    float *e = scratch, *q = scratch + c, *log_q = scratch + 2 * c, *p = scratch + 3 * c, *u = scratch + 4 * c;
    const float max = largest(row.z, c);
    const double sum = exponentials(row.z, max, e, c);
    const CrossEntropyTerms ce = cross_entropy_terms(row.target, nullptr, row.z, max, std::log(sum), c);

    scaled_row(row.z, 1, row.temperature, u, c);
    const float max_u = largest(u, c);
    const double sum_u = exponentials(u, max_u, p, c);
    normalize(p, sum_u, c);
    const TeacherSide teacher = teacher_side(row, q, log_q, c);
    const auto offset = static_cast<float>(std::log(sum_u) - teacher.offset);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) u[i] = q[i] == 0 ? 0 : q[i] * ((log_q[i] - (u[i] - max_u)) + offset);
    const double kl = sum_of_row(u, c);
    if (row.kl_terms != nullptr) std::copy_n(u, c, row.kl_terms);
    if (row.dz != nullptr) {
        const auto of_exponential = static_cast<float>(row.ce_factor * ce.mass / sum);
        const auto of_difference = static_cast<float>(row.kl_factor), mass = static_cast<float>(teacher.mass);
#pragma omp simd
        for (std::int64_t i = 0; i < c; ++i) row.dz[i] = of_exponential * e[i] + of_difference * (mass * p[i] - q[i]);
        subtract_target(row.target, nullptr, row.ce_factor, row.dz, c);
    }
    return {ce.loss, kl};
}

// row(n, scratch) for every row, with `width` numbers of scratch memory. At most 64 tiles, so that scratch stays small.
template <class Row>
void for_each_row(Stream& stream, std::int64_t n, std::int64_t c, std::int64_t softmaxes, std::int64_t width,
                  const Row& row) {
    const std::int64_t row_work = 10 * softmaxes * c;  // an exponential counts 10
    const std::int64_t tile = std::max({std::int64_t{1}, work_worth_a_thread / row_work, tile_count(n, 64)});
    const Scratch memory(stream, static_cast<std::size_t>(tile_count(n, tile) * width) * sizeof(float));
    parallel_for(cpu_stream(stream), n, tile, n * row_work,
                 [&](std::int64_t first, std::int64_t last, std::int64_t index) {
                     for (std::int64_t i = first; i < last; ++i) row(i, memory.as<float>() + index * width);
                 });
}

double sum_of(const double* x, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += x[i];
    return sum;
}

// What the sum over rows is divided by.
double divisor_of(const CrossEntropy& args) {
    const std::int64_t n = args.z.dim(0);
    if (args.reduction == LossReduction::mean) return static_cast<double>(n);
    if (args.reduction != LossReduction::weighted_mean) return 1;
    if (!args.weight) return static_cast<double>(n);
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += args.weight.as<float>()[args.targets.labels.as<std::int32_t>()[i]];
    return sum;
}

}

void Loss::cross_entropy(Stream& stream, const CrossEntropy& args) const {
    const std::int64_t n = args.z.dim(0), c = args.z.dim(1);
    const TargetReader targets(args.targets, c);
    const double divisor = divisor_of(args);
    const auto *z = args.z.as<float>(), *weight = optional(args.weight), *shift = optional(args.shift),
               *margin = optional(args.margin);
    float* dz = optional(args.dz);
    const Scratch losses(stream, static_cast<std::size_t>(n) * sizeof(double));
    for_each_row(stream, n, c, 1, 2 * c, [&](std::int64_t i, float* scratch) {
        const CrossEntropyRow row{z + i * c,   targets.row(i),
                                  weight,      shift,
                                  margin,      static_cast<float>(args.scale),
                                  1 / divisor, dz == nullptr ? nullptr : dz + i * c};
        losses.as<double>()[i] = cross_entropy_row(row, scratch, c);
    });
    auto* loss = args.loss.as<float>();
    if (args.reduction == LossReduction::none)
        for (std::int64_t i = 0; i < n; ++i) loss[i] = static_cast<float>(losses.as<double>()[i]);
    else
        loss[0] = static_cast<float>(sum_of(losses.as<double>(), n) / divisor);
}

void Loss::focal_loss(Stream& stream, const FocalLoss& args) const {
    const std::int64_t n = args.z.dim(0), c = args.z.dim(1);
    check_indices("labels", args.labels, c);
    const auto *z = args.z.as<float>(), *weight = optional(args.weight);
    const auto* labels = args.labels.as<std::int32_t>();
    float* dz = optional(args.dz);
    const Scratch losses(stream, static_cast<std::size_t>(n) * sizeof(double));
    for_each_row(stream, n, c, 1, c, [&](std::int64_t i, float* scratch) {
        const FocalRow row{z + i * c,
                           labels[i],
                           weight == nullptr ? 1.0f : weight[labels[i]],
                           args.gamma,
                           1 / static_cast<double>(n),
                           dz == nullptr ? nullptr : dz + i * c};
        losses.as<double>()[i] = focal_row(row, scratch, c);
    });
    args.loss.as<float>()[0] = static_cast<float>(sum_of(losses.as<double>(), n) / static_cast<double>(n));
}

void Loss::distillation(Stream& stream, const Distillation& args) const {
    const std::int64_t n = args.z.dim(0), c = args.z.dim(1);
    const TargetReader targets(args.targets, c);
    const auto *z = args.z.as<float>(), *teacher = args.teacher.as<float>(), *log_omega = optional(args.log_omega);
    float *dz = optional(args.dz), *per_class = optional(args.kl_per_class);
    const double temperature = args.temperature, samples = static_cast<double>(n);
    const bool wants_omega = log_omega != nullptr && args.target_math == TargetMath::product;

    const Scratch losses(stream, static_cast<std::size_t>(2 * n) * sizeof(double));
    const Scratch omega(stream, static_cast<std::size_t>(wants_omega ? c : 0) * sizeof(float));
    const Scratch terms(stream, static_cast<std::size_t>(per_class != nullptr ? n * c : 0) * sizeof(float));
    double *ce = losses.as<double>(), *kl = ce + n;
    if (wants_omega) std::transform(log_omega, log_omega + c, omega.as<float>(), [](float x) { return std::exp(x); });

    for_each_row(stream, n, c, 3, 5 * c, [&](std::int64_t i, float* scratch) {
        const DistillationRow row{z + i * c,
                                  teacher + i * c,
                                  targets.row(i),
                                  log_omega,
                                  wants_omega ? omega.as<float>() : nullptr,
                                  args.form,
                                  static_cast<float>(temperature),
                                  args.ce_weight / samples,
                                  args.kd_weight * temperature / samples,
                                  per_class == nullptr ? nullptr : terms.as<float>() + i * c,
                                  dz == nullptr ? nullptr : dz + i * c};
        const DistillationLoss loss = distillation_row(row, scratch, c);
        ce[i] = loss.ce;
        kl[i] = loss.kl;
    });
    const double mean_ce = sum_of(ce, n) / samples, mean_kl = temperature * temperature * (sum_of(kl, n) / samples);
    args.loss.as<float>()[0] = static_cast<float>(args.ce_weight * mean_ce + args.kd_weight * mean_kl);
    if (args.ce) args.ce.as<float>()[0] = static_cast<float>(mean_ce);
    if (args.kl) args.kl.as<float>()[0] = static_cast<float>(mean_kl);
    for (std::int64_t i = 0; per_class != nullptr && i < c; ++i) {
        double sum = 0;
        for (std::int64_t row = 0; row < n; ++row) sum += terms.as<float>()[row * c + i];
        per_class[i] = static_cast<float>(sum / samples);
    }
}

}
