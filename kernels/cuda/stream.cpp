// A queue of the device: its order is the stream's, uploads run ahead through a pinned ring, and a step is recorded as a
// graph by the driver's stream capture.
#include "kernels/cuda/stream.h"

#include <cstring>
#include <functional>
#include <utility>

namespace bkd::kernels::cuda {
namespace {

class Graph final : public Recording {
public:
    Graph(CudaStream& stream, cudaGraph_t recorded, std::uint32_t reserve) : stream_(stream), reserve_(reserve) {
        const cudaError_t status = cudaGraphInstantiate(&graph_, recorded, 0);
        cudaGraphDestroy(recorded);
        if (status == cudaSuccess) return;
        stream_.pool.drop_reserve(reserve_);
        check_status(status, "cudaGraphInstantiate", stream_.device);
    }
    ~Graph() override {
        cudaStreamSynchronize(stream_.queue);  // what was replayed still uses the memory
        cudaGraphExecDestroy(graph_);
        stream_.pool.drop_reserve(reserve_);
    }
    void replay() override {
        stream_.finish_deferred();
        BKD_CUDA(cudaGraphLaunch(graph_, stream_.queue), stream_.device);
    }

private:
    CudaStream& stream_;
    cudaGraphExec_t graph_ = nullptr;
    const std::uint32_t reserve_;
};

}

CudaStream::CudaStream(Device d, Pool& p, Libraries& l)
    : Stream(d, p), libraries(l), state_block_(p.take(sizeof(StreamState))) {
    state = static_cast<StreamState*>(state_block_.data);
    BKD_CUDA(cudaStreamCreateWithFlags(&queue, cudaStreamNonBlocking), device);
    BKD_CUDA(cudaMemsetAsync(state, 0, sizeof(StreamState), queue), device);
    void* ring = nullptr;
    BKD_CUDA(cudaMallocHost(&ring, slots * slot_bytes), device);
    ring_ = static_cast<std::byte*>(ring);
    for (cudaEvent_t& event : is_sent_) BKD_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), device);
}

CudaStream::~CudaStream() {
    if (queue != nullptr) {
        abandon_recording();
        try {
            finish_deferred();
        } catch (const InputError&) {}  // the device is lost, and with it the gradient
        cudaStreamSynchronize(queue);
        cudaStreamDestroy(queue);
    }
    for (const cudaEvent_t event : is_sent_)
        if (event != nullptr) cudaEventDestroy(event);
    if (ring_ != nullptr) cudaFreeHost(ring_);
    pool.give(state_block_);
}

void CudaStream::before_use(const void* data, std::size_t bytes) {
    if (deferred_ == nullptr) return;
    const auto *first = static_cast<const std::byte*>(data), *y = reinterpret_cast<const std::byte*>(deferred_->sum.y);
    if (std::less<>()(first, y + deferred_->sum.count * sizeof(float)) && std::less<>()(y, first + bytes))
        finish_deferred();
}

void CudaStream::finish_deferred() {
    if (const auto sum = take_deferred()) sum_chunks(*this, sum->sum);
}

void CudaStream::defer(std::unique_ptr<DeferredSum> sum) {
    finish_deferred();
    deferred_ = std::move(sum);
}

void CudaStream::synchronize() {
    check_not_recording("synchronize()");
    finish_deferred();
    IndexFault fault{};
    BKD_CUDA(cudaMemcpyAsync(&fault, &state->fault, sizeof fault, cudaMemcpyDeviceToHost, queue), device);
    BKD_CUDA(cudaStreamSynchronize(queue), device);
    if (fault.is_claimed == 0) return;
    constexpr const char* names[] = {"label", "partner label", "partner",        "index",
                                     "token", "offset",        "maximum's index"};
    BKD_CUDA(cudaMemsetAsync(&state->fault, 0, sizeof fault, queue), device);
    const auto what = static_cast<std::size_t>(fault.what);
    BKD_CHECK(what < std::size(names), "{}: the words of a stream in device memory were overwritten", device.str());
    throw LogicError(
        fmt::format("{} {} at {} is not in 0..{}", names[what], fault.value, fault.position, fault.limit - 1));
}

void CudaStream::upload(void* to, const void* host, std::size_t bytes) {
    check_not_recording("an upload");
    finish_deferred();
    if (bytes == 0) return;
    if (bytes > slot_bytes) {
        BKD_CUDA(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, queue), device);
        BKD_CUDA(cudaStreamSynchronize(queue), device);
        return;
    }
    const cudaEvent_t is_sent = is_sent_[next_slot_];
    std::byte* slot = ring_ + next_slot_ * slot_bytes;
    next_slot_ = (next_slot_ + 1) % slots;
    BKD_CUDA(cudaEventSynchronize(is_sent), device);  // at once, if the slot was never used
    std::memcpy(slot, host, bytes);
    BKD_CUDA(cudaMemcpyAsync(to, slot, bytes, cudaMemcpyHostToDevice, queue), device);
    BKD_CUDA(cudaEventRecord(is_sent, queue), device);
}

void CudaStream::begin_recording() {
    check_not_recording("begin_recording()");
    finish_deferred();
    reserve_ = pool.begin_reserve();
    // Relaxed: the pool may still ask the device for memory, which is no work of the queue.
    const cudaError_t status = cudaStreamBeginCapture(queue, cudaStreamCaptureModeRelaxed);
    if (status == cudaSuccess) return;
    pool.end_reserve();
    pool.drop_reserve(std::exchange(reserve_, 0));
    check_status(status, "cudaStreamBeginCapture", device);
}

std::unique_ptr<Recording> CudaStream::end_recording() {
    BKD_CHECK(reserve_ != 0, "nothing is recorded on {}", device.str());
    finish_deferred();
    pool.end_reserve();
    const std::uint32_t reserve = std::exchange(reserve_, 0);
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(queue, &graph);
    if (status != cudaSuccess) pool.drop_reserve(reserve);
    check_status(status, "cudaStreamEndCapture", device);
    return std::make_unique<Graph>(*this, graph, reserve);
}

void CudaStream::abandon_recording() noexcept {
    if (reserve_ == 0) return;
    deferred_.reset();
    pool.end_reserve();
    cudaGraph_t graph = nullptr;
    cudaStreamEndCapture(queue, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
    pool.drop_reserve(std::exchange(reserve_, 0));
}

void CudaStream::check_not_recording(const char* what) {
    if (reserve_ == 0) return;
    abandon_recording();
    throw LogicError(fmt::format("{} after {} within a recorded step of {}", what, last_op, device.str()));
}

}
