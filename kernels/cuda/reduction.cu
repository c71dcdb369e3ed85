// Sums over axes and their opposite on a device. Contract: kernels/reduction.h. Sums run in two levels: partial sums
// over chunks that depend on the shape alone, then the partial sums in order.
#include "kernels/reduction.h"

#include "kernels/cuda/reduce.cuh"

namespace bkd::kernels::cuda {
namespace {

// Formula   y[i] = factor sum_j partial[j, i] [+ y[i]]
// Shapes    partial [chunks, count] f32; y [count] f32 bf16
// Mapping   a block for 32 columns, 32 lanes for the chunks of each; the lanes are added as a tree
// Bytes     partial once; y written, and read if added to
template <class T>
__global__ void __launch_bounds__(1024) sum_chunks_kernel(ChunkSum<T> of) {
    BKD_SHARED(float, tile, [warp_size * (warp_size + 1)]);
    add_chunks<1024>(of, std::int64_t{blockIdx.x} * of.columns, tile);
}

// Formula   partial[j, c] = sum over the rows of chunk j of x[row, c]; with `joiner`, y of all
// Shapes    x [rows, c] f32 bf16; partial [chunks, c] f32
// Mapping   ColumnGrid; four rows in flight a thread
// Bytes     x once
template <int width, int access, class T, class To>
__global__ void __launch_bounds__(256, 2)
    column_sum_kernel(ColumnGrid grid, const T* x, float* partial, StreamState* joiner, ChunkSum<To> of) {
    using Sums = ColumnSums<width>;
    BKD_SHARED(Sums, shared, [256]);
    const std::int64_t column = grid.column<width>();
    Sums mine{};
    if (column < grid.c) {
        const std::int64_t end = grid.end_row();
        std::int64_t row = grid.first_row() + grid.lane();
        for (; row + 3 * grid.lanes < end; row += 4 * grid.lanes) {
            Floats<width> values[4];
#pragma unroll
            for (int u = 0; u < 4; ++u)
                values[u] = load_floats_by<width, access>(x + (row + u * grid.lanes) * grid.c + column);
#pragma unroll
            for (int k = 0; k < width; ++k)
                mine.of[0][k] += (values[0].at[k] + values[1].at[k]) + (values[2].at[k] + values[3].at[k]);
        }
        for (; row < end; row += grid.lanes) {
            const Floats<width> values = load_floats_by<width, access>(x + row * grid.c + column);
#pragma unroll
            for (int k = 0; k < width; ++k) mine.of[0][k] += values.at[k];
        }
    }
    mine = merge_lanes(grid, mine, shared, [](Sums& a, const Sums& b) { a.add(b); });
    if (grid.lane() == 0 && column < grid.c)
        for (int k = 0; k < width; ++k) partial[blockIdx.y * grid.c + column + k] = mine.of[0][k];
    join_in_last_block(joiner, grid.c, [&](std::int64_t first) {
        BKD_SHARED(ColumnSums<1>, totals, [256]);
        const ChunkBlock at(grid.c, first);
        sum_over_chunks(at, grid.c, of.chunks, totals,
                        [&](int, std::int64_t i) { return ColumnSums<1>{{{partial[i]}}}; });
        if (at.lane() == 0) put_sum(of, at.channel(), totals[at.column()].of[0][0]);
    });
}

// y[c] = factor sum of x[rows, c]
template <class From, class To>
void sum_columns(Stream& stream, const From* x, std::int64_t rows, std::int64_t c, To* y, float factor, bool add) {
    if (c == 0) return;
    widest_sum<From>(
        c,
        [&]<int width, int access>(Width<width>, Width<access>) {
            const ColumnGrid grid(rows, c, width);
            const Scratch partial(stream, static_cast<std::size_t>(grid.chunks * c) * sizeof(float));
            const ChunkSum<To> rest{partial.as<float>(), static_cast<int>(grid.chunks), c, y, factor, add};
            StreamState* const state = joiner(stream, grid.chunks * static_cast<std::size_t>(c));
            launch(stream, column_sum_kernel<width, access, From, To>, grid.grid(), grid.threads, grid, x,
                   partial.as<float>(), state, rest);
            if (state == nullptr) sum_chunks(stream, rest);
        },
        x);
}

// A tensor's axes, neighbours of the same kind (kept or summed) made one, as an index: where element i of those that
// are kept (or summed) lies.
struct AxisIndex {
    static constexpr int most = 3;  // of one kind: five axes in turn
    int rank = 0;
    std::int64_t extent[most] = {1, 1, 1}, stride[most] = {0, 0, 0};

    std::int64_t count() const { return extent[0] * extent[1] * extent[2]; }
    __device__ std::int64_t offset(std::int64_t i) const {
        std::int64_t at = 0;
#pragma unroll
        for (int axis = most - 1; axis > 0; --axis) {  // constants index registers
            if (axis >= rank) continue;
            const std::int64_t outer = i / extent[axis];
            at += (i - outer * extent[axis]) * stride[axis];
            i = outer;
        }
        return at + i * stride[0];
    }
};
struct SplitAxes {
    AxisIndex kept, summed;
    bool summed_lead;  // [summed, kept]: sums of columns

    SplitAxes(const Shape& x, Axes axes) {
        int last = -1;
        bool last_summed = false;
        int runs = 0;
        summed_lead = x.rank() > 0 && axes.has(0);
        for (int axis = 0; axis < x.rank(); ++axis) {
            AxisIndex& index = axes.has(axis) ? summed : kept;
            if (last < 0 || axes.has(axis) != last_summed) {
                ++runs;
                index.extent[index.rank] = 1;
                ++index.rank;
            }
            index.extent[index.rank - 1] *= x[axis];
            index.stride[index.rank - 1] = x.product(axis + 1, x.rank());
            last = axis;
            last_summed = axes.has(axis);
        }
        summed_lead = summed_lead && runs <= 2;
    }
};

// Formula   y[row] = factor sum of x[row, .] [+ y[row]]
// Shapes    x [rows, n] f32 bf16, n <= 4096
// Mapping   a warp a row, four vectors in flight a lane
// Bytes     x once
template <int width, int access, class From, class To>
__global__ void __launch_bounds__(256)
    row_sum_kernel(const From* x, std::int64_t rows, int n, To* y, float factor, bool accumulate) {
    constexpr int step = warp_size * width;
    const std::int64_t row = global_thread() / warp_size;
    if (row >= rows) return;  // whole warps leave
    const From* from = x + row * n;
    float sums[width] = {};
    int i = static_cast<int>(threadIdx.x) % warp_size * width;
    for (; i + 3 * step < n; i += 4 * step) {
        Floats<width> values[4];
#pragma unroll
        for (int u = 0; u < 4; ++u) values[u] = load_floats_by<width, access>(from + i + u * step);
#pragma unroll
        for (int k = 0; k < width; ++k)
            sums[k] += (values[0].at[k] + values[1].at[k]) + (values[2].at[k] + values[3].at[k]);
    }
    for (; i < n; i += step) {
        const Floats<width> values = load_floats_by<width, access>(from + i);
#pragma unroll
        for (int k = 0; k < width; ++k) sums[k] += values.at[k];
    }
    float sum = 0;
#pragma unroll
    for (int k = 0; k < width; ++k) sum += sums[k];
    sum = factor * warp_all<SumOf>(sum);
    if (threadIdx.x % warp_size == 0) y[row] = from_float<To>(accumulate ? to_float(y[row]) + sum : sum);
}

constexpr std::int64_t warp_terms = 4096;  // that one warp adds up

// Formula   y[o, j] = sum over the j-th 4096 summed elements of x [., factor, += if there is one chunk]
// Shapes    x any, y [kept, chunks]
// Mapping   a warp a sum, four elements in flight a lane; neighbouring lanes take neighbouring elements
// Bytes     x once; where summed elements lie apart in memory, sums side by side share their lines through the cache. y
//           written, and read if added to
template <class From, class To>
__global__ void __launch_bounds__(256)
    sum_kernel(const From* x, AxisIndex kept, AxisIndex summed, std::int64_t outputs, std::int64_t terms,
               std::int64_t chunks, To* y, float factor, bool accumulate) {
    const std::int64_t warp = global_thread() / warp_size;
    if (warp >= outputs * chunks) return;  // whole warps leave
    const std::int64_t output = warp / chunks, first = (warp - output * chunks) * warp_terms;
    const std::int64_t end = first + warp_terms < terms ? first + warp_terms : terms;
    const From* from = x + kept.offset(output);
    float sums[4] = {0, 0, 0, 0};
    std::int64_t i = first + static_cast<int>(threadIdx.x) % warp_size;
    for (; i + 3 * warp_size < end; i += 4 * warp_size)
#pragma unroll
        for (int u = 0; u < 4; ++u) sums[u] += to_float(from[summed.offset(i + u * warp_size)]);
    for (; i < end; i += warp_size) sums[0] += to_float(from[summed.offset(i)]);
    const float sum = factor * warp_all<SumOf>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    if (threadIdx.x % warp_size == 0) y[warp] = from_float<To>(accumulate ? to_float(y[warp]) + sum : sum);
}

template <class From, class To>
void sum_rows(Stream& stream, const From* x, const AxisIndex& kept, const AxisIndex& summed, To* y, float factor,
              bool accumulate) {
    const std::int64_t outputs = kept.count(), terms = summed.count();
    const std::int64_t chunks = std::max<std::int64_t>(1, (terms + warp_terms - 1) / warp_terms);
    const auto run = [&]<class Result>(Result* to, float by, bool add) {
        const bool is_one_piece =
            summed.rank == 1 && summed.stride[0] == 1 && (outputs == 1 || (kept.rank == 1 && kept.stride[0] == terms));
        const bool are_equal_chunks = terms <= warp_terms || terms % warp_terms == 0;
        if (is_one_piece && are_equal_chunks) {
            const std::int64_t n = std::min(terms, warp_terms), rows = outputs * chunks;
            return widest_sum<From>(
                n,
                [&]<int width, int access>(Width<width>, Width<access>) {
                    launch(stream, row_sum_kernel<width, access, From, Result>, blocks_for(rows * warp_size, 256), 256,
                           x, rows, n, to, by, add);
                },
                x);
        }
        launch(stream, sum_kernel<From, Result>, blocks_for(outputs * chunks * warp_size, 256), 256, x, kept, summed,
               outputs, terms, chunks, to, by, add);
    };
    if (chunks == 1) return run(y, factor, accumulate);
    const Scratch partial(stream, static_cast<std::size_t>(outputs * chunks) * sizeof(float));
    run(partial.as<float>(), 1.0f, false);
    AxisIndex rows, columns;
    rows.rank = columns.rank = 1;
    rows.extent[0] = outputs;
    rows.stride[0] = chunks;
    columns.extent[0] = chunks;
    columns.stride[0] = 1;
    sum_rows(stream, static_cast<const float*>(partial.as<float>()), rows, columns, y, factor, accumulate);
}

// Formula   y[i] = factor x[i without the summed axes] [+ y[i]]
// Shapes    x [kept], y [kept and summed axes in turn] f32 bf16
// Mapping   a thread an element of y, over (kept, summed)
// Bytes     y written, and read if added to; x is small and stays in the cache
template <class T>
__global__ void __launch_bounds__(256) broadcast_kernel(const T* x, AxisIndex kept, Divider row, AxisIndex summed, T* y,
                                                        std::int64_t count, float factor, bool accumulate) {
    const std::int64_t at = global_thread();
    if (at >= count) return;
    const auto [from, along] = row(static_cast<std::uint32_t>(at));
    const std::int64_t to = kept.offset(from) + summed.offset(along);
    const float value = factor * to_float(x[from]);
    y[to] = from_float<T>(accumulate ? to_float(y[to]) + value : value);
}

// Formula   y[row, i] = factor x[row] [+ y]            is_lead: y[row, i] = factor x[i] [+ y]
// Shapes    x [rows] or, is_lead, [n], y [rows, n] f32 bf16
// Mapping   a thread a vector of y
// Bytes     y written, and read if added to; x from the cache after the first
template <bool is_lead, int width, class T>
__global__ void __launch_bounds__(256)
    broadcast_rows(const T* x, T* y, Divider row, std::int64_t vectors, float factor, bool accumulate) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [n, column] = row(static_cast<std::uint32_t>(at));
    Floats<width> values;
    if constexpr (is_lead) {
        values = load_floats<width>(x + std::int64_t{column} * width);
    } else {
        const float of_row = to_float(x[n]);
#pragma unroll
        for (int k = 0; k < width; ++k) values.at[k] = of_row;
    }
#pragma unroll
    for (int k = 0; k < width; ++k) values.at[k] *= factor;
    store_floats(y + at * width, values, accumulate);
}

template <bool is_lead, class T>
void launch_broadcast_rows(Stream& stream, const T* x, const Out& y, std::int64_t row, float factor) {
    auto* to = elements<T>(y);
    const std::int64_t count = y.view.count();
    widest<T>(
        row,
        [&]<int width>(Width<width>) {
            launch(stream, broadcast_rows<is_lead, width, T>, blocks_for(count / width, 256), 256, x, to,
                   Divider(row / width, count / width), count / width, factor, y.accumulate);
        },
        to, is_lead ? x : nullptr);
}

// Formula   found += how many of x are NaN or infinite: an exponent of ones; nothing from 2^30 on, so that it
//           never wraps to 0
// Shapes    x [count] f32 bf16; found [1] i32
// Mapping   threads take vectors in turn, what a warp found is summed, one integer atomic a warp that found any: the
//           order of integer additions does not matter
// Bytes     x once; found read and written by each such warp
template <int width, class T>
__global__ void __launch_bounds__(256) count_nonfinite_kernel(const T* x, std::int64_t count, std::int32_t* found) {
    const std::int64_t vectors = count / width, threads = std::int64_t{gridDim.x} * blockDim.x;
    int mine = 0;
    for (std::int64_t at = global_thread(); at < vectors; at += threads) {
        const Floats<width> values = load_floats<width>(x + at * width);
#pragma unroll
        for (int k = 0; k < width; ++k) mine += isfinite(values.at[k]) ? 0 : 1;
    }
    const std::int64_t rest = vectors * width + global_thread();
    if (rest < count) mine += isfinite(to_float(x[rest])) ? 0 : 1;
    for (int offset = warp_size / 2; offset > 0; offset /= 2) mine += __shfl_xor_sync(all_lanes, mine, offset);
    if (mine != 0 && threadIdx.x % warp_size == 0 && atomicAdd(found, 0) < 1 << 30) atomicAdd(found, mine);
}

// Formula   count = 0
// Shapes    count [1] i32
// Mapping   one thread
// Bytes     4 written
__global__ void __launch_bounds__(32) clear_count(std::int32_t* count) {
    if (threadIdx.x == 0) *count = 0;
}

}

template <class T>
void sum_chunks(Stream& stream, const ChunkSum<T>& of) {
    launch(stream, sum_chunks_kernel<T>, blocks_for(of.blocks(), 1), warp_size * warp_size, of);
}
template void sum_chunks(Stream&, const ChunkSum<float>&);
template void sum_chunks(Stream&, const ChunkSum<Bf16>&);

void Reduction::sum(Stream& stream, const Sum& args) const {
    const SplitAxes axes(args.x.shape, args.axes);
    const auto factor = static_cast<float>(args.factor);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto* x = elements<T>(args.x);
        auto* y = elements<T>(args.y);
        if (axes.summed_lead && axes.kept.rank > 0)
            sum_columns(stream, x, axes.summed.count(), axes.kept.count(), y, factor, args.y.accumulate);
        else
            sum_rows(stream, x, axes.kept, axes.summed, y, factor, args.y.accumulate);
    });
}

void Reduction::broadcast(Stream& stream, const Broadcast& args) const {
    const SplitAxes axes(args.y.view.shape, args.axes);
    const std::int64_t count = args.y.view.count();
    const auto factor = static_cast<float>(args.factor);
    if (axes.kept.rank <= 1 && axes.summed.rank <= 1)
        return with_storage(args.x.dtype, [&]<class T>(T) {
            if (axes.summed_lead)
                launch_broadcast_rows<true>(stream, elements<T>(args.x), args.y, axes.kept.count(), factor);
            else
                launch_broadcast_rows<false>(stream, elements<T>(args.x), args.y, axes.summed.count(), factor);
        });
    const Divider row(axes.summed.count(), count);
    with_storage(args.x.dtype, [&]<class T>(T) {
        launch(stream, broadcast_kernel<T>, blocks_for(count, 256), 256, elements<T>(args.x), axes.kept, row,
               axes.summed, elements<T>(args.y), count, factor, args.y.accumulate);
    });
}

void Reduction::column_sum(Stream& stream, const ColumnSum& args) const {
    const std::int64_t rows = args.x.shape.product(0, args.x.rank() - 1);
    with_storage(args.x.dtype, [&]<class T>(T) {
        sum_columns(stream, elements<T>(args.x), rows, args.x.dim(-1), elements<float>(args.y), 1.0f,
                    args.y.accumulate);
    });
}

void Reduction::count_nonfinite(Stream& stream, const CountNonfinite& args) const {
    auto* count = elements<std::int32_t>(args.count);
    const std::int64_t n = args.x.count();
    if (!args.count.accumulate) launch(stream, clear_count, 1, warp_size, count);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto* x = elements<T>(args.x);
        widest<T>(
            full_width<T>,
            [&]<int width>(Width<width>) {
                const unsigned blocks = std::min(blocks_for(n, 256 * width), 4096u);
                launch(stream, count_nonfinite_kernel<width, T>, blocks, 256, x, n, count);
            },
            x);
    });
}

}
