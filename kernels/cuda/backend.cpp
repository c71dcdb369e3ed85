// cuda: one device of the NVIDIA driver. Work is queued on non-blocking streams; memory comes from cudaMalloc through
// the pool, which asks for nothing new once the first step of a shape has run. Every status is checked; the message
// says what was asked, of which device, and what to do.
#include "kernels/backend.h"

#include "kernels/cuda/library.h"
#include "kernels/cuda/stream.h"

namespace bkd::kernels::cuda {
namespace {

std::string cuda_version(int version) { return fmt::format("CUDA {}.{}", version / 1000, version % 1000 / 10); }

// What the driver speaks, as far as there is one.
std::string driver_version() {
    int version = 0;
    cudaDriverGetVersion(&version);
    return version == 0 ? "no NVIDIA driver is installed" : "the driver speaks " + cuda_version(version);
}

const char* advice_for(cudaError_t status) {
    switch (status) {
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

std::string list_of_devices(int count) {
    std::string list;
    for (int i = 0; i < count; ++i) {
        cudaDeviceProp properties;
        if (cudaGetDeviceProperties(&properties, i) == cudaSuccess)
            list += fmt::format("{}cuda:{} ({})", list.empty() ? "" : ", ", i, properties.name);
    }
    return list;
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
    CudaBackend(Device d, const BackendOptions& options)
        : Backend(d, DType::f32, std::make_unique<DeviceMemory>(d)), libraries_(make_libraries(options)) {
        BKD_CUDA(cudaSetDevice(d.index), d);
        BKD_CUDA(cudaGetDeviceProperties(&properties_, d.index), d);
    }

    std::unique_ptr<Stream> make_stream() override { return std::make_unique<CudaStream>(device, pool(), *libraries_); }
    void upload(Stream& stream, const View& to, const void* host) override {
        cuda_stream(stream).upload(to.data, host, static_cast<std::size_t>(to.bytes()));
    }
    void download(Stream& stream, const ConstView& from, void* host) override {
        CudaStream& s = cuda_stream(stream);
        s.check_not_recording("a download");
        s.finish_deferred();
        if (from.bytes() == 0) return;
        const auto bytes = static_cast<std::size_t>(from.bytes());
        BKD_CUDA(cudaMemcpyAsync(host, from.data, bytes, cudaMemcpyDeviceToHost, s.queue), device);
        BKD_CUDA(cudaStreamSynchronize(s.queue), device);
    }
    std::int64_t free_memory() const override {
        std::size_t free = 0, total = 0;
        BKD_CUDA(cudaMemGetInfo(&free, &total), device);
        return static_cast<std::int64_t>(free);
    }
    std::string description() const override {
        return fmt::format("{}: {}, compute capability {}.{}, {} multiprocessors, {:.0f} GB", device.str(),
                           properties_.name, properties_.major, properties_.minor, properties_.multiProcessorCount,
                           static_cast<double>(properties_.totalGlobalMem) * 1e-9);
    }

#define BKD_MEMBER(name, Class, OPS) BKD_BACKEND_FAMILY(cuda, name, Class)
    BKD_FAMILIES(BKD_MEMBER)
#undef BKD_MEMBER

private:
    cudaDeviceProp properties_{};
    const std::unique_ptr<Libraries, LibrariesDeleter> libraries_;
};

}

int visible_devices(const Device& device) {
    int driver = 0, runtime = 0, count = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (driver == 0 || status == cudaErrorInsufficientDriver || status == cudaErrorStubLibrary)
        throw InputError({.id = 803,
                          .what = fmt::format("{}, this build needs {}", driver_version(), cuda_version(runtime)),
                          .at = device.str(),
                          .try_ = "NVIDIA driver 580 or later, or --device cpu"});
    if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
        throw InputError({.id = 801,
                          .what = "no NVIDIA device is visible",
                          .at = device.str(),
                          .why = driver_version(),
                          .try_ = "nvidia-smi and CUDA_VISIBLE_DEVICES, or --device cpu"});
    check_status(status, "cudaGetDeviceCount", device);
    return count;
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

std::unique_ptr<Backend> open(const Device& device, const BackendOptions& options) {
    const int count = visible_devices(device);
    if (device.index >= count)
        throw InputError({.id = 801,
                          .what = fmt::format("no device {}", device.str()),
                          .at = "option --device",
                          .why = "there is " + list_of_devices(count),
                          .try_ = "--device cuda:0"});
    return std::make_unique<CudaBackend>(device, options);
}

}
