// Knowledge distillation, plain and balanced, on a device: cross-entropy, divergence and the gradient of both in one
// launch. Contract: kernels/loss.h
#include "kernels/cuda/row_loss.cuh"

namespace bkd::kernels::cuda {
namespace {

struct DistillationOptions {
    const float* log_omega;  // null: omega = 1
    float temperature;
    double ce_weight, kd_weight;  // of the loss
    float ce_factor, kl_factor;   // of the gradient
    BkdForm form;
    bool is_product, is_shifted;  // is_shifted: log omega is added before the softmax
};

struct DistillationOutputs {
    float *loss, *ce, *kl, *kl_per_class;  // the last three may be null
    double* partial;                       // scratch [2, blocks]
    float* terms;                          // scratch [n, c], null: not wanted
};

// The maximum of a row and the sum of its exponentials.
struct Softmax {
    float top = -INFINITY, sum = 0, log_sum = 0;
    __device__ float log_p(float u) const { return (u - top) - log_sum; }
    __device__ float p(float u) const { return expf(u - top) / sum; }
};

// The teacher's side of the divergence, sum of q (log a - log p):
//   eq8   q = omega phat / sum, a = q      eq7   q = omega phat, a = q      eq6   q = omega phat, a = phat
// `v` is (teacher - its maximum) / T, with log omega added if is_shifted: added before the maximum is taken off, log
// omega would lose its digits beside large logits.
struct TeacherSide {
    const DistillationOptions& options;
    Softmax softmax;
    float sum = 1, log_sum = 0;  // of omega phat, which eq8 divides by

    __device__ float log_omega(int i) const { return options.log_omega == nullptr ? 0.0f : options.log_omega[i]; }
    __device__ bool is_plain() const { return options.is_shifted || options.log_omega == nullptr; }
    __device__ float unnormalised(float v, int i) const {
        if (is_plain()) return softmax.p(v);
        return options.is_product ? expf(log_omega(i)) * softmax.p(v) : expf(log_omega(i) + softmax.log_p(v));
    }
    __device__ float q(float v, int i) const { return unnormalised(v, i) / sum; }
    __device__ float log_a(float v, int i) const {
        const float omega = is_plain() || options.form == BkdForm::eq6 ? 0.0f : log_omega(i);
        return softmax.log_p(v) + omega - log_sum;
    }
};

// Formula   loss = ce_weight ce + kd_weight kl;  ce = mean -sum t log p(z);  kl = T^2 / n sum q (log a - log p(z / T))
//           dz = ce_weight (p(z) sum t - t) / n + kd_weight T / n (p(z / T) sum q - q)
// Shapes    z, teacher, dz [n, c] f32 bf16; loss, ce, kl [1], kl_per_class, log_omega [c] f32; dense targets and terms
//           [n, c] f32
// Mapping   a team a row, see row_loss.cuh; the maximum of z / T is that of z over T, exactly
// Bytes     z, teacher and dense targets once, again from the first cache; dz written. For kl_per_class terms written,
//           and all of them read by the last block. Exponentials an element: six without omega and for eq8 in the log
//           domain, seven for eq6 and eq7 there, nine for products with omega; two fewer without dz
// Source    Zhang et al., "Balanced knowledge distillation for long-tailed learning", Eq. 5 to 8
template <int threads, class T>
__global__ void __launch_bounds__(2 * loss_threads, 2)
    distillation_kernel(const T* z, const T* teacher, TargetReader targets, DistillationOptions options, T* dz,
                        DistillationOutputs out, std::int64_t rows, int c) {
    using Row = Team<threads>;
    const std::int64_t teams = std::int64_t{gridDim.x} * blockDim.x / threads;
    const float inverse = 1 / options.temperature;
    Totals<2> total{};
    for (std::int64_t n = global_thread() / threads; n < rows; n += teams) {  // whole teams
        const RowTarget target = targets.row(n);
        const T *own = z + n * c, *theirs = teacher + n * c;
        const auto student = [&](int i) { return to_float(own[i]); };
        const auto soft = [&](int i) { return to_float(own[i]) * inverse; };
        Softmax hard, softened;
        TeacherSide side{options, {}};
        float highest = -INFINITY;
        const auto guide = [&](int i) {
            return (to_float(theirs[i]) - highest) * inverse + (options.is_shifted ? options.log_omega[i] : 0.0f);
        };
        for (int i = Row::lane(); i < c; i += threads) {
            hard.top = fmaxf(hard.top, student(i));
            highest = fmaxf(highest, to_float(theirs[i]));
        }
        hard.top = Row::template all<MaxOf>(hard.top);
        softened.top = hard.top * inverse;
        highest = Row::template all<MaxOf>(highest);
        side.softmax.top = 0;
        if (options.is_shifted) {
            float top = -INFINITY;
            for (int i = Row::lane(); i < c; i += threads) top = fmaxf(top, guide(i));
            side.softmax.top = Row::template all<MaxOf>(top);
        }

        float target_mass = 0;
        for (int i = Row::lane(); i < c; i += threads) {
            hard.sum += expf(student(i) - hard.top);
            softened.sum += expf(soft(i) - softened.top);
            side.softmax.sum += expf(guide(i) - side.softmax.top);
            target_mass += target(i);
        }
        const auto finish = [](Softmax& softmax) {
            softmax.sum = Row::template all<SumOf>(softmax.sum);
            softmax.log_sum = logf(softmax.sum);
        };
        finish(hard);
        finish(softened);
        finish(side.softmax);
        target_mass = Row::template all<SumOf>(target_mass);

        float q_mass = 1;
        if (!side.is_plain()) {
            float mass = 0;
            for (int i = Row::lane(); i < c; i += threads) mass += side.unnormalised(guide(i), i);
            q_mass = Row::template all<SumOf>(mass);
            if (options.form == BkdForm::eq8) {
                side.sum = q_mass;
                side.log_sum = logf(q_mass);
                q_mass = 1;
            }
        }
        float ce = 0, kl = 0;
        for (int i = Row::lane(); i < c; i += threads) {
            const float t = target(i), v = guide(i), q = side.q(v, i), u = soft(i);
            ce -= times_log(t, hard.log_p(student(i)));
            const float log_p = softened.log_p(u);
            const float term = q == 0 && !isnan(log_p) ? 0.0f : q * (side.log_a(v, i) - log_p);
            kl += term;
            if (out.terms != nullptr) out.terms[n * c + i] = term;
            if (dz != nullptr)
                dz[n * c + i] = from_float<T>(options.ce_factor * (hard.p(student(i)) * target_mass - t) +
                                              options.kl_factor * (softened.p(u) * q_mass - q));
        }
        ce = Row::template all<SumOf>(ce);
        kl = Row::template all<SumOf>(kl);
        total.of[0] += static_cast<double>(ce);
        total.of[1] += static_cast<double>(kl);
    }
    if (!add_teams<threads>(total, out.partial, targets.state)) return;
    const double count = static_cast<double>(rows), t2 = static_cast<double>(options.temperature) * options.temperature;
    const double ce = total.of[0] / count, kl = t2 * total.of[1] / count;
    if (threadIdx.x == 0) {
        out.loss[0] = static_cast<float>(options.ce_weight * ce + options.kd_weight * kl);
        if (out.ce != nullptr) out.ce[0] = static_cast<float>(ce);
        if (out.kl != nullptr) out.kl[0] = static_cast<float>(kl);
    }
    for (int i = static_cast<int>(threadIdx.x); out.terms != nullptr && i < c; i += static_cast<int>(blockDim.x)) {
        double sum = 0;
        for (std::int64_t row = 0; row < rows; ++row) sum += static_cast<double>(out.terms[row * c + i]);
        out.kl_per_class[i] = static_cast<float>(sum / count);
    }
}

}

void Loss::distillation(Stream& stream, const Distillation& args) const {
    const std::int64_t n = args.z.dim(0), c = args.z.dim(1);
    const bool wants_terms = static_cast<bool>(args.kl_per_class);
    const Scratch partial(stream, 2 * most_loss_blocks * sizeof(double));
    const Scratch terms(stream, static_cast<std::size_t>(wants_terms ? n * c : 0) * sizeof(float));
    const bool is_product = args.target_math == TargetMath::product;
    const double samples = static_cast<double>(n);
    const DistillationOptions options{elements<float>(args.log_omega),
                                      static_cast<float>(args.temperature),
                                      args.ce_weight,
                                      args.kd_weight,
                                      static_cast<float>(args.ce_weight / samples),
                                      static_cast<float>(args.kd_weight * args.temperature / samples),
                                      args.form,
                                      is_product,
                                      args.log_omega && args.form == BkdForm::eq8 && !is_product};
    const DistillationOutputs out{elements<float>(args.loss), elements<float>(args.ce),
                                  elements<float>(args.kl),   elements<float>(args.kl_per_class),
                                  partial.as<double>(),       wants_terms ? terms.as<float>() : nullptr};
    const TargetReader targets(stream, args.targets, c);
    with_storage(args.z.dtype, [&]<class T>(T) {
        for_each_row(n, c, [&]<int threads>(Team<threads>, unsigned blocks, int block) {
            launch(stream, distillation_kernel<threads, T>, blocks, block, elements<T>(args.z),
                   elements<T>(args.teacher), targets, options, elements<T>(args.dz), out, n, c);
        });
    });
}

}
