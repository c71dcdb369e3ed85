// cuda_bench [DEVICE]: the ceilings of a device and, beside them, the rate of each kernel at shapes larger than its caches
// (bench.cpp), one line each.
#include "kernels/cuda/bench.h"

#include <cstdio>

namespace bkd::kernels::cuda {
std::unique_ptr<Backend> open(const Device& device, const BackendOptions& options);
}

int main(int argc, char** argv) {
    try {
        const bkd::Device device = bkd::Device::parse(argc > 1 ? argv[1] : "cuda:0");
        const auto backend = bkd::kernels::cuda::open(device, {});
        fmt::print("{}\n", backend->description());
        bkd::kernels::run_benchmarks(*backend);
        return 0;
    } catch (const bkd::InputError& error) {
        fmt::print(stderr, "{}\n", error.message());
        return error.exit_code();
    }
}
