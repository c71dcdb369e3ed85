#pragma once
// A device that is not there: memory, streams, events and graphs of the CUDA runtime on the host, for tests. Work is
// queued and runs when somebody waits for it, not before: a result read without waiting, or numbers overwritten before
// they were sent, show as wrong numbers. For one thread.
#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace simt {

// Queues work on a stream, or notes it in the graph that the stream records. `kernel` names it: a function's address,
// or null for a copy. `microseconds` is how long it takes by the clock of events.
void issue(cudaStream_t stream, const void* kernel, std::function<void()> work, double microseconds = 1);

// What has happened in this process so far.
struct Tally {
    std::set<const void*> kernels{};                // run at least once
    std::int64_t launches = 0, graph_launches = 0;  // kernels and calls of libraries queued one by one; graphs
    std::int64_t recorded = 0;                      // pieces of work noted in graphs
    std::int64_t copies = 0, synchronizations = 0, allocations = 0;
    std::size_t live_blocks = 0,
                live_handles = 0;       // not freed; streams, events, graphs and what libraries made not destroyed
    std::vector<std::string> faults{};  // of the calling code: foreign pointers, copies out of bounds ...
};
const Tally& tally();

// While one lives, work on streams is not done, but what was launched is noted: what a test would cost.
struct Rehearsal {
    Rehearsal();
    ~Rehearsal();
    Rehearsal(const Rehearsal&) = delete;
    const void* kernel = nullptr;                       // the last one
    std::set<std::pair<const void*, bool>> launches{};  // of which kernels; whether of several blocks
    std::int64_t threads = 0;                           // of all launches
};
Rehearsal*& rehearsal();  // null if there is none

// Names of kernels, and of those in the tally, without namespace and template arguments.
std::set<std::string> names_of(const std::set<const void*>& kernels);
std::set<std::string> kernels_run();
// The faults so far, which are forgotten: for a test that makes some.
std::vector<std::string> take_faults();

// For the stand-ins of libraries.
bool is_device_memory(const void* data, std::size_t bytes);
bool is_stream(cudaStream_t stream);
void note_fault(std::string text);
void count_handles(int change);

}
