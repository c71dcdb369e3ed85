#include "kernels/backend.h"

#include "kernels/cuda/find.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace bkd {

#define BKD_BACKEND(name)                                                               \
    namespace kernels::name {                                                           \
    std::unique_ptr<Backend> open(const Device& device, const BackendOptions& options); \
    }
#include "kernels/list.inc"
#undef BKD_BACKEND

std::unique_ptr<Backend> open_backend(Device device, const BackendOptions& options) {
#define BKD_BACKEND(name) \
    if (device.kind == DeviceKind::name) return kernels::name::open(device, options);
#include "kernels/list.inc"
#undef BKD_BACKEND
    throw InputError({.id = 801,
                      .what = fmt::format("no device {} in this program", device.str()),
                      .at = "option --device",
                      .try_ = "--device cpu"});
}

Device default_device() {
    const bool has_cuda = kernels::cuda::has_driver() && !kernels::cuda::backend_path().empty();
    return {has_cuda ? DeviceKind::cuda : DeviceKind::cpu, 0};
}

int allowed_threads() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    int threads = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    // cgroup v2: "quota period" in microseconds, or "max period" without a limit.
    std::ifstream file("/sys/fs/cgroup/cpu.max");
    double quota = 0, period = 0;
    if (file >> quota >> period && period > 0)
        threads = std::min(threads, std::max(1, static_cast<int>(std::ceil(quota / period))));
    return std::max(threads, 1);
}

}
