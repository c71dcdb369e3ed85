// Batch normalisation on a device, with the residual addition and ReLU in the same pass. Contract:
// kernels/normalization.h. Two launches each way: partial sums over chunks of rows, which the last block to end puts
// together, and one pass that applies them. Of many channels, more than a block reads in the time of a launch, a launch
// between the two puts the chunks together.
//
// Statistics need x once. A thread takes its own first value as the origin of its sums, so that the one-pass formula
// sum d^2 - (sum d)^2 / n loses a few bits at most: the origin is a few deviations from the mean, whatever the mean is.
// Threads are then joined by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
// variances", 1979; chunks in two passes over their few numbers, first the mean, then the squares around it.
#include "kernels/normalization.h"

#include "kernels/cuda/reduce.cuh"

namespace bkd::kernels::cuda {
namespace {

constexpr int rows_in_flight = 4;

// n values of each of `width` columns: their mean, and the sum of squared distances from it.
template <int width>
struct Moments {
    float n, mean[width], squares[width];

    __device__ void merge(const Moments& other) {
        if (other.n == 0) return;
        const float total = n + other.n, share = other.n / total;
#pragma unroll
        for (int k = 0; k < width; ++k) {
            const float apart = other.mean[k] - mean[k];
            mean[k] += apart * share;
            squares[k] += other.squares[k] + apart * apart * (n * share);
        }
        n = total;
    }
};

struct Statistics {
    float *mean, *rstd;                 // [c]
    float *running_mean, *running_var;  // [c] or null
    float eps, momentum;
};

// Formula   mean, rstd = 1 / sqrt(squares / m + eps) of all rows;  running += momentum (batch - running), whose
//           variance is squares / (m - 1)
// Mapping   ChunkBlock
__device__ void join_moments(const ColumnGrid& grid, std::int64_t first, const float* means, const float* squares,
                             const Statistics& to) {
    using Pair = ColumnSums<1, 2>;
    BKD_SHARED(Pair, shared, [256]);
    const ChunkBlock at(grid.c, first);
    const std::int64_t c = at.channel();
    const int chunks = static_cast<int>(grid.chunks);
    const auto size = [&](int j) {
        const std::int64_t begin = j * grid.rows_per_chunk;
        return static_cast<float>(begin + grid.rows_per_chunk < grid.rows ? grid.rows_per_chunk : grid.rows - begin);
    };
    const float m = static_cast<float>(grid.rows), origin = means[c];
    sum_over_chunks(at, grid.c, chunks, shared, [&](int j, std::int64_t i) {
        return Pair{{{size(j) * (means[i] - origin)}, {squares[i]}}};
    });
    const float mean = origin + shared[at.column()].of[0][0] / m, within = shared[at.column()].of[1][0];
    sum_over_chunks(at, grid.c, chunks, shared, [&](int j, std::int64_t i) {
        const float apart = means[i] - mean;
        return Pair{{{size(j) * apart * apart}, {0}}};
    });
    if (at.lane() != 0) return;
    const float squared = within + shared[at.column()].of[0][0];
    to.mean[c] = mean;
    to.rstd[c] = 1 / sqrtf(squared / m + to.eps);
    if (to.running_mean == nullptr) return;
    to.running_mean[c] += to.momentum * (mean - to.running_mean[c]);
    to.running_var[c] += to.momentum * (squared / (m - 1) - to.running_var[c]);
}
// Formula   mean, rstd, running_mean, running_var of all rows: join_moments
// Shapes    means, squares [chunks, c] f32; each of Statistics [c] f32
// Mapping   a block 32 channels, ChunkBlock
// Bytes     squares once, means twice, the second time from the cache; mean, rstd written, the running two read and
//           written where kept
__global__ void __launch_bounds__(256, 4)
    join_moments_of(ColumnGrid grid, const float* means, const float* squares, Statistics to) {
    join_moments(grid, std::int64_t{blockIdx.x} * warp_size, means, squares, to);
}

// Formula   partial mean[j, c] and squares[j, c] over the rows of chunk j; with `joiner`, the statistics of all
// Shapes    x [rows, c] f32 bf16; means, squares [chunks, c] f32
// Mapping   ColumnGrid, four rows in flight a thread
// Bytes     x once; means, squares written, and with `joiner` read by the last block as by join_moments_of
// Source    Chan, Golub and LeVeque 1979: see above
template <int width, int access, class T>
__global__ void __launch_bounds__(256)
    partial_moments(ColumnGrid grid, const T* x, float* means, float* squares, StreamState* joiner, Statistics to) {
    using State = Moments<width>;
    BKD_SHARED(State, shared, [256]);
    const std::int64_t column = grid.column<width>(), end = grid.end_row();
    std::int64_t row = grid.first_row() + grid.lane();
    State mine{};
    if (column < grid.c && row < end) {
        const Floats<width> origin = load_floats_by<width, access>(x + row * grid.c + column);
        float sum[width] = {}, squared[width] = {};
        const auto add = [&](const Floats<width>& values) {
#pragma unroll
            for (int k = 0; k < width; ++k) {
                const float d = values.at[k] - origin.at[k];
                sum[k] += d;
                squared[k] = fmaf(d, d, squared[k]);
            }
        };
        mine.n = static_cast<float>((end - row + grid.lanes - 1) / grid.lanes);
        for (; row + (rows_in_flight - 1) * grid.lanes < end; row += rows_in_flight * grid.lanes) {
            Floats<width> values[rows_in_flight];
#pragma unroll
            for (int u = 0; u < rows_in_flight; ++u)
                values[u] = load_floats_by<width, access>(x + (row + u * grid.lanes) * grid.c + column);
#pragma unroll
            for (int u = 0; u < rows_in_flight; ++u) add(values[u]);
        }
        for (; row < end; row += grid.lanes) add(load_floats_by<width, access>(x + row * grid.c + column));
#pragma unroll
        for (int k = 0; k < width; ++k) {
            const float distance = sum[k] / mine.n, rest = squared[k] - distance * sum[k];
            mine.mean[k] = origin.at[k] + distance;
            mine.squares[k] = rest < 0 ? 0 : rest;  // a NaN stays
        }
    }
    mine = merge_lanes(grid, mine, shared, [](State& a, const State& b) { a.merge(b); });
    if (grid.lane() == 0 && column < grid.c) {
#pragma unroll
        for (int k = 0; k < width; ++k) {
            means[blockIdx.y * grid.c + column + k] = mine.mean[k];
            squares[blockIdx.y * grid.c + column + k] = mine.squares[k];
        }
    }
    join_in_last_block(joiner, grid.c, [&](std::int64_t first) { join_moments(grid, first, means, squares, to); });
}

// Formula   y = gamma (x - mean) rstd + beta [+ residual] [then max(., 0)]; is_variance: `spread` holds the variance
// Shapes    x, residual, y [rows, c] f32 bf16; the four of a channel [c] f32, in registers
// Mapping   ColumnGrid, two rows in flight a thread
// Bytes     x, y and residual once
// Source    Ioffe and Szegedy, "Batch normalization: accelerating deep network training", ICML 2015
template <bool is_variance, int width, class T>
__global__ void __launch_bounds__(256)
    apply(ColumnGrid grid, const T* x, const T* residual, T* y, const float* gamma, const float* beta,
          const float* mean, const float* spread, float eps, bool relu) {
    const std::int64_t column = grid.column<width>(), end = grid.end_row();
    if (column >= grid.c) return;
    Floats<width> scale = load_parameters<width>(gamma + column);
    const Floats<width> shift = load_parameters<width>(beta + column), centre = load_parameters<width>(mean + column),
                        deviation = load_parameters<width>(spread + column);
#pragma unroll
    for (int k = 0; k < width; ++k) scale.at[k] *= is_variance ? 1 / sqrtf(deviation.at[k] + eps) : deviation.at[k];
    const auto normalised = [&](Floats<width> values, const Floats<width>& added) {
#pragma unroll
        for (int k = 0; k < width; ++k) {
            const float value = fmaf(values.at[k] - centre.at[k], scale.at[k], shift.at[k]) + added.at[k];
            values.at[k] = relu && value <= 0 ? 0.0f : value;
        }
        return values;
    };
    std::int64_t row = grid.first_row() + grid.lane();
    for (; row + grid.lanes < end; row += 2 * grid.lanes) {
        const std::int64_t here = row * grid.c + column, next = here + grid.lanes * grid.c;
        const Floats<width> values = load_floats<width>(x + here), after = load_floats<width>(x + next);
        Floats<width> added{}, added_after{};
        if (residual != nullptr) {
            added = load_floats<width>(residual + here);
            added_after = load_floats<width>(residual + next);
        }
        store_floats(y + here, normalised(values, added));
        store_floats(y + next, normalised(after, added_after));
    }
    if (row >= end) return;
    const std::int64_t here = row * grid.c + column;
    Floats<width> added{};
    if (residual != nullptr) added = load_floats<width>(residual + here);
    store_floats(y + here, normalised(load_floats<width>(x + here), added));
}

// g = dy, 0 where the ReLU is closed: `y` is null without one
template <int width, int access, class T>
__device__ Floats<width> through_relu(const T* dy, const T* y, std::int64_t i) {
    Floats<width> g = load_floats_by<width, access>(dy + i);
    if (y == nullptr) return g;
    const Floats<width> output = load_floats_by<width, access>(y + i);
#pragma unroll
    for (int k = 0; k < width; ++k) g.at[k] = output.at[k] > 0 ? g.at[k] : 0.0f;
    return g;
}

// What one channel's dx is made of: dx = a (g - b - (x - mean) d)
struct Coefficients {
    float *a, *b, *d;  // [c]
};

struct ChannelGradients {
    const float *gamma, *spread;  // [c]: rstd, or with is_variance the variance, through which no gradient goes
    float eps, m;                 // m: rows
    bool is_variance, adds_gamma, adds_beta;
    float *dgamma, *dbeta;  // [c] or null
    Coefficients to;
};

// Formula   s1, s2 of all chunks;  dgamma = s2 rstd, dbeta = s1 [+ theirs];  a = gamma rstd, b = s1 / m,
//           d = s2 rstd^2 / m; is_variance: b = d = 0
// Mapping   ChunkBlock
__device__ void join_gradients(const float* s1, const float* s2, std::int64_t channels, int chunks, std::int64_t first,
                               const ChannelGradients& of) {
    using Pair = ColumnSums<1, 2>;
    BKD_SHARED(Pair, shared, [256]);
    const ChunkBlock at(channels, first);
    const std::int64_t c = at.channel();
    sum_over_chunks(at, channels, chunks, shared, [&](int, std::int64_t i) { return Pair{{{s1[i]}, {s2[i]}}}; });
    if (at.lane() != 0) return;
    const float sum = shared[at.column()].of[0][0];
    const float rstd = of.is_variance ? 1 / sqrtf(of.spread[c] + of.eps) : of.spread[c];
    const float gradient = shared[at.column()].of[1][0] * rstd;
    if (of.dgamma != nullptr) of.dgamma[c] = of.adds_gamma ? of.dgamma[c] + gradient : gradient;
    if (of.dbeta != nullptr) of.dbeta[c] = of.adds_beta ? of.dbeta[c] + sum : sum;
    of.to.a[c] = of.gamma[c] * rstd;
    of.to.b[c] = of.is_variance ? 0.0f : sum / of.m;
    of.to.d[c] = of.is_variance ? 0.0f : gradient * rstd / of.m;
}
// Formula   dgamma, dbeta, a, b, d from the sums of all chunks: join_gradients
// Shapes    s1, s2 [chunks, c] f32, without chunks sums of 0; each of ChannelGradients [c] f32
// Mapping   a block 32 channels, ChunkBlock
// Bytes     s1, s2 once; a, b, d written; dgamma, dbeta written, and read if added to
__global__ void __launch_bounds__(256)
    join_gradients_of(const float* s1, const float* s2, std::int64_t c, int chunks, ChannelGradients of) {
    join_gradients(s1, s2, c, chunks, std::int64_t{blockIdx.x} * warp_size, of);
}

// Formula   partial s1[j, c] = sum g, s2[j, c] = sum g (x - mean) over the rows of chunk j; with `joiner`, what
//           join_gradients makes of all
// Shapes    dy, x, y [rows, c] f32 bf16, y null without a ReLU; mean [c], s1, s2 [chunks, c] f32
// Mapping   ColumnGrid, two rows in flight a thread: six loads
// Bytes     dy, x and y once; s1, s2 written, and with `joiner` read by the last block
// Source    as apply
template <int width, int access, class T>
__global__ void __launch_bounds__(256, width > 4 ? 3 : 4)
    partial_gradients(ColumnGrid grid, const T* dy, const T* x, const T* y, const float* mean, float* s1, float* s2,
                      StreamState* joiner, ChannelGradients of) {
    using Sums = ColumnSums<width, 2>;
    BKD_SHARED(Sums, shared, [256]);
    const std::int64_t column = grid.column<width>(), end = grid.end_row();
    Sums mine{};
    if (column < grid.c) {
        const Floats<width> centre = load_floats_by<width, 1>(mean + column);
        const auto add = [&](const Floats<width>& g, const Floats<width>& values) {
#pragma unroll
            for (int k = 0; k < width; ++k) {
                mine.of[0][k] += g.at[k];
                mine.of[1][k] = fmaf(g.at[k], values.at[k] - centre.at[k], mine.of[1][k]);
            }
        };
        std::int64_t row = grid.first_row() + grid.lane();
        for (; row + grid.lanes < end; row += 2 * grid.lanes) {
            const std::int64_t here = row * grid.c + column, next = here + grid.lanes * grid.c;
            const Floats<width> g = through_relu<width, access>(dy, y, here),
                                values = load_floats_by<width, access>(x + here);
            const Floats<width> h = through_relu<width, access>(dy, y, next),
                                after = load_floats_by<width, access>(x + next);
            add(g, values);
            add(h, after);
        }
        if (row < end) {
            const std::int64_t here = row * grid.c + column;
            add(through_relu<width, access>(dy, y, here), load_floats_by<width, access>(x + here));
        }
    }
    mine = merge_lanes(grid, mine, shared, [](Sums& a, const Sums& b) { a.add(b); });
    if (grid.lane() == 0 && column < grid.c) {
#pragma unroll
        for (int k = 0; k < width; ++k) {
            s1[blockIdx.y * grid.c + column + k] = mine.of[0][k];
            s2[blockIdx.y * grid.c + column + k] = mine.of[1][k];
        }
    }
    join_in_last_block(joiner, grid.c, [&](std::int64_t first) {
        join_gradients(s1, s2, grid.c, static_cast<int>(grid.chunks), first, of);
    });
}

// Formula   dx = a (g - b - (x - mean) d) [+ dx];  dresidual = g [+ dresidual]
// Shapes    dy, x, y, dx, dresidual [rows, c] f32 bf16, y null without a ReLU; mean, a, b, d [c] f32, in registers
// Mapping   ColumnGrid, a row at a time
// Bytes     dy and y once, x once if dx is wanted; dx and dresidual written, and read if added to. dx may be dy: g is
//           read before it is written
// Source    as apply
template <int width, class T>
__global__ void __launch_bounds__(256)
    apply_gradients(ColumnGrid grid, const T* dy, const T* x, const T* y, const float* mean, Coefficients from, T* dx,
                    bool add_dx, T* dresidual, bool add_residual) {
    const std::int64_t column = grid.column<width>(), end = grid.end_row();
    if (column >= grid.c) return;
    const Floats<width> a = load_parameters<width>(from.a + column), b = load_parameters<width>(from.b + column),
                        d = load_parameters<width>(from.d + column), centre = load_parameters<width>(mean + column);
#pragma unroll 1
    for (std::int64_t row = grid.first_row() + grid.lane(); row < end; row += grid.lanes) {
        const std::int64_t i = row * grid.c + column;
        const Floats<width> g = through_relu<width, width>(dy, y, i);
        if (dx != nullptr) {
            Floats<width> values = load_floats<width>(x + i);
#pragma unroll
            for (int k = 0; k < width; ++k)
                values.at[k] = a.at[k] * (g.at[k] - b.at[k] - (values.at[k] - centre.at[k]) * d.at[k]);
            store_floats(dx + i, values, add_dx);
        }
        if (dresidual != nullptr) store_floats(dresidual + i, g, add_residual);
    }
}

struct Rows {
    std::int64_t rows, c;
    explicit Rows(const ConstView& x) : rows(x.shape.product(0, x.rank() - 1)), c(x.dim(-1)) {}
};

// Both backward ops: `spread` is rstd of the batch, or a running variance through which nothing flows.
template <bool is_variance, class Args>
void backward(Stream& stream, const Args& args, const ConstView& mean, const ConstView& spread, float eps) {
    const auto [rows, c] = Rows(args.x);
    if (c == 0) return;
    const auto count = static_cast<std::size_t>(c);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto *dy = elements<T>(args.dy), *x = elements<T>(args.x), *y = args.relu ? elements<T>(args.y) : nullptr;
        auto *dx = elements<T>(args.dx), *dresidual = elements<T>(args.dresidual);
        const auto *centre = elements<float>(mean), *gamma = elements<float>(args.gamma);
        const Scratch coefficient_memory(stream, 3 * count * sizeof(float));
        auto* at = coefficient_memory.as<float>();
        const Coefficients coefficients{at, at + count, at + 2 * count};
        widest_sum<T>(
            c,
            [&]<int width, int access>(Width<width>, Width<access>) {
                const ColumnGrid grid(rows, c, width);
                const Scratch sums(stream, 2 * grid.chunks * count * sizeof(float));
                float *s1 = sums.as<float>(), *s2 = s1 + grid.chunks * count;
                const ChannelGradients of{.gamma = gamma,
                                          .spread = elements<float>(spread),
                                          .eps = eps,
                                          .m = static_cast<float>(rows),
                                          .is_variance = is_variance,
                                          .adds_gamma = args.dgamma.accumulate,
                                          .adds_beta = args.dbeta.accumulate,
                                          .dgamma = elements<float>(args.dgamma),
                                          .dbeta = elements<float>(args.dbeta),
                                          .to = coefficients};
                const bool wants_sums = !is_variance || args.dgamma || args.dbeta;
                StreamState* const state = wants_sums ? joiner(stream, grid.chunks * count) : nullptr;
                if (wants_sums)
                    launch(stream, partial_gradients<width, access, T>, grid.grid(), grid.threads, grid, dy, x, y,
                           centre, s1, s2, state, of);
                if (state == nullptr)
                    launch(stream, join_gradients_of, blocks_for(c, warp_size), 256, s1, s2, c,
                           wants_sums ? grid.chunks : 0, of);
            },
            dy, x, y);
        if (dx == nullptr && dresidual == nullptr) return;
        widest<T>(
            c,
            [&]<int width>(Width<width>) {
                const ColumnGrid grid = ColumnGrid::of_pass(rows, c, width);
                launch(stream, apply_gradients<width, T>, grid.grid(), grid.threads, grid, dy, x, y, centre,
                       coefficients, dx, args.dx.accumulate, dresidual, args.dresidual.accumulate);
            },
            dy, x, y, dx, dresidual, centre);
    });
}

}

void Normalization::batch_norm_forward(Stream& stream, const BatchNormForward& args) const {
    const auto [rows, c] = Rows(args.x);
    if (c == 0) return;
    const auto *gamma = elements<float>(args.gamma), *beta = elements<float>(args.beta);
    auto *mean = elements<float>(args.mean), *rstd = elements<float>(args.rstd);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto *x = elements<T>(args.x), *residual = elements<T>(args.residual);
        auto* y = elements<T>(args.y);
        widest_sum<T>(
            c,
            [&]<int width, int access>(Width<width>, Width<access>) {
                const ColumnGrid grid(rows, c, width);
                const std::size_t partials = grid.chunks * static_cast<std::size_t>(c);
                const Scratch memory(stream, 2 * partials * sizeof(float));
                float *means = memory.as<float>(), *squares = means + partials;
                const Statistics to{.mean = mean,
                                    .rstd = rstd,
                                    .running_mean = elements<float>(args.running_mean),
                                    .running_var = elements<float>(args.running_var),
                                    .eps = static_cast<float>(args.eps),
                                    .momentum = static_cast<float>(args.momentum)};
                StreamState* const state = joiner(stream, partials);
                launch(stream, partial_moments<width, access, T>, grid.grid(), grid.threads, grid, x, means, squares,
                       state, to);
                if (state == nullptr)
                    launch(stream, join_moments_of, blocks_for(c, warp_size), 256, grid, means, squares, to);
            },
            x);
        widest<T>(
            c,
            [&]<int width>(Width<width>) {
                const ColumnGrid grid = ColumnGrid::of_pass(rows, c, width);
                launch(stream, apply<false, width, T>, grid.grid(), grid.threads, grid, x, residual, y, gamma, beta,
                       mean, rstd, args.eps, args.relu);
            },
            x, residual, y, gamma, beta, mean, rstd);
    });
}

void Normalization::batch_norm_inference(Stream& stream, const BatchNormInference& args) const {
    const auto [rows, c] = Rows(args.x);
    if (c == 0 || rows == 0) return;
    const auto *gamma = elements<float>(args.gamma), *beta = elements<float>(args.beta),
               *mean = elements<float>(args.running_mean), *variance = elements<float>(args.running_var);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto *x = elements<T>(args.x), *residual = elements<T>(args.residual);
        auto* y = elements<T>(args.y);
        widest<T>(
            c,
            [&]<int width>(Width<width>) {
                const ColumnGrid grid = ColumnGrid::of_pass(rows, c, width);
                launch(stream, apply<true, width, T>, grid.grid(), grid.threads, grid, x, residual, y, gamma, beta,
                       mean, variance, args.eps, args.relu);
            },
            x, residual, y, gamma, beta, mean, variance);
    });
}

void Normalization::batch_norm_backward(Stream& stream, const BatchNormBackward& args) const {
    backward<false>(stream, args, args.mean, args.rstd, 0.0f);
}
void Normalization::batch_norm_inference_backward(Stream& stream, const BatchNormInferenceBackward& args) const {
    backward<true>(stream, args, args.running_mean, args.running_var, static_cast<float>(args.eps));
}

}
