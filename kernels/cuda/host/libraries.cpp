// The seam to the vendor's libraries where there are none: every product and convolution runs the kernels of our own.
#include "kernels/cuda/library.h"

namespace bkd::kernels::cuda {

class Libraries {
public:
    const bool tf32;
};
std::unique_ptr<Libraries, LibrariesDeleter> make_libraries(const BackendOptions& options) {
    return std::unique_ptr<Libraries, LibrariesDeleter>(new Libraries{options.tf32});
}
void LibrariesDeleter::operator()(Libraries* libraries) const noexcept { delete libraries; }
bool library_product(CudaStream&, const Product&) { return false; }
bool library_convolution(CudaStream&, const ConvolutionCall&) { return false; }
bool allows_tf32(const CudaStream& stream) { return stream.libraries.tf32; }

}
