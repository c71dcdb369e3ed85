// What `bkd doctor` says of driver, libraries and devices, and what cuDNN knows of each device: the part that runs
// inside the CUDA backend.
#include "kernels/backend.h"
#include "kernels/cuda/find.h"
#include "kernels/cuda/graph.h"
#include "kernels/machine.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

namespace bkd::kernels::cuda {
namespace {

std::string cuda_version(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

Fact driver_fact(int driver, int runtime) {
    if (driver == 0) {
        if (!has_driver()) return {"cuda driver", "no NVIDIA driver is installed"};
        return {"cuda driver", "there is one, but its libcuda.so.1 does not answer", Fact::State::fail,
                "the driver's own libcuda.so.1 in the place of the one listed below"};
    }
    Fact fact{"cuda driver",
              fmt::format("speaks CUDA {}, this build has CUDA {}", cuda_version(driver), cuda_version(runtime))};
    if (driver / 1000 < runtime / 1000)
        fact.state = Fact::State::fail, fact.remedy = "NVIDIA driver 580 or later, or --device cpu";
    return fact;
}

Fact device_fact(int index) {
    cudaDeviceProp p{};
    const std::string name = fmt::format("cuda:{}", index);
    cudaError_t status = cudaGetDeviceProperties(&p, index);
    std::size_t free = 0, total = 0;
    if (status == cudaSuccess) status = cudaSetDevice(index);
    if (status == cudaSuccess) status = cudaMemGetInfo(&free, &total);
    if (status != cudaSuccess)
        return {name, fmt::format("{} ({})", cudaGetErrorString(status), cudaGetErrorName(status)), Fact::State::fail,
                "what nvidia-smi says of this device"};
    return {name,
            fmt::format("{}, compute capability {}.{}, {} multiprocessors, {:.1f} of {:.1f} GB free, {:.0f} MB of "
                        "second-level cache, PCI {:04x}:{:02x}",
                        p.name, p.major, p.minor, p.multiProcessorCount, static_cast<double>(free) * 1e-9,
                        static_cast<double>(total) * 1e-9, p.l2CacheSize * 1e-6, p.pciDomainID, p.pciBusID)};
}

}

void describe(std::vector<Fact>& facts) {
    int driver = 0, runtime = 0, count = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    facts.push_back(driver_fact(driver, runtime));
    const std::size_t dnn = cudnnGetVersion(), lt = cublasLtGetVersion();
    facts.push_back(
        {"cuda libraries", fmt::format("cudart {}, cuBLASLt {}.{}.{}, cuDNN {}.{}.{}", cuda_version(runtime),
                                       lt / 10000, lt / 100 % 100, lt % 100, dnn / 10000, dnn / 100 % 100, dnn % 100)});
    if (driver == 0) return;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0) {
        facts.push_back({"cuda devices",
                         status == cudaSuccess || status == cudaErrorNoDevice
                             ? "no device is visible"
                             : fmt::format("{} ({})", cudaGetErrorString(status), cudaGetErrorName(status)),
                         Fact::State::fail, "nvidia-smi and CUDA_VISIBLE_DEVICES, or --device cpu"});
        return;
    }
    for (int i = 0; i < count; ++i) facts.push_back(device_fact(i));
}

void list_properties(std::vector<std::string>& properties) {
    const int count = visible_devices({DeviceKind::cuda, 0});
    for (int i = 0; i < count; ++i)
        properties.push_back(own_properties({DeviceKind::cuda, i}).text(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION));
}

}
