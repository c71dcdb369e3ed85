// cuda: one device of the NVIDIA driver. Work is queued on non-blocking streams; memory comes from cudaMalloc through
// the pool, which asks for nothing new once the first step of a shape has run. Every status is checked; the message
// says what was asked, of which device, and what to do.
#include "kernels/backend.h"

#include "kernels/cuda/library.h"
#include "kernels/cuda/stream.h"

namespace bkd::kernels::cuda {
namespace {

const char* advice_for(cudaError_t status) {
    switch (status) {
        case cudaErrorInsufficientDriver:
        case cudaErrorStubLibrary:
            return "an NVIDIA driver for CUDA 13.0 or later, or --device cpu";
        case cudaErrorNoDevice:
        case cudaErrorInvalidDevice:
            return "a device that nvidia-smi lists, visible in CUDA_VISIBLE_DEVICES, or --device cpu";
        case cudaErrorMemoryAllocation:
            return "a smaller batch.size, or other programs off the device";
        case cudaErrorNoKernelImageForDevice:
            return "a build with this device's architecture in CMAKE_CUDA_ARCHITECTURES";
        default:
            return "the same run under compute-sanitizer, which names the kernel";
    }
}

std::string driver_version() {
    int version = 0;
    cudaDriverGetVersion(&version);
    if (version == 0) return "no NVIDIA driver is installed";
    return fmt::format("the driver speaks CUDA {}.{}", version / 1000, version % 1000 / 10);
}

class DeviceMemory final : public Memory {
public:
    explicit DeviceMemory(Device device) : device_(device) {}
    void* take(std::size_t bytes) override {
        void* data = nullptr;
        const cudaError_t status = cudaMalloc(&data, bytes);
        if (status != cudaErrorMemoryAllocation) {
            check_status(status, "cudaMalloc", device_);
            return data;
        }
        cudaGetLastError();
        std::size_t free = 0, total = 0;
        cudaMemGetInfo(&free, &total);
        throw InputError({.id = 701,
                          .what = fmt::format("no memory for {} bytes", bytes),
                          .at = device_.str(),
                          .why = fmt::format("{} of {} bytes are free", free, total),
                          .try_ = advice_for(status)});
    }
    void give(void* data, std::size_t) noexcept override { cudaFree(data); }

private:
    Device device_;
};

class CudaBackend final : public Backend {
public:
    explicit CudaBackend(Device d) : Backend(d, DType::f32, std::make_unique<DeviceMemory>(d)) {
        BKD_CUDA(cudaSetDevice(d.index), d);
        BKD_CUDA(cudaGetDeviceProperties(&properties_, d.index), d);
    }

    std::unique_ptr<Stream> make_stream() override { return std::make_unique<CudaStream>(device, pool(), *libraries_); }
    void upload(Stream& stream, const View& to, const void* host) override {
        copy(stream, to.data, host, to.bytes(), cudaMemcpyHostToDevice);
    }
    void download(Stream& stream, const ConstView& from, void* host) override {
        copy(stream, host, from.data, from.bytes(), cudaMemcpyDeviceToHost);
    }
    bool stores_bf16() const override { return true; }
    std::string description() const override {
        return fmt::format("{}: {}, compute capability {}.{}, {} multiprocessors, {:.0f} GB", device.str(),
                           properties_.name, properties_.major, properties_.minor, properties_.multiProcessorCount,
                           static_cast<double>(properties_.totalGlobalMem) * 1e-9);
    }

#define BKD_MEMBER(name, Class, OPS) BKD_BACKEND_FAMILY(cuda, name, Class)
    BKD_FAMILIES(BKD_MEMBER)
#undef BKD_MEMBER

private:
    void copy(Stream& stream, void* to, const void* from, std::int64_t bytes, cudaMemcpyKind kind) {
        if (bytes == 0) return;
        const cudaStream_t queue = cuda_stream(stream).queue;
        BKD_CUDA(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), kind, queue), device);
        BKD_CUDA(cudaStreamSynchronize(queue), device);
    }

    cudaDeviceProp properties_{};
    const std::unique_ptr<Libraries, LibrariesDeleter> libraries_ = make_libraries();
};

}

void check_status(cudaError_t status, const char* call, const Device& device) {
    if (status == cudaSuccess) return;
    const bool is_memory = status == cudaErrorMemoryAllocation;
    throw InputError({.id = is_memory ? 701 : 802,
                      .what = fmt::format("{}: {} ({})", call, cudaGetErrorString(status), cudaGetErrorName(status)),
                      .at = device.str(),
                      .why = driver_version(),
                      .try_ = advice_for(status)});
}

CudaStream::CudaStream(Device d, Pool& p, Libraries& l)
    : Stream(d, p), libraries(l), state_block_(p.take(sizeof(StreamState))) {
    state = static_cast<StreamState*>(state_block_.data);
    BKD_CUDA(cudaStreamCreateWithFlags(&queue, cudaStreamNonBlocking), device);
    BKD_CUDA(cudaMemsetAsync(state, 0, sizeof(StreamState), queue), device);
}

CudaStream::~CudaStream() {
    if (queue != nullptr) {
        cudaStreamSynchronize(queue);
        cudaStreamDestroy(queue);
    }
    pool.give(state_block_);
}

void CudaStream::synchronize() {
    IndexFault fault{};
    BKD_CUDA(cudaMemcpyAsync(&fault, &state->fault, sizeof fault, cudaMemcpyDeviceToHost, queue), device);
    BKD_CUDA(cudaStreamSynchronize(queue), device);
    if (fault.is_claimed == 0) return;
    constexpr const char* names[] = {"label", "partner label", "partner",        "index",
                                     "token", "offset",        "maximum's index"};
    BKD_CUDA(cudaMemsetAsync(&state->fault, 0, sizeof fault, queue), device);
    throw LogicError(fmt::format("{} {} at {} is not in 0..{}", names[static_cast<std::size_t>(fault.what)],
                                 fault.value, fault.position, fault.limit - 1));
}

std::unique_ptr<Backend> open(const BackendOptions&) {
    int count = 0;
    const Device device{DeviceKind::cuda, 0};
    BKD_CUDA(cudaGetDeviceCount(&count), device);
    return std::make_unique<CudaBackend>(device);
}

}
