// Tests of the test: faults of a backend and of kernels, planted, are seen by the runtime on the host. Races have a test
// of their own under the thread sanitizer.
#include "kernels/backend.h"
#include "kernels/cuda/host/simt.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

namespace bkd::test {
namespace {

struct Memory {
    explicit Memory(std::size_t bytes) { CHECK(cudaMalloc(&data, bytes) == cudaSuccess); }
    ~Memory() { cudaFree(data); }
    Memory(const Memory&) = delete;
    void* data = nullptr;
};
struct Queue {
    Queue() { CHECK(cudaStreamCreateWithFlags(&raw, 0) == cudaSuccess); }
    ~Queue() { cudaStreamDestroy(raw); }
    Queue(const Queue&) = delete;
    cudaStream_t raw = nullptr;
};

constexpr int threads = 64;

// The sum of 0 .. threads - 1 as a tree in shared memory, with or without the barrier that each level needs.
float tree_sum(bool has_barriers) {
    float sum = 0;
    simt::run_grid(dim3(1), threads, [&] {
        BKD_SHARED(float, tree, [threads]);
        const int i = static_cast<int>(threadIdx.x);
        tree[i] = static_cast<float>(i);
        for (int offset = threads / 2; offset > 0; offset /= 2) {
            if (has_barriers) __syncthreads();
            if (i < offset) tree[i] += tree[i + offset];
        }
        if (i == 0) sum = tree[0];
    });
    return sum;
}

// How often of many times a number written on one stream and read on another is wrong.
int wrong_reads(bool waits) {
    const auto backend = open_backend({DeviceKind::cuda, 0});
    const auto writer = backend->make_stream(), reader = backend->make_stream();
    int wrong = 0;
    for (int i = 1; i <= 40; ++i) {
        const Block from = backend->pool().take(4), to = backend->pool().take(4);
        const View x{from.data, {1}, DType::f32, backend->device}, y{to.data, {1}, DType::f32, backend->device};
        backend->elementwise().fill(*writer, {.y = x, .value = static_cast<double>(i)});
        if (waits) writer->synchronize();
        backend->elementwise().scale(*reader, {.x = x, .y = y});
        float seen = 0;
        backend->download(*reader, y, &seen);
        wrong += seen != static_cast<float>(i);
        backend->pool().give(to);
        backend->pool().give(from);
    }
    return wrong;
}

}

TEST_CASE("a barrier that is missing gives a wrong sum in some order of the threads") {
    int wrong = 0;
    for (int launch = 0; launch < 20; ++launch) {
        CHECK(tree_sum(true) == threads * (threads - 1) / 2);
        wrong += tree_sum(false) != threads * (threads - 1) / 2;
    }
    CHECK(wrong > 0);
}

TEST_CASE("a barrier that some threads never reach stops the launch") {
    const auto divergent = [] {
        if (threadIdx.x < 16) __syncthreads();
        if (threadIdx.x >= 16) __ballot_sync(0xFFFFFFFF, true);
    };
    CHECK_THROWS_WITH_AS(simt::run_grid(dim3(1), 32, divergent), doctest::Contains("waits for threads that never come"),
                         std::logic_error);
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program there
static void queue_write(const Queue& queue, void* to, std::int64_t at) {
    simt::issue(queue.raw, nullptr, [=] { simt::run_grid(dim3(1), 1, [=] { static_cast<float*>(to)[at] = 1; }); });
}

TEST_CASE("one element too far, behind or before, is seen when the memory is freed") {
    for (const std::int64_t at : {std::int64_t{100}, std::int64_t{-1}}) {
        {
            const Queue queue;
            const Memory memory(100 * sizeof(float));
            queue_write(queue, memory.data, 99);
            queue_write(queue, memory.data, at);
        }
        CHECK(simt::take_faults() == std::vector<std::string>{"written outside a block of 400 bytes"});
    }
}

TEST_CASE("memory written after it was freed is seen") {
    const Queue queue;
    void* gone = nullptr;
    {
        const Memory memory(400);
        gone = memory.data;
    }
    CHECK(simt::take_faults().empty());
    void* again = nullptr;
    CHECK(cudaMalloc(&again, 400) == cudaSuccess);
    CHECK(cudaFree(again) == cudaSuccess);
    simt::issue(queue.raw, nullptr, [=] { static_cast<float*>(again)[3] = 1; });
    CHECK(cudaStreamSynchronize(queue.raw) == cudaSuccess);
    CHECK(simt::take_faults() == std::vector<std::string>{"memory written after it was freed"});
    CHECK(cudaFree(gone) != cudaSuccess);
    CHECK(simt::take_faults() == std::vector<std::string>{"memory freed that was not taken, or twice"});
}

TEST_CASE("one element too far holds no number to a kernel that reads it") {
    const Queue queue;
    const Memory memory(400);
    float behind = 0;
    simt::issue(queue.raw, nullptr,
                [&] { simt::run_grid(dim3(1), 1, [&] { behind = static_cast<float*>(memory.data)[100]; }); });
    CHECK(cudaStreamSynchronize(queue.raw) == cudaSuccess);
    CHECK(std::isnan(behind));
}
#endif

TEST_CASE("a stream that reads what another writes, without waiting for it, reads no numbers now and then") {
    CHECK(wrong_reads(true) == 0);
    CHECK(wrong_reads(false) > 0);
}

TEST_CASE("all memory together is as much as the device has") {
    void *most = nullptr, *more = nullptr;
    CHECK(cudaMalloc(&most, std::size_t{700} << 20) == cudaSuccess);
    CHECK(cudaMalloc(&more, std::size_t{400} << 20) == cudaErrorMemoryAllocation);
    CHECK(cudaFree(most) == cudaSuccess);
}

TEST_CASE("memory and streams that are left behind are counted") {
    const std::size_t blocks = simt::tally().live_blocks, handles = simt::tally().live_handles;
    void* left = nullptr;
    cudaStream_t stream = nullptr;
    CHECK(cudaMalloc(&left, 4) == cudaSuccess);
    CHECK(cudaStreamCreateWithFlags(&stream, 0) == cudaSuccess);
    CHECK(simt::tally().live_blocks == blocks + 1);
    CHECK(simt::tally().live_handles == handles + 1);
    cudaFree(left);
    cudaStreamDestroy(stream);
}

TEST_CASE("a launch beyond a device's limits is refused") {
    CHECK_THROWS_AS(simt::run_grid(dim3(1), 1025, [] {}), std::logic_error);
    CHECK_THROWS_AS(simt::run_grid(dim3(1, 65536), 1, [] {}), std::logic_error);
    const auto greedy = [] {
        BKD_SHARED(float, numbers, [13 << 10]);
        numbers[threadIdx.x] = 0;
    };
    CHECK_THROWS_WITH_AS(simt::run_grid(dim3(1), 32, greedy), doctest::Contains("53248 bytes of shared memory"),
                         std::logic_error);
}

#ifdef __SANITIZE_ADDRESS__
extern "C" int __asan_address_is_poisoned(const volatile void* address);
TEST_CASE("the host may not touch the device's memory, kernels may") {
    const Queue queue;
    const Memory memory(400);
    CHECK(__asan_address_is_poisoned(memory.data) != 0);
    int within = -1;
    simt::issue(queue.raw, nullptr, [&] { within = __asan_address_is_poisoned(memory.data); });
    CHECK(cudaStreamSynchronize(queue.raw) == cudaSuccess);
    CHECK(within == 0);
    CHECK(__asan_address_is_poisoned(memory.data) != 0);
}
#endif

}
