#pragma once
// The seam to the vendor's libraries: products through cuBLASLt, convolutions through cuDNN. Each call says whether the
// library has a way; where it has none, the kernel of our own beside the call runs (matmul.cu, convolution.cu).
//
// Both get operands at addresses that are multiples of 16 alone: which algorithm runs, and so every bit, depends on
// shapes and not on addresses. What lies elsewhere is copied first; the engine's tensors never do.
#include "kernels/backend.h"
#include "kernels/convolution.h"
#include "kernels/cuda/stream.h"

namespace bkd::kernels::cuda {

// Empty: a handle is opened at its first use, which takes a quarter of a second.
std::unique_ptr<Libraries, LibrariesDeleter> make_libraries(const BackendOptions& options);

// Row-major out [batch, m, n] = op(a) op(b) + bias [+ out]; products in f32, in TF32 only if BackendOptions asks.
struct Product {
    const void *a, *b;
    const float* bias;  // [n] or null
    void* out;
    DType operands, result;
    std::int64_t batch, m, n, k;
    bool transpose_a, transpose_b, accumulate;
};
bool library_product(CudaStream& stream, const Product& product);

enum class ConvolutionKind : std::uint8_t { forward, data, weight };

// x [n, h, w, c], w [k, r, s, c / g], y [n, p, q, k]: two of them are read, the one that `kind` names is written.
struct ConvolutionCall {
    ConvolutionKind kind;
    Shape x, w, y;
    DType operands, result;
    const void *first, *second;  // forward: x, w; data: dy, w; weight: x, dy
    void* out;
    ConvolutionGeometry geometry;
    bool accumulate;
    bool tf32 = false;  // set by library_convolution, from BackendOptions
};
bool library_convolution(CudaStream& stream, const ConvolutionCall& call);

// What the library is asked for on behalf of an op. cuDNN rounds to bf16 before anything is added: where a bias or what
// is in memory already is added to a bf16 result, `result` is f32, in other memory, and the addition is the caller's.
ConvolutionCall forward_call(const Conv2dForward& args);
ConvolutionCall data_call(const Conv2dBackward& args);
ConvolutionCall weight_call(const Conv2dBackward& args);
// cuDNN knows no tensor without elements; a sum over one is still a number.
bool has_elements(const ConvolutionCall& call);
// Bytes that an engine may work in: 64 MiB, or as much again as the images hold, which strict f32 gradients want.
std::size_t workspace_limit(const ConvolutionCall& call);

// Whether products of f32 operands may be rounded to TF32.
bool allows_tf32(const CudaStream& stream);

}
