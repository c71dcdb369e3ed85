// Cross-entropy and the focal loss on a device, each with its gradient in one launch. Contract: kernels/loss.h
#include "kernels/loss.h"

#include "kernels/cuda/row_loss.cuh"

namespace bkd::kernels::cuda {
namespace {

// u_i = scale (z_i - [i is the label] margin) + shift_i
template <class T>
struct Logits {
    const T* z;
    const float* shift;
    float scale, margin;
    int label;
    __device__ float operator()(int i) const {
        const float z_i = to_float(z[i]) - (i == label ? margin : 0.0f);
        return shift == nullptr ? scale * z_i : fmaf(scale, z_i, shift[i]);
    }
};

struct CrossEntropyOptions {
    const float *weight, *shift, *margin;
    float scale;
    const float* divisor;  // in device memory, or null: `rows_divisor`
    float rows_divisor;
    bool is_summed;
};

// Formula   l_n = -sum_i weight_i t_i log p(u)_i;  dz = scale (p(u) sum_i weight_i t_i - weight t) / divisor
// Shapes    z, dz [n, c] f32 bf16; loss [1], or [n] without reduction
// Mapping   a team a row, see row_loss.cuh
// Bytes     z and dense targets once, again from the first cache; dz written
// Source    Zhang et al., "Balanced knowledge distillation for long-tailed learning", Eq. 1 and 3
template <int threads, class T>
__global__ void __launch_bounds__(2 * loss_threads)
    cross_entropy_kernel(const T* z, TargetReader targets, CrossEntropyOptions options, T* dz, double* partial,
                         float* loss, std::int64_t rows, int c) {
    using Row = Team<threads>;
    const std::int64_t teams = std::int64_t{gridDim.x} * blockDim.x / threads;
    Totals<1> total{};
    const float divisor = options.divisor == nullptr ? options.rows_divisor : options.divisor[0];
    for (std::int64_t n = global_thread() / threads; n < rows; n += teams) {  // whole teams
        const RowTarget target = targets.row(n);
        const float margin = options.margin == nullptr ? 0.0f : options.margin[target.label[0]];
        const Logits<T> u{z + n * c, options.shift, options.scale, margin, target.label[0]};
        const auto weighted = [&](int i) {
            return options.weight == nullptr ? target(i) : options.weight[i] * target(i);
        };
        float top = -INFINITY, sum = 0, mass = 0, l = 0;
        for (int i = Row::lane(); i < c; i += threads) top = fmaxf(top, u(i));
        top = Row::template all<MaxOf>(top);
        for (int i = Row::lane(); i < c; i += threads) {
            sum += expf(u(i) - top);
            mass += weighted(i);
        }
        sum = Row::template all<SumOf>(sum);
        mass = Row::template all<SumOf>(mass);
        const float log_sum = logf(sum), factor = options.scale / divisor;
#pragma unroll 1
        for (int i = Row::lane(); i < c; i += threads) {
            const float distance = u(i) - top, t = weighted(i);
            l -= times_log(t, distance - log_sum);
            if (dz != nullptr) dz[n * c + i] = from_float<T>(factor * (expf(distance) / sum * mass - t));
        }
        l = Row::template all<SumOf>(l);
        total.of[0] += static_cast<double>(l);
        if (!options.is_summed && Row::lane() == 0) loss[n] = l;
    }
    if (!options.is_summed || !add_teams<threads>(total, partial, targets.state)) return;
    if (threadIdx.x == 0) loss[0] = static_cast<float>(total.of[0] / static_cast<double>(divisor));
}

// Formula   divisor = sum_n weight[labels[n]], of 1 without weight
// Shapes    labels [n] i32; weight [c] or null, of_row [n], divisor [1] f32
// Mapping   one block, a thread every 256th row; their f64 sums are added as a tree
// Bytes     labels once, weight from the cache after the first; of_row written and read once
__global__ void __launch_bounds__(256)
    label_weight_kernel(TargetReader targets, const float* weight, float* of_row, float* divisor, std::int64_t rows) {
    for (std::int64_t n = threadIdx.x; n < rows; n += blockDim.x)
        of_row[n] = weight == nullptr ? 1.0f : weight[targets.row(n).label[0]];
    __syncthreads();
    const double sum = block_sum(of_row, rows);
    if (threadIdx.x == 0) divisor[0] = static_cast<float>(sum);
}

// Formula   l_n = weight_y (1 - p_y)^gamma (-log p_y);  dz = weight_y f (p - e_y) / n,
//           f = (1 - p_y)^gamma - gamma p_y (1 - p_y)^(gamma - 1) log p_y
// Shapes    z, dz [n, c] f32 bf16; labels [n]; loss [1]
// Mapping   a team a row. 1 - p_y is the sum over the other classes, divided: 1 minus a rounded p_y has no digits left
//           where p_y is near 1
// Bytes     z once, dz written
// Source    Lin et al., "Focal loss for dense object detection", ICCV 2017
template <int threads, class T>
__global__ void __launch_bounds__(2 * loss_threads, 2)
    focal_kernel(const T* z, TargetReader targets, const float* weight, float gamma, T* dz, double* partial,
                 float* loss, std::int64_t rows, int c) {
    using Row = Team<threads>;
    const std::int64_t teams = std::int64_t{gridDim.x} * blockDim.x / threads;
    Totals<1> total{};
    for (std::int64_t n = global_thread() / threads; n < rows; n += teams) {
        const int label = targets.row(n).label[0];
        const T* from = z + n * c;
        const float of_label = to_float(from[label]), share = weight == nullptr ? 1.0f : weight[label];
        float top = -INFINITY, others = 0;
        for (int i = Row::lane(); i < c; i += threads) top = fmaxf(top, to_float(from[i]));
        top = Row::template all<MaxOf>(top);
        for (int i = Row::lane(); i < c; i += threads) others += i == label ? 0.0f : expf(to_float(from[i]) - top);
        others = Row::template all<SumOf>(others);
        const float own = expf(of_label - top), sum = own + others, p = own / sum, rest = others / sum;
        const float log_p = own == 1 ? -log1pf(others) : (of_label - top) - logf(sum);
        const float power = powf(rest, gamma);
        // At rest = 0 the second term's limit is 0, though rest^(gamma - 1) has none for gamma < 1.
        const float slope = gamma == 0 || rest == 0 ? 0.0f : gamma * powf(rest, gamma - 1) * times_log(p, log_p);
        const float factor = share * (power - slope) / static_cast<float>(rows);
        if (dz != nullptr)
            for (int i = Row::lane(); i < c; i += threads)
                dz[n * c + i] = from_float<T>(factor * (i == label ? -rest : expf(to_float(from[i]) - top) / sum));
        total.of[0] -= static_cast<double>(share * power * log_p);
    }
    if (!add_teams<threads>(total, partial, targets.state)) return;
    if (threadIdx.x == 0) loss[0] = static_cast<float>(total.of[0] / static_cast<double>(rows));
}

}

void Loss::cross_entropy(Stream& stream, const CrossEntropy& args) const {
    const std::int64_t n = args.z.dim(0), c = args.z.dim(1);
    const TargetReader targets(stream, args.targets, c);
    const Scratch partial(stream, most_loss_blocks * sizeof(double));
    const Scratch memory(stream, static_cast<std::size_t>(n + 1) * sizeof(float));
    float *divisor = memory.as<float>(), *weights = divisor + 1;
    const auto* weight = elements<float>(args.weight);
    const bool is_weighted = args.reduction == LossReduction::weighted_mean;
    const CrossEntropyOptions options{weight,
                                      elements<float>(args.shift),
                                      elements<float>(args.margin),
                                      static_cast<float>(args.scale),
                                      is_weighted ? divisor : nullptr,
                                      args.reduction == LossReduction::mean ? static_cast<float>(n) : 1.0f,
                                      args.reduction != LossReduction::none};
    if (is_weighted) launch(stream, label_weight_kernel, 1, 256, targets, weight, weights, divisor, n);
    with_storage(args.z.dtype, [&]<class T>(T) {
        for_each_row(n, c, [&]<int threads>(Team<threads>, unsigned blocks, int block) {
            launch(stream, cross_entropy_kernel<threads, T>, blocks, block, elements<T>(args.z), targets, options,
                   elements<T>(args.dz), partial.as<double>(), elements<float>(args.loss), n, c);
        });
    });
}

void Loss::focal_loss(Stream& stream, const FocalLoss& args) const {
    const std::int64_t n = args.z.dim(0), c = args.z.dim(1);
    const TargetReader targets(stream, {.labels = args.labels}, c);
    const Scratch partial(stream, most_loss_blocks * sizeof(double));
    with_storage(args.z.dtype, [&]<class T>(T) {
        for_each_row(n, c, [&]<int threads>(Team<threads>, unsigned blocks, int block) {
            launch(stream, focal_kernel<threads, T>, blocks, block, elements<T>(args.z), targets,
                   elements<float>(args.weight), args.gamma, elements<T>(args.dz), partial.as<double>(),
                   elements<float>(args.loss), n, c);
        });
    });
}

}
