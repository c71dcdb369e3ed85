#pragma once
// Sums and maxima over a warp, a block, and the rows of a matrix. Every tree has a fixed shape: the same bits in every
// run, for any number of multiprocessors.
#include "kernels/cuda/launch.cuh"

namespace bkd::kernels::cuda {

struct SumOf {
    __device__ static float of(float a, float b) { return a + b; }
};
// A NaN may get lost in it: whoever needs NaN to stay finds it in the sum that follows.
struct MaxOf {
    __device__ static float of(float a, float b) { return fmaxf(a, b); }
};

// Every lane gets the result over the 32 lanes.
template <class Op, class T>
__device__ T warp_all(T x) {
#pragma unroll
    for (int offset = warp_size / 2; offset > 0; offset /= 2) x = Op::of(x, __shfl_xor_sync(all_lanes, x, offset));
    return x;
}

// Some threads that work on one row together: a warp, or a whole block of more threads. All of a team call `all`.
template <int threads>
struct Team {
    static_assert(threads == warp_size || (threads % warp_size == 0 && threads <= 1024));
    __device__ static int lane() { return static_cast<int>(threadIdx.x) % threads; }
    template <class Op>
    __device__ static float all(float x) {
        x = warp_all<Op>(x);
        if constexpr (threads > warp_size) {
            constexpr int warps = threads / warp_size;
            BKD_SHARED(float, of_warp, [warps]);
            const int warp = static_cast<int>(threadIdx.x) / warp_size;
            __syncthreads();  // the last call's results have been read
            if (lane() % warp_size == 0) of_warp[warp] = x;
            __syncthreads();
            x = of_warp[0];
            for (int i = 1; i < warps; ++i) x = Op::of(x, of_warp[i]);
        }
        return x;
    }
};

// True in all threads of the block that is the last of the launch to come here, after which it sees what the others
// wrote before. The stream's counter is ready for the next launch again.
__device__ inline bool is_last_block(StreamState* state) {
    BKD_SHARED(bool, is_last);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        is_last = atomicAdd(&state->arrived, 1) == gridDim.x * gridDim.y - 1;
        if (is_last) state->arrived = 0;
    }
    __syncthreads();
    if (is_last) __threadfence();
    return is_last;
}

// How a block of at most 256 threads works on a matrix [rows, c], c innermost: every thread keeps `width` neighbouring
// columns for itself and walks down the rows, `lanes` rows side by side, so that what belongs to a column stays in its
// registers and neighbours read neighbouring memory. blockIdx.x: which columns. blockIdx.y: which chunk of rows.
struct ColumnGrid {
    std::int64_t rows = 0, c = 0, rows_per_chunk = 1;
    int columns_per_block = 1, lanes = 1, threads = 1;
    unsigned column_blocks = 0, chunks = 0;

    // For sums. Chunks from the shape alone: 4 rows a thread and 64 rows at least, so that what a chunk leaves behind is
    // small beside what it read and the tensors of a small network still fill a device; 1024 blocks at most.
    ColumnGrid(std::int64_t row_count, std::int64_t column_count, int width)
        : ColumnGrid(row_count, column_count, width, 4, 64, 1024) {}
    // For passes that leave nothing behind: two rows a thread, more in blocks beyond 8192.
    static ColumnGrid of_pass(std::int64_t row_count, std::int64_t column_count, int width) {
        return ColumnGrid(row_count, column_count, width, 2, 1, 8192);
    }
    ColumnGrid(std::int64_t row_count, std::int64_t column_count, int width, std::int64_t rows_per_thread,
               std::int64_t least_rows, std::int64_t most_blocks)
        : rows(row_count), c(column_count) {
        constexpr std::int64_t most = 256;
        const std::int64_t columns = c / width;
        column_blocks = blocks_for(columns, most);
        if (columns == 0) return;
        columns_per_block = static_cast<int>((columns + column_blocks - 1) / column_blocks);
        lanes = std::max(1, static_cast<int>(most) / columns_per_block);
        threads = (columns_per_block * lanes + warp_size - 1) / warp_size * warp_size;
        rows_per_chunk = std::max(rows_per_thread * lanes, least_rows);
        const std::int64_t allowed = std::max<std::int64_t>(1, most_blocks / column_blocks);
        if ((rows + rows_per_chunk - 1) / rows_per_chunk > allowed) rows_per_chunk = (rows + allowed - 1) / allowed;
        chunks = std::max(1u, blocks_for(rows, rows_per_chunk));
    }
    dim3 grid() const { return {column_blocks, chunks}; }

    __device__ int lane() const { return static_cast<int>(threadIdx.x) / columns_per_block; }
    template <int width>
    __device__ std::int64_t column() const {  // the first of this thread's; c or more: none
        const int slot = static_cast<int>(threadIdx.x) % columns_per_block;
        if (lane() >= lanes) return c;
        return (std::int64_t{blockIdx.x} * columns_per_block + slot) * width;
    }
    __device__ std::int64_t first_row() const { return std::int64_t{blockIdx.y} * rows_per_chunk; }
    __device__ std::int64_t end_row() const {
        const std::int64_t end = first_row() + rows_per_chunk;
        return end < rows ? end : rows;
    }
};

// Merges what the lanes of a block hold for the same columns, as a tree; lane 0 gets the result. `shared` has a place
// for each of up to 256 threads. merge(a, b): a becomes a and b.
template <class Grid, class State, class Merge>
__device__ State merge_lanes(const Grid& grid, State mine, State* shared, const Merge& merge) {
    const int slot = static_cast<int>(threadIdx.x), lane = grid.lane();
    shared[slot] = mine;
    int offset = 1;
    while (offset < grid.lanes) offset *= 2;
    for (offset /= 2; offset > 0; offset /= 2) {
        __syncthreads();
        if (lane < offset && lane + offset < grid.lanes) {
            merge(mine, shared[slot + offset * grid.columns_per_block]);
            shared[slot] = mine;
        }
    }
    return mine;
}

// q sums for each of `width` columns.
template <int width, int q = 1>
struct ColumnSums {
    float of[q][width];
    __device__ void add(const ColumnSums& other) {
#pragma unroll
        for (int i = 0; i < q; ++i)
#pragma unroll
            for (int k = 0; k < width; ++k) of[i][k] += other.of[i][k];
    }
};

// y[i] = factor sum_j partial[j, i] [+ y[i]], j in 0..chunks - 1 in a fixed tree.
template <class T>
void sum_chunks(Stream& stream, const float* partial, std::int64_t chunks, std::int64_t count, T* y, float factor,
                bool accumulate);

}
