#pragma once
// What the losses share: the target of a row, and the sum over rows in the launch that made them. Siblings: loss.cu,
// distillation.cu.
//
// A team (a warp up to 1024 classes, above it a block) takes a row from logits to loss and gradient. It reads the row
// several times, from memory once and then from the first cache, and keeps nothing between the passes but scalars; so
// dz may lie on z. Teams add the losses of their rows in f64, blocks those of their teams, and the block that finishes
// last those of all blocks, each in a fixed order: loss and gradient are one launch.
#include "kernels/cuda/reduce.cuh"
#include "kernels/loss.h"

namespace bkd::kernels::cuda {

constexpr std::int64_t widest_warp_row = 1024;
constexpr int loss_threads = 128;  // four rows a block in the warp form: batches are small, blocks should be many

// A dense row, or one or two classes with their masses.
struct RowTarget {
    const float* dense;
    int label[2];
    float mass[2];
    __device__ float operator()(int i) const {
        if (dense != nullptr) return dense[i];
        return (i == label[0] ? mass[0] : 0.0f) + (i == label[1] ? mass[1] : 0.0f);
    }
};

struct TargetReader {
    const std::int32_t *labels, *partner_labels;
    const float *mix_lambda, *dense;
    int lambda_step, classes;
    StreamState* state;

    TargetReader(Stream& stream, const Targets& targets, std::int64_t c)
        : labels(elements<std::int32_t>(targets.labels)),
          partner_labels(elements<std::int32_t>(targets.partner_labels)),
          mix_lambda(elements<float>(targets.mix_lambda)),
          dense(elements<float>(targets.dense)),
          lambda_step(targets.mix_lambda && targets.mix_lambda.count() > 1 ? 1 : 0),
          classes(static_cast<int>(c)),
          state(cuda_stream(stream).state) {}

    __device__ RowTarget row(std::int64_t n) const {
        if (dense != nullptr) return {dense + n * classes, {-1, -1}, {0, 0}};
        const int own = static_cast<int>(checked_index(state, Indexed::label, labels[n], classes, n));
        if (partner_labels == nullptr) return {nullptr, {own, -1}, {1, 0}};
        const int other = static_cast<int>(checked_index(state, Indexed::partner_label, partner_labels[n], classes, n));
        const float lambda = mix_lambda[n * lambda_step];
        return {nullptr, {own, other}, {lambda, 1 - lambda}};
    }
};

// 0 log 0 is 0
__device__ inline float times_log(float t, float log_p) { return t == 0 && log_p == -INFINITY ? 0.0f : t * log_p; }

// The sum of x[0..count) in all threads of a block of at most 256.
template <class T>
__device__ double block_sum(const T* x, std::int64_t count) {
    BKD_SHARED(double, sums, [256]);
    const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
    double sum = 0;
    for (std::int64_t i = thread; i < count; i += threads) sum += static_cast<double>(x[i]);
    __syncthreads();  // the last call's result has been read
    sums[thread] = sum;
    for (int offset = threads / 2; offset > 0; offset /= 2) {
        __syncthreads();
        if (thread < offset) sums[thread] += sums[thread + offset];
    }
    __syncthreads();
    return sums[0];
}

constexpr int most_loss_blocks = 2048;
template <int q>
struct Totals {
    double of[q];
};
// Adds q numbers over all teams of the launch. True in the block that comes last, where `mine` then holds the totals.
// partial [q, blocks]
template <int threads, int q>
__device__ bool add_teams(Totals<q>& mine, double* partial, StreamState* state) {
    constexpr int most_teams = 2 * loss_threads / warp_size;
    BKD_SHARED(Totals<q>, of_team, [most_teams]);
    const int thread = static_cast<int>(threadIdx.x), teams = static_cast<int>(blockDim.x) / threads;
    if (thread % threads == 0) of_team[thread / threads] = mine;
    __syncthreads();
    if (thread < q) {
        double sum = 0;
        for (int team = 0; team < teams; ++team) sum += of_team[team].of[thread];
        partial[thread * gridDim.x + blockIdx.x] = sum;
    }
    if (!is_last_block(state)) return false;
    for (int i = 0; i < q; ++i) mine.of[i] = block_sum(partial + i * gridDim.x, gridDim.x);
    return true;
}

// run(Team<threads>, blocks, threads of a block) for n rows of c classes; the teams of all blocks take rows in turn. At
// least one block: an empty sum is 0.
template <class F>
void for_each_row(std::int64_t n, std::int64_t c, const F& run) {
    const auto blocks = [&](std::int64_t rows_per_block) {
        return std::clamp(blocks_for(n, rows_per_block), 1u, static_cast<unsigned>(most_loss_blocks));
    };
    if (c <= widest_warp_row)
        run(Team<warp_size>{}, blocks(loss_threads / warp_size), loss_threads);
    else
        run(Team<2 * loss_threads>{}, blocks(1), 2 * loss_threads);
}

}
