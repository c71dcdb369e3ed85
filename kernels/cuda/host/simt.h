#pragma once
// Kernels on the CPU: what a .cu file needs to be compiled by g++ and executed by simt.cpp. Included before all else
// (-include), so that no kernel knows of it. All of it runs on one thread of the system; each CUDA thread is a
// fiber that runs until it waits for its warp or its block.
#include "kernels/cuda/host/runtime.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define BKD_SHARED(T, name, ...)                                  \
    static constinit ::simt::Shared name##_of_blocks{};           \
    auto& name = *static_cast<std::add_pointer_t<T __VA_ARGS__>>( \
        ::simt::shared_memory(name##_of_blocks, sizeof(T __VA_ARGS__)))

namespace simt {

struct Place {
    uint3 thread, block;
    dim3 block_size, grid;
};
extern constinit Place here;

void run_grid(dim3 grid, int threads, const std::function<void()>& body);
// Waits for every live thread of the block.
void block_wait();
// Waits for the lanes of `mask`, then gives what lane `from` (or each) brought.
std::uint64_t exchange(unsigned mask, std::uint64_t mine, int from);
unsigned ballot(unsigned mask, bool mine);
// The same, and memory is in order between them.
void warp_wait();
// Memory is in order after all fences before.
void fence();

// A variable in shared memory: where it lies, for each half of the fibers (simt.cpp). It holds no number at the start
// of a block: filled with NaN at the first thread's first use.
struct SharedOfHalf {
    void* data = nullptr;
    std::int64_t block = 0;  // that used it last
};
struct Shared {
    SharedOfHalf of_half[2];
};
void* shared_memory(Shared& variable, std::size_t bytes);

template <class T>
T shuffle_xor(unsigned mask, T value, int offset) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = exchange(mask, bits, static_cast<int>(here.thread.x % 32) ^ offset);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}

#define threadIdx ::simt::here.thread
#define blockIdx ::simt::here.block
#define blockDim ::simt::here.block_size
#define gridDim ::simt::here.grid
#define __syncthreads() ::simt::block_wait()
#define __shfl_xor_sync(mask, value, offset) ::simt::shuffle_xor(mask, value, offset)
#define __syncwarp() ::simt::warp_wait()
#define __ballot_sync(mask, predicate) ::simt::ballot(mask, predicate)

using std::isfinite;
using std::isnan;
inline void __threadfence() { simt::fence(); }
inline std::uint32_t __umulhi(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint32_t>(std::uint64_t{a} * b >> 32);
}
inline float __uint_as_float(std::uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
inline float __fmul_rn(float a, float b) { return a * b; }
inline int __ffs(int x) { return __builtin_ffs(x); }
// Not for the thread sanitizer to see: see watch.h.
template <class T>
[[gnu::no_sanitize("thread")]] T atomicAdd(T* at, T value) {
    const T old = *at;
    *at = old + value;
    return old;
}
inline std::uint32_t atomicAdd(std::uint32_t* at, int value) {
    return atomicAdd(at, static_cast<std::uint32_t>(value));
}
[[gnu::no_sanitize("thread")]] inline std::int32_t atomicCAS(std::int32_t* at, std::int32_t expected,
                                                             std::int32_t value) {
    const std::int32_t old = *at;
    if (old == expected) *at = value;
    return old;
}
