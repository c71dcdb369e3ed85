#pragma once
// CudaStream: a queue of work on the device, with the few words of device memory every kernel may use.
//
// Indices are data: a label out of range cannot be refused before the launch without waiting for the device. A kernel
// that meets one reads row 0 in its place, so that nothing outside a tensor is touched, and notes it in the stream's
// IndexFault; the next synchronize() throws the LogicError that `reference` throws at once. Results since the last
// synchronisation are void then. The check costs a comparison an index, and nothing a step.
#include "kernels/cuda/chunk_sum.h"

#include <cuda_runtime_api.h>

#include <array>
#include <memory>

namespace bkd::kernels::cuda {

enum class Indexed : std::int32_t { label, partner_label, partner, index, token, offset, maximum };

// The first fault found since the last synchronisation; which of several that is may differ from run to run.
struct IndexFault {
    std::int32_t is_claimed;
    Indexed what;
    std::int64_t value, position, limit;  // `value` at `position` is not in 0..limit - 1
};

// What lies in device memory for each stream.
struct StreamState {
    IndexFault fault;
    std::uint32_t arrived;  // blocks of the running kernel that are done; the last one sets it back to 0
};

// Handles and plans of cuBLASLt and cuDNN for all streams of a backend (library.h).
class Libraries;
struct LibrariesDeleter {
    void operator()(Libraries* libraries) const noexcept;
};

class CudaStream final : public Stream {
public:
    CudaStream(Device device, Pool& pool, Libraries& libraries);
    ~CudaStream() override;
    void synchronize() override;
    bool can_record() const override { return true; }
    void begin_recording() override;
    std::unique_ptr<Recording> end_recording() override;
    void abandon_recording() noexcept override;
    void before_use(const void* data, std::size_t bytes) override;
    // The sum that is put off is done now; and by whoever takes it.
    void finish_deferred();
    std::unique_ptr<DeferredSum> take_deferred() { return std::move(deferred_); }
    void defer(std::unique_ptr<DeferredSum> sum);

    // LogicError while recording: `what` waits for the device or hands it new numbers.
    void check_not_recording(const char* what);

    // Numbers from the host, in order with the stream's work, without waiting for it: through the next of a ring of
    // pinned slots, so that the host may run steps ahead. What is larger than a slot waits.
    void upload(void* to, const void* host, std::size_t bytes);

    cudaStream_t queue = nullptr;
    StreamState* state = nullptr;  // in device memory
    Libraries& libraries;

private:
    static constexpr std::size_t slot_bytes = 16 << 10, slots = 64;

    std::unique_ptr<DeferredSum> deferred_;
    Block state_block_;
    std::uint32_t reserve_ = 0;  // of the pool while recording
    std::byte* ring_ = nullptr;  // [slots, slot_bytes], pinned
    std::array<cudaEvent_t, slots> is_sent_{};
    std::size_t next_slot_ = 0;
};

inline CudaStream& cuda_stream(Stream& stream) {
    BKD_CHECK(stream.device.kind == DeviceKind::cuda, "a stream of {} given to a CUDA kernel", stream.device.str());
    return static_cast<CudaStream&>(stream);
}

// How many devices are visible: at least one, or E0803 for the driver, E0801 for the devices.
int visible_devices(const Device& device);

// Throws for every status but success: what was asked, of which device, the driver's words, what to do.
void check_status(cudaError_t status, const char* call, const Device& device);
#define BKD_CUDA(call, device) ::bkd::kernels::cuda::check_status((call), #call, (device))

}
