// Tests of the test: races of kernels, planted, are seen by the thread sanitizer through the executor, and what orders
// memory on a device orders it here. Built with the thread sanitizer alone.
#include "kernels/cuda/host/simt.h"

#include "kernels/cuda/reduce.cuh"

#include <doctest/doctest.h>

namespace {

int reports = 0;
bool are_planted = false;

}

// Asked by the sanitizer before it prints a report; true: it need not. A report of its own would wait for this one.
namespace __tsan {
class ReportDesc;
[[gnu::no_sanitize("thread")]] bool OnReport(const ReportDesc*, bool is_suppressed) {
    ++reports;
    return is_suppressed || are_planted;
}
}

namespace {

template <class Kernel>
int races_of(dim3 grid, int threads, const Kernel& kernel) {
    reports = 0;
    are_planted = true;
    simt::run_grid(grid, threads, kernel);
    are_planted = false;
    return reports;
}

constexpr int threads = 64;
enum class Fault : std::uint8_t { none, planted };

// The sum of 0 .. threads - 1 as a tree. The fault: no barrier before the adding of the last two.
template <Fault fault>
void sum_by_tree(int* sum) {
    BKD_SHARED(int, tree, [threads]);
    const int i = static_cast<int>(threadIdx.x);
    tree[i] = i;
    for (int offset = threads / 2; offset > 0; offset /= 2) {
        if (fault == Fault::none || offset > 1) __syncthreads();
        if (i < offset) tree[i] += tree[i + offset];
    }
    if (i == 0) *sum = tree[0];
}

enum class Wait : std::uint8_t { nothing, vote, warp };
// The lanes of a warp hand their numbers on to their neighbours, three times.
template <Wait wait>
void turn_around(int* out) {
    BKD_SHARED(int, numbers, [threads]);
    const int i = static_cast<int>(threadIdx.x), warp = i / 32 * 32, next = warp + (i + 1) % 32;
    const auto meet = [] {
        if (wait == Wait::warp) __syncwarp();
        if (wait == Wait::vote) __ballot_sync(bkd::kernels::cuda::all_lanes, true);
    };
    int mine = i;
    for (int turn = 0; turn < 3; ++turn) {
        numbers[i] = mine;
        meet();
        mine = numbers[next];
        meet();
    }
    out[i] = mine;
}

// As is_last_block, but for the fences.
bool is_last_without_fence(bkd::kernels::cuda::StreamState* state) {
    BKD_SHARED(bool, is_last);
    __syncthreads();
    if (threadIdx.x == 0) is_last = atomicAdd(&state->arrived, 1) == gridDim.x - 1;
    __syncthreads();
    return is_last;
}
// The last block adds what the others left behind.
template <Fault fault>
void sum_of_blocks(int* partial, int* sum, bkd::kernels::cuda::StreamState* state) {
    if (threadIdx.x == 1) partial[blockIdx.x] = 1;
    if (!(fault == Fault::none ? bkd::kernels::cuda::is_last_block(state) : is_last_without_fence(state))) return;
    if (threadIdx.x != 0) return;
    for (unsigned i = 0; i < gridDim.x; ++i) *sum += partial[i];
}

}

TEST_CASE("a barrier left out of a tree in shared memory is a race; with all of them there is none") {
    int sum = 0;
    for (int launch = 0; launch < 3; ++launch) {
        CHECK(races_of(3, threads, [&] { return blockIdx.x == 1 ? sum_by_tree<Fault::none>(&sum) : void(); }) == 0);
        CHECK(sum == threads * (threads - 1) / 2);
    }
    CHECK(races_of(1, threads, [&] { sum_by_tree<Fault::planted>(&sum); }) > 0);
}

TEST_CASE("a write that another lane reads without __syncwarp between them is a race; a vote does not order memory") {
    int out[threads];
    CHECK(races_of(1, threads, [&] { turn_around<Wait::warp>(out); }) == 0);
    CHECK(out[0] == 3);
    CHECK(out[63] == 34);
    CHECK(races_of(1, threads, [&] { turn_around<Wait::nothing>(out); }) > 0);
    CHECK(races_of(1, threads, [&] { turn_around<Wait::vote>(out); }) > 0);
}

// The sanitizer reports a line of code and an address once: both are new for each size.
int written[1026];
TEST_CASE_TEMPLATE_DEFINE(
    "two threads that write one address race, of one block or of two; shared memory is a block's own", Size, sizes) {
    const auto first_writes = [] {
        if (threadIdx.x == 0) written[Size::value] = 1;
    };
    const auto each_writes_shared = [] {
        BKD_SHARED(int, shared, [1024]);
        shared[threadIdx.x] = 1;
    };
    CHECK(races_of(1, Size::value, first_writes) == 0);
    CHECK(races_of(5, Size::value, each_writes_shared) == 0);
    CHECK(races_of(2, Size::value, first_writes) == 1);
    CHECK(races_of(1, Size::value, [] { written[Size::value + 1] = 1; }) == 1);
}
template <int threads>
using Size = std::integral_constant<int, threads>;
TEST_CASE_TEMPLATE_INVOKE(sizes, Size<32>, Size<256>, Size<1024>);

TEST_CASE("the last block sees what the others wrote before their fences; without the fences that is a race") {
    bkd::kernels::cuda::StreamState state{};
    int partial[7], sum = 0;
    for (int launch = 1; launch < 4; ++launch) {
        CHECK(races_of(7, threads, [&] { sum_of_blocks<Fault::none>(partial, &sum, &state); }) == 0);
        CHECK(sum == launch * 7);
    }
    CHECK(races_of(7, threads, [&] { sum_of_blocks<Fault::planted>(partial, &sum, &state); }) > 0);
}

TEST_CASE("a launch comes after the one before it") {
    std::vector<int> numbers(1024);
    for (unsigned launch = 0; launch < 6; ++launch)
        CHECK(races_of(1 + launch % 3, 256, [&] {
                  const auto at = (blockIdx.x + launch) * 256 % 1024 + (threadIdx.x * 7 + launch) % 256;
                  numbers[at] += 1;
              }) == 0);
    numbers[0] = 0;
}
