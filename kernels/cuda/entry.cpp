// The four functions the program looks up in this shared object (entry.h); everything else in it is hidden.
#include "kernels/cuda/entry.h"

namespace bkd::kernels::cuda {
std::unique_ptr<Backend> open(const Device& device, const BackendOptions& options);
void describe(std::vector<Fact>& facts);
void list_properties(std::vector<std::string>& properties);
}

#define BKD_EXPORTED extern "C" __attribute__((visibility("default")))

BKD_EXPORTED const char* bkd_cuda_interface() { return BKD_KERNEL_INTERFACE; }

BKD_EXPORTED bkd::Backend* bkd_cuda_open(const bkd::Device& device, const bkd::BackendOptions& options) {
    return bkd::kernels::cuda::open(device, options).release();
}

BKD_EXPORTED void bkd_cuda_describe(std::vector<bkd::Fact>& facts) { bkd::kernels::cuda::describe(facts); }

BKD_EXPORTED void bkd_cuda_properties(std::vector<std::string>& properties) {
    bkd::kernels::cuda::list_properties(properties);
}
