#pragma once
// From an op's arguments to a launch: element pointers, storage types, grids, index checks. `<<<` stands here alone.
#include "kernels/cuda/divider.cuh"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/view.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace bkd::kernels::cuda {

// Shared memory is declared by this alone: the executor of kernels on the host (host/simt.h) gives it another meaning.
#ifndef BKD_SHARED
#define BKD_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
#endif

constexpr int warp_size = 32;
constexpr unsigned all_lanes = 0xFFFFFFFF;

// Queues kernel(arguments...) on grid blocks of `threads`; an empty grid is nothing to do.
template <class... Parameters, class... Arguments>
void launch(Stream& stream, void (*kernel)(Parameters...), dim3 grid, int threads, const Arguments&... arguments) {
    if (grid.x == 0 || grid.y == 0) return;
#ifdef __CUDACC__
    kernel<<<grid, threads, 0, cuda_stream(stream).queue>>>(static_cast<Parameters>(arguments)...);
    check_status(cudaGetLastError(), "a kernel launch", stream.device);
#else
    simt::issue(cuda_stream(stream).queue, reinterpret_cast<const void*>(kernel),
                [=, values = std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)] {
                    simt::run_grid(grid, threads, [&] { std::apply(kernel, values); });
                });
#endif
}

// Blocks of `per_block` items for `items` of them.
inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
    const std::int64_t blocks = (items + per_block - 1) / per_block;
    BKD_CHECK(blocks <= std::numeric_limits<std::int32_t>::max(), "{} blocks", blocks);
    return static_cast<unsigned>(blocks);
}

// The index of this thread among all of the launch.
__device__ inline std::int64_t global_thread() { return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }

// The elements of a view, null if it is left out. LogicError if it holds another type.
template <class T>
const T* elements(const ConstView& view) {
    BKD_CHECK(!view || view.dtype == dtype_of<T>(), "{} {} where {} is needed", name_of(view.dtype), view.shape.str(),
              name_of(dtype_of<T>()));
    return static_cast<const T*>(view.data);
}
template <class T>
T* elements(const View& view) {
    return const_cast<T*>(elements<T>(ConstView(view)));
}
template <class T>
T* elements(const Out& out) {
    return elements<T>(out.view);
}

// f(float{}) or f(Bf16{}): a body for each storage type.
template <class F>
void with_storage(DType dtype, F&& f) {
    BKD_CHECK(dtype == DType::f32 || dtype == DType::bf16, "{} is no storage type here", name_of(dtype));
    dtype == DType::f32 ? f(float{}) : f(Bf16{});
}

// Whether `bytes` at a time may be read and written at all of these.
template <class... Pointers>
bool are_aligned(std::size_t bytes, Pointers... pointers) {
    return ((reinterpret_cast<std::uintptr_t>(pointers) % bytes == 0) && ...);
}

template <int n>
struct Width {
    static constexpr int value = n;
};
// f(Width<n>{}), n = full_width<T> if rows of `row` elements at these addresses allow it, else 1.
template <class T, class F, class... Pointers>
void widest(std::int64_t row, F&& f, Pointers... pointers) {
    if (row % full_width<T> == 0 && are_aligned(16, pointers...))
        f(Width<full_width<T>>{});
    else
        f(Width<1>{});
}

// f(Width<n>{}, Width<access>{}): n from the row alone, access from the addresses too (load_floats_by).
template <class T, class F, class... Pointers>
void widest_sum(std::int64_t row, F&& f, Pointers... pointers) {
    constexpr int width = full_width<T>;
    if (row % width != 0)
        f(Width<1>{}, Width<1>{});
    else if (are_aligned(16, pointers...))
        f(Width<width>{}, Width<width>{});
    else
        f(Width<width>{}, Width<1>{});
}

// The index if it is in 0..limit - 1; else 0, and the fault is noted.
__device__ inline std::int64_t checked_index(StreamState* state, Indexed what, std::int64_t value, std::int64_t limit,
                                             std::int64_t position) {
    if (value >= 0 && value < limit) return value;
    if (atomicCAS(&state->fault.is_claimed, 0, 1) == 0) {
        state->fault.what = what;
        state->fault.value = value;
        state->fault.position = position;
        state->fault.limit = limit;
    }
    return 0;
}

}
