// The functions of cublasLt.h: products of matrices that lie column by column, by plain loops. What an algorithm may do is
// in the preference, and shows in the numbers: sums in place differ every time, sums in the output's type are rounded
// to bf16, sums in the compute type lie in the workspace.
#include "kernels/cuda/host/arithmetic.h"
#include "kernels/cuda/host/libraries.h"
#include "kernels/cuda/host/runtime.h"

#include <cublasLt.h>

#include <array>
#include <cmath>
#include <set>

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t {
    cublasComputeType_t compute;
    cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void* bias = nullptr;
    cudaDataType_t bias_type = CUDA_R_32F;
    bool has_bias() const { return epilogue == CUBLASLT_EPILOGUE_BIAS; }
};
struct cublasLtMatrixLayoutOpaque_t {
    cudaDataType_t type;
    std::int64_t rows, columns, column_step;
    std::int32_t batch = 1;
    std::int64_t batch_step = 0;

    bool is_bf16() const { return type == CUDA_R_16BF; }
    std::int64_t at(std::int64_t matrix, std::int64_t row, std::int64_t column) const {
        return matrix * batch_step + column * column_step + row;
    }
    std::size_t bytes() const {
        return static_cast<std::size_t>(at(batch - 1, rows - 1, columns - 1) + 1) * (is_bf16() ? 2 : 4);
    }
    bool operator==(const cublasLtMatrixLayoutOpaque_t&) const = default;
};
struct cublasLtMatmulPreferenceOpaque_t {
    std::uint64_t workspace = 0;
    std::uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
    std::array<std::uint32_t, 4> alignments{256, 256, 256, 256};  // a b c d
};

namespace simt {
namespace {

using Operation = cublasLtMatmulDescOpaque_t;
using Layout = cublasLtMatrixLayoutOpaque_t;
using Preference = cublasLtMatmulPreferenceOpaque_t;

std::set<const void*>& live() {
    static std::set<const void*> all;
    return all;
}
cublasStatus_t refuse(const std::string& why, cublasStatus_t status = CUBLAS_STATUS_INVALID_VALUE) {
    note_fault("cuBLASLt: " + why);
    return status;
}
template <class T>
cublasStatus_t make(T** made, T* value) {
    live().insert(*made = value);
    count_handles(1);
    return CUBLAS_STATUS_SUCCESS;
}
template <class T>
cublasStatus_t drop(T* gone) {
    if (gone == nullptr) return CUBLAS_STATUS_SUCCESS;
    if (live().erase(gone) == 0) return refuse("something destroyed that is not there, or twice");
    delete gone;
    count_handles(-1);
    return CUBLAS_STATUS_SUCCESS;
}
bool is_there(const void* owner, const void* value) {
    if (live().contains(owner) && value != nullptr) return true;
    refuse("an attribute, or its owner, that is not there");
    return false;
}
template <class T>
cublasStatus_t assign(T& to, const void* value, std::size_t bytes) {
    if (bytes != sizeof to) return refuse("an attribute of " + std::to_string(bytes) + " bytes");
    std::memcpy(&to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

struct Sizes {
    std::int64_t m, n, k, batch;
    bool operator==(const Sizes&) const = default;
};
Sizes sizes_of(const Operation& o, const Layout& a, const Layout& d) {
    return {d.rows, d.columns, o.a == CUBLAS_OP_N ? a.columns : a.rows, d.batch};
}
// What a heuristic's 64 bytes say.
struct Algorithm {
    Sizes sizes;
    std::uint64_t workspace;
    std::uint32_t scheme;
    std::array<std::uint32_t, 4> alignments;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

// Empty if the layouts fit each other.
std::string misfit(const Operation& o, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
    const auto [m, n, k, batch] = sizes_of(o, a, d);
    if ((o.a == CUBLAS_OP_N ? a.rows : a.columns) != m) return "rows of a that are not those of d";
    if ((o.b == CUBLAS_OP_N ? b.columns : b.rows) != n) return "columns of b that are not those of d";
    if ((o.b == CUBLAS_OP_N ? b.rows : b.columns) != k) return "columns of a that are not rows of b";
    if (a.batch != batch || b.batch != batch) return "batches of two lengths";
    return c == d ? "" : "another layout of c than of d";
}
bool is_supported(const Operation& o, const Layout& a, const Layout& b, const Layout& d) {
    if (a.type != b.type || (d.is_bf16() && !a.is_bf16())) return false;
    if (o.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && a.is_bf16()) return false;
    return !o.has_bias() || (o.bias_type == CUDA_R_32F && !d.is_bf16());
}

// The scheme that is best by this library's taste among those allowed, and the workspace it takes.
std::uint32_t scheme_for(const Sizes& sizes, const Preference& preference, std::uint64_t& workspace) {
    workspace = 0;
    for (const auto tempting : {CUBLASLT_REDUCTION_SCHEME_INPLACE, CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE})
        if ((preference.schemes & static_cast<std::uint32_t>(tempting)) != 0) return tempting;
    const auto parts = static_cast<std::uint64_t>(sizes.m * sizes.n * sizes.batch) * 2 * sizeof(float);
    if ((preference.schemes & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) == 0 || sizes.k < 16 ||
        parts > preference.workspace)
        return CUBLASLT_REDUCTION_SCHEME_NONE;
    workspace = parts;
    return CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
}

struct Call {
    Operation operation;
    Layout a_layout, b_layout, d_layout;
    const void *a, *b;
    void* d;
    float alpha, beta;
    Algorithm algorithm;
    void* workspace;
    std::size_t workspace_bytes;

    // Empty if all that the call reads and writes lies in the device's memory, as it should.
    std::string trouble() const {
        const std::array<std::pair<const void*, const Layout*>, 3> matrices{
            {{a, &a_layout}, {b, &b_layout}, {d, &d_layout}}};
        for (std::size_t i = 0; i < 3; ++i) {
            const auto [data, layout] = matrices[i];
            if (!is_device_memory(data, layout->bytes())) return "a matrix leaves the device's memory";
            if (reinterpret_cast<std::uintptr_t>(data) % algorithm.alignments[i == 2 ? 3 : i] != 0)
                return "a matrix is not aligned as the heuristic was told";
        }
        if (operation.has_bias() &&
            !is_device_memory(operation.bias, static_cast<std::size_t>(d_layout.rows) * sizeof(float)))
            return "the bias leaves the device's memory";
        if (algorithm.workspace == 0) return "";
        if (workspace_bytes < algorithm.workspace || !is_device_memory(workspace, algorithm.workspace))
            return "the workspace is too small";
        return reinterpret_cast<std::uintptr_t>(workspace) % 16 == 0 ? "" : "the workspace is not aligned";
    }

    void compute() const {
        static int runs = 0;
        const float unsteady =
            algorithm.scheme == CUBLASLT_REDUCTION_SCHEME_INPLACE ? 1 + 0.01F * static_cast<float>(++runs % 3) : 1;
        const auto [m, n, k, batch] = algorithm.sizes;
        auto* part = static_cast<float*>(algorithm.workspace > 0 ? workspace : nullptr);
        for (std::int64_t matrix = 0; matrix < batch; ++matrix)
            for (std::int64_t column = 0; column < n; ++column)
                for (std::int64_t row = 0; row < m; ++row) {
                    float sum = 0;
                    if (part == nullptr) {
                        sum = dot(matrix, row, column, 0, k);
                    } else {
                        part[0] = dot(matrix, row, column, 0, k / 2);
                        part[1] = dot(matrix, row, column, k / 2, k);
                        sum = part[0] + part[1];
                        part += 2;
                    }
                    if (algorithm.scheme == CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE) sum = rounded_to_bf16(sum);
                    const std::int64_t at = d_layout.at(matrix, row, column);
                    float result = alpha * unsteady * sum;
                    if (d_layout.is_bf16()) result = rounded_to_bf16(result);
                    if (beta != 0) result += beta * load(d, d_layout.is_bf16(), at);
                    if (operation.has_bias()) result += static_cast<const float*>(operation.bias)[row];
                    store(d, d_layout.is_bf16(), at, result);
                }
    }
    float dot(std::int64_t matrix, std::int64_t row, std::int64_t column, std::int64_t from, std::int64_t to) const {
        const bool is_tf32 = operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
        float sum = 0;
        for (std::int64_t l = from; l < to; ++l) {
            const std::int64_t of_a =
                operation.a == CUBLAS_OP_N ? a_layout.at(matrix, row, l) : a_layout.at(matrix, l, row);
            const std::int64_t of_b =
                operation.b == CUBLAS_OP_N ? b_layout.at(matrix, l, column) : b_layout.at(matrix, column, l);
            float left = load(a, a_layout.is_bf16(), of_a), right = load(b, b_layout.is_bf16(), of_b);
            if (is_tf32) left = rounded_to_tf32(left), right = rounded_to_tf32(right);
            sum = std::fma(left, right, sum);
        }
        return sum;
    }
};

}
}

using namespace simt;

extern "C" {
const char* cublasLtGetStatusString(cublasStatus_t status) {
    return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS_INVALID_VALUE";
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) { return make(handle, new cublasLtContext); }
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) { return drop(handle); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute, cudaDataType_t scale) {
    if (scale != CUDA_R_32F) return refuse("factors of another type than f32");
    return make(made, new Operation{compute});
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) { return drop(operation); }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t name,
                                              const void* value, std::size_t bytes) {
    if (!is_there(operation, value)) return CUBLAS_STATUS_INVALID_VALUE;
    switch (name) {
        case CUBLASLT_MATMUL_DESC_TRANSA:
            return assign(operation->a, value, bytes);
        case CUBLASLT_MATMUL_DESC_TRANSB:
            return assign(operation->b, value, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE:
            return assign(operation->epilogue, value, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
            return assign(operation->bias, value, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
            return assign(operation->bias_type, value, bytes);
    }
    return refuse("no attribute of a product");
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t column_step) {
    if (rows == 0 || columns == 0 || column_step < static_cast<std::int64_t>(rows))
        return refuse("a matrix of no elements, or one whose columns overlap");
    return make(made,
                new Layout{type, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), column_step});
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) { return drop(layout); }
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t name,
                                                const void* value, std::size_t bytes) {
    if (!is_there(layout, value)) return CUBLAS_STATUS_INVALID_VALUE;
    return name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT ? assign(layout->batch, value, bytes)
                                                      : assign(layout->batch_step, value, bytes);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) { return make(made, new Preference); }
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) { return drop(preference); }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                    std::size_t bytes) {
    if (!is_there(preference, value)) return CUBLAS_STATUS_INVALID_VALUE;
    if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return assign(preference->workspace, value, bytes);
    if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) return assign(preference->schemes, value, bytes);
    const auto matrix = static_cast<std::size_t>(name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
    return assign(preference->alignments.at(matrix), value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results, int* count) {
    *count = 0;
    for (const void* part : std::initializer_list<const void*>{handle, operation, a, b, c, d, preference})
        if (!live().contains(part)) return refuse("a question about something that is not there");
    if (const std::string why = misfit(*operation, *a, *b, *c, *d); !why.empty()) return refuse(why);
    if (requested < 1) return refuse("no result is asked for");
    if (offer() == Offer::nothing || !is_supported(*operation, *a, *b, *d)) return CUBLAS_STATUS_NOT_SUPPORTED;
    Algorithm algorithm{
        .sizes = sizes_of(*operation, *a, *d), .workspace = 0, .scheme = 0, .alignments = preference->alignments};
    algorithm.scheme = scheme_for(algorithm.sizes, *preference, algorithm.workspace);
    results[0] = {};
    std::memcpy(&results[0].algo, &algorithm, sizeof algorithm);
    results[0].workspaceSize = algorithm.workspace;
    *count = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
    for (const void* part :
         std::initializer_list<const void*>{handle, operation, a_layout, b_layout, c_layout, d_layout})
        if (!live().contains(part)) return refuse("a product of something that is not there");
    if (!is_stream(stream)) return refuse("a stream that is none");
    if (alpha == nullptr || beta == nullptr || algorithm == nullptr) return refuse("a product without its factors");
    if (c != d) return refuse("a product added to something elsewhere");
    if (const std::string why = misfit(*operation, *a_layout, *b_layout, *c_layout, *d_layout); !why.empty())
        return refuse(why);
    Call call{.operation = *operation,
              .a_layout = *a_layout,
              .b_layout = *b_layout,
              .d_layout = *d_layout,
              .a = a,
              .b = b,
              .d = d,
              .alpha = *static_cast<const float*>(alpha),
              .beta = *static_cast<const float*>(beta),
              .algorithm = {},
              .workspace = workspace,
              .workspace_bytes = workspace_bytes};
    std::memcpy(&call.algorithm, algorithm, sizeof call.algorithm);
    if (!(call.algorithm.sizes == sizes_of(*operation, *a_layout, *d_layout)))
        return refuse("an algorithm for another product");
    if (const std::string why = call.trouble(); !why.empty()) return refuse(why);
    issue(stream, reinterpret_cast<const void*>(&cublasLtMatmul), [call] {
        if (rehearsal() != nullptr) return;
        // The memory may be gone when the stream comes to it.
        if (const std::string why = call.trouble(); !why.empty()) return note_fault("cuBLASLt, when executed: " + why);
        call.compute();
    });
    return CUBLAS_STATUS_SUCCESS;
}
}
