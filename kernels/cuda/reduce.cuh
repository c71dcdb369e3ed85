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

// A block's threads as columns by lanes, for what is put together from chunks: channels from `first` on, 32 at most.
struct ChunkBlock {
    int columns_per_block, lanes;
    std::int64_t first;
    __device__ ChunkBlock(std::int64_t c, std::int64_t first_channel)
        : columns_per_block(c - first_channel < warp_size ? static_cast<int>(c - first_channel) : warp_size),
          lanes(static_cast<int>(blockDim.x) / columns_per_block),
          first(first_channel) {}
    __device__ int column() const { return static_cast<int>(threadIdx.x) % columns_per_block; }
    __device__ int lane() const { return static_cast<int>(threadIdx.x) / columns_per_block; }
    __device__ std::int64_t channel() const { return first + column(); }
};

// What chunk(j, i) gives, summed over the chunks j, i the place of the thread's channel in [chunks, c]: shared[column] is
// the sum, until the next call.
template <class Sums, class Chunk>
__device__ void sum_over_chunks(const ChunkBlock& at, std::int64_t c, int chunks, Sums* shared, const Chunk& chunk) {
    Sums mine{};
    if (at.lane() < at.lanes) {
        std::int64_t i = at.lane() * c + at.channel();
#pragma unroll 8
        for (int j = at.lane(); j < chunks; j += at.lanes, i += at.lanes * c) mine.add(chunk(j, i));
    }
    __syncthreads();  // the last call's result has been read
    merge_lanes(at, mine, shared, [](Sums& a, const Sums& b) { a.add(b); });
    __syncthreads();
}

// join(first) for every group of channels: by the last block of a launch to come here, if there is a `state`.
template <class Join>
__device__ void join_in_last_block(StreamState* state, std::int64_t c, const Join& join) {
    if (state == nullptr || !is_last_block(state)) return;
    for (std::int64_t first = 0; first < c; first += warp_size) join(first);
}
// The state for a launch that leaves `numbers` of each kind behind, null if another launch should put them together.
inline StreamState* joiner(Stream& stream, std::size_t numbers) {
    constexpr std::size_t read_in_a_launch = 16384;
    return numbers <= read_in_a_launch ? cuda_stream(stream).state : nullptr;
}

template <class T>
__device__ void put_sum(const ChunkSum<T>& of, std::int64_t i, float sum) {
    const float total = of.factor * sum;
    of.y[i] = from_float<T>(of.accumulate ? to_float(of.y[i]) + total : total);
}

// The part of one block: 32 columns from `first` on, 32 lanes of chunks, in one tree whatever the number of threads.
// `tile`: shared, 32 x 33 numbers.
template <int threads, class T>
__device__ void add_chunks(const ChunkSum<T>& of, std::int64_t first, float* tile) {
    constexpr int warps = threads / warp_size, lanes_of_warp = warp_size / warps, row = warp_size + 1;
    const int column = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
    float sums[lanes_of_warp] = {};
    if (first + column < of.count)
        for (int chunk = warp; chunk < of.chunks; chunk += warp_size)
#pragma unroll
            for (int i = 0; i < lanes_of_warp; ++i)
                if (chunk + i * warps < of.chunks)
                    sums[i] += of.partial[(chunk + i * warps) * of.count + first + column];
#pragma unroll
    for (int i = 0; i < lanes_of_warp; ++i) tile[(warp + i * warps) * row + column] = sums[i];
    __syncthreads();
    // Turned over, so that each warp adds one column's lanes.
#pragma unroll
    for (int i = 0; i < lanes_of_warp; ++i) {
        const int lane = warp + i * warps;
        const float sum = warp_all<SumOf>(tile[column * row + lane]);
        const std::int64_t at = first + lane;
        if (column == 0 && at < of.count) put_sum(of, at, sum);
    }
}

}
