#include "kernels/cuda/host/runtime.h"

#include "kernels/cuda/host/watch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <utility>

using Work = std::function<void()>;

struct CUgraph_st {
    std::vector<Work> nodes;
};
struct CUgraphExec_st {
    std::vector<Work> nodes;
};
struct CUstream_st {
    std::deque<Work> queue;
    std::int64_t done = 0;           // pieces of work run so far
    double queued_microseconds = 0;  // of all that was ever queued
    std::unique_ptr<CUgraph_st> recording;
};
struct CUevent_st {
    cudaStream_t stream = nullptr;
    std::int64_t after = 0;   // it is reached once the stream has run so many pieces
    double microseconds = 0;  // of the stream's work before it
};

namespace simt {
namespace {

constexpr std::size_t memory_bytes = std::size_t{1} << 30;

// Bytes before and behind each block that hold no number and that nobody writes; bytes of freed memory that are kept
// for a while, since nobody writes them either.
constexpr std::size_t zone_bytes = 256, quarantine_bytes = std::size_t{64} << 20;
constexpr int no_number = 0xFF;

using Blocks = std::map<std::uintptr_t, std::size_t>;
struct Freed {
    std::byte* data;
    std::size_t bytes;
};
struct Device {
    // What is in quarantine is no leak: it was freed by whom it belonged to.
    ~Device() {
        for (const Freed& freed : quarantine) std::free(freed.data - zone_bytes);
    }
    Blocks blocks, pinned;
    std::deque<Freed> quarantine;
    std::size_t in_quarantine = 0;
    std::set<cudaStream_t> streams;
    Tally tally;
};
Device& device() {
    static Device only;
    return only;
}

// Device memory is the host's to touch in no other way than by work: the address sanitizer is told so.
void poison(bool on) {
    if (!watch::sees_addresses()) return;
    for (const auto& [at, bytes] : device().blocks) watch::poison(reinterpret_cast<void*>(at), bytes, on);
}

void run_next(cudaStream_t stream) {
    const Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    ++stream->done;
    work();
}

// Streams wait for each other in no way but through the host: what others have queued may come before, between or after.
void run_to(cudaStream_t stream, std::int64_t position) {
    static std::uint32_t state = 1;
    const auto is_left = [&] { return stream->done < position && !stream->queue.empty(); };
    if (!is_left()) return;
    poison(false);
    while (is_left()) {
        for (cudaStream_t other : device().streams) {
            state = state * 1664525 + 1013904223;
            if (other != stream && !other->queue.empty() && (state >> 30) == 0) run_next(other);
        }
        run_next(stream);
    }
    poison(true);
}
std::int64_t end_of(cudaStream_t stream) { return stream->done + static_cast<std::int64_t>(stream->queue.size()); }

bool lies_in(const Blocks& blocks, const void* data, std::size_t bytes) {
    const auto at = reinterpret_cast<std::uintptr_t>(data);
    auto found = blocks.upper_bound(at);
    if (found == blocks.begin()) return false;
    --found;
    return at + bytes <= found->first + found->second;
}
// A copy's two ends must be what its kind says.
cudaError_t check_ends(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    const bool writes_device = kind != cudaMemcpyDeviceToHost, reads_device = kind != cudaMemcpyHostToDevice;
    const bool good = (!writes_device || lies_in(device().blocks, to, bytes)) &&
                      (!reads_device || lies_in(device().blocks, from, bytes));
    if (good) return cudaSuccess;
    note_fault("a copy of " + std::to_string(bytes) + " bytes leaves the device's memory");
    return cudaErrorInvalidValue;
}

bool holds_only(const std::byte* data, std::size_t bytes, int value) {
    return std::all_of(data, data + bytes, [&](std::byte b) { return b == static_cast<std::byte>(value); });
}
std::size_t rounded(std::size_t bytes) { return std::max<std::size_t>((bytes + 255) / 256 * 256, 256); }

void check_zones(std::byte* data, std::size_t bytes) {
    const bool good = holds_only(data - zone_bytes, zone_bytes, no_number) &&
                      holds_only(data + bytes, rounded(bytes) - bytes + zone_bytes, no_number);
    if (!good) note_fault("written outside a block of " + std::to_string(bytes) + " bytes");
}

cudaError_t take(Blocks& blocks, void** data, std::size_t bytes) {
    const std::size_t all = rounded(bytes) + 2 * zone_bytes;
    auto* const memory = static_cast<std::byte*>(std::aligned_alloc(256, all));
    if (memory == nullptr) return cudaErrorMemoryAllocation;
    std::memset(memory, no_number, all);
    watch::poison(memory, all, true);
    *data = memory + zone_bytes;
    blocks[reinterpret_cast<std::uintptr_t>(*data)] = bytes;
    ++device().tally.allocations;
    if (&blocks == &device().pinned) watch::poison(*data, bytes, false);
    return cudaSuccess;
}

void free_oldest() {
    Device& d = device();
    const Freed oldest = d.quarantine.front();
    d.quarantine.pop_front();
    d.in_quarantine -= oldest.bytes;
    watch::poison(oldest.data - zone_bytes, rounded(oldest.bytes) + 2 * zone_bytes, false);
    if (!holds_only(oldest.data, oldest.bytes, no_number)) note_fault("memory written after it was freed");
    std::free(oldest.data - zone_bytes);
}

cudaError_t give(Blocks& blocks, void* data) {
    if (data == nullptr) return cudaSuccess;
    const auto found = blocks.find(reinterpret_cast<std::uintptr_t>(data));
    if (found == blocks.end()) {
        note_fault("memory freed that was not taken, or twice");
        return cudaErrorInvalidValue;
    }
    const std::set<cudaStream_t> streams = device().streams;
    for (cudaStream_t stream : streams) run_to(stream, end_of(stream));  // cudaFree waits for the device
    const std::size_t bytes = found->second;
    blocks.erase(found);
    auto* const memory = static_cast<std::byte*>(data);
    watch::poison(memory - zone_bytes, rounded(bytes) + 2 * zone_bytes, false);
    check_zones(memory, bytes);
    std::memset(memory - zone_bytes, no_number, rounded(bytes) + 2 * zone_bytes);
    watch::poison(memory - zone_bytes, rounded(bytes) + 2 * zone_bytes, true);
    device().quarantine.push_back({memory, bytes});
    device().in_quarantine += bytes;
    while (device().in_quarantine > quarantine_bytes) free_oldest();
    return cudaSuccess;
}

template <class T>
cudaError_t make(T** handle) {
    *handle = new T;
    count_handles(1);
    return cudaSuccess;
}
template <class T>
cudaError_t drop(T* handle) {
    delete handle;
    count_handles(-1);
    return cudaSuccess;
}

}

void issue(cudaStream_t stream, const void* kernel, Work work, double microseconds) {
    Tally& tally = device().tally;
    Work counted = [kernel, run = std::move(work)] {
        if (Rehearsal* const noting = rehearsal()) {
            noting->kernel = kernel;
            if (kernel != nullptr) run();
            return;
        }
        if (kernel != nullptr) device().tally.kernels.insert(kernel);
        run();
    };
    if (stream->recording) {
        stream->recording->nodes.push_back(std::move(counted));
        ++tally.recorded;
        return;
    }
    ++(kernel != nullptr ? tally.launches : tally.copies);
    stream->queue.push_back(std::move(counted));
    stream->queued_microseconds += microseconds;
}

const Tally& tally() {
    Device& d = device();
    d.tally.live_blocks = d.blocks.size() + d.pinned.size();
    return d.tally;
}
Rehearsal*& rehearsal() {
    static Rehearsal* current = nullptr;
    return current;
}
Rehearsal::Rehearsal() { rehearsal() = this; }
Rehearsal::~Rehearsal() { rehearsal() = nullptr; }
std::vector<std::string> take_faults() {
    while (!device().quarantine.empty()) free_oldest();
    return std::exchange(device().tally.faults, {});
}

bool is_device_memory(const void* data, std::size_t bytes) { return lies_in(device().blocks, data, bytes); }
bool is_stream(cudaStream_t stream) { return device().streams.contains(stream); }
void note_fault(std::string text) { device().tally.faults.push_back(std::move(text)); }
void count_handles(int change) { device().tally.live_handles += static_cast<std::size_t>(change); }

}

using namespace simt;

extern "C" {
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    *properties = {};
    std::strcpy(properties->name, "executor on the host");
    properties->totalGlobalMem = memory_bytes;
    properties->major = 9;
    return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t status) {
    return status == cudaErrorStreamCaptureUnsupported ? "operation not permitted when stream is capturing"
                                                       : "an error of the executor on the host";
}
const char* cudaGetErrorName(cudaError_t) { return "host"; }

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = *total = memory_bytes;
    for (const auto& [at, bytes] : device().blocks) *free -= std::min(*free, bytes);
    return cudaSuccess;
}
cudaError_t cudaMalloc(void** data, std::size_t bytes) {
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    return bytes > free ? cudaErrorMemoryAllocation : take(device().blocks, data, bytes);
}
cudaError_t cudaFree(void* data) { return give(device().blocks, data); }
cudaError_t cudaMallocHost(void** data, std::size_t bytes) { return take(device().pinned, data, bytes); }
cudaError_t cudaFreeHost(void* data) { return give(device().pinned, data); }
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    if (const cudaError_t status = check_ends(to, from, bytes, kind); status != cudaSuccess) return status;
    issue(stream, nullptr, [=] { std::memcpy(to, from, bytes); });
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
    if (const cudaError_t status = check_ends(to, to, bytes, cudaMemcpyDeviceToDevice); status != cudaSuccess)
        return status;
    issue(stream, nullptr, [=] { std::memset(to, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    make(stream);
    device().streams.insert(*stream);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    run_to(stream, end_of(stream));
    device().streams.erase(stream);
    return drop(stream);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (stream->recording) {
        stream->recording.reset();
        return cudaErrorStreamCaptureUnsupported;
    }
    ++device().tally.synchronizations;
    run_to(stream, end_of(stream));
    return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    if (stream->recording) return cudaErrorStreamCaptureUnsupported;
    stream->recording = std::make_unique<CUgraph_st>();
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    *graph = nullptr;
    if (!stream->recording) return cudaErrorStreamCaptureInvalidated;
    make(graph);
    (*graph)->nodes = std::move(stream->recording->nodes);
    stream->recording.reset();
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    make(executable);
    (*executable)->nodes = graph->nodes;
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    ++device().tally.graph_launches;
    for (const Work& node : executable->nodes) stream->queue.push_back(node);
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return drop(graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return drop(executable); }

cudaError_t cudaEventCreate(cudaEvent_t* event) { return make(event); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return make(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return drop(event); }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event->stream = stream;
    event->after = end_of(stream);
    event->microseconds = stream->queued_microseconds;
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    if (event->stream != nullptr) run_to(event->stream, event->after);
    return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    if (from->stream == nullptr || from->stream != to->stream) return cudaErrorInvalidValue;
    *milliseconds = static_cast<float>((to->microseconds - from->microseconds) / 1000);
    return cudaSuccess;
}
}
