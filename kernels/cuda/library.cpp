// cuBLASLt and cuDNN behind library.h. A plan is made once for a shape and kept; finding none is kept too. Choice is by
// the table (plan_table.h), else by rule: the first of the library's ranking that computes in f32, gives the same bits
// every time and stays within the workspace; by timing only where that is asked for. cuDNN ranks TF32 first for f32, so
// a plan is never taken unseen.
#include "kernels/cuda/library.h"

#include "kernels/cuda/graph.h"
#include "kernels/cuda/plan_table.h"

#include <cublasLt.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

namespace bkd::kernels::cuda {
namespace {

constexpr std::size_t most_workspace = std::size_t{64} << 20;

struct ProductPlan {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, out = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
    std::size_t workspace = 0;
    bool is_there = false;

    ProductPlan() = default;
    ProductPlan(const ProductPlan&) = delete;
    ~ProductPlan() {
        cublasLtMatrixLayoutDestroy(a);
        cublasLtMatrixLayoutDestroy(b);
        cublasLtMatrixLayoutDestroy(out);
        cublasLtMatmulDescDestroy(operation);
    }
};

using Key = std::vector<std::int64_t>;

cudaDataType_t type_of(DType type) { return type == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

// A tensor at an address that is a multiple of 16: itself, or a copy that store() brings back.
class Aligned {
public:
    Aligned(CudaStream& stream, const void* data, std::size_t bytes, bool is_read)
        : stream_(stream), original_(const_cast<void*>(data)), bytes_(bytes) {
        if (reinterpret_cast<std::uintptr_t>(data) % 16 == 0) return;
        copy_.emplace(stream, bytes);
        if (is_read) copy(copy_->as<void>(), original_);
    }
    void* data() const { return copy_ ? copy_->as<void>() : original_; }
    void store() const {
        if (copy_) copy(original_, copy_->as<void>());
    }

private:
    void copy(void* to, const void* from) const {
        BKD_CUDA(cudaMemcpyAsync(to, from, bytes_, cudaMemcpyDeviceToDevice, stream_.queue), stream_.device);
    }
    CudaStream& stream_;
    void* original_;
    std::size_t bytes_;
    std::optional<Scratch> copy_;
};

void check_product(cublasStatus_t status, const char* call, const Device& device) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw InputError({.id = 802,
                      .what = fmt::format("{}: {}", call, cublasLtGetStatusString(status)),
                      .at = device.str(),
                      .try_ = "cuBLAS of the toolkit this program was built with, first on the loader's path"});
}
#define BKD_CUBLAS(call, device) check_product((call), #call, (device))

}

class Libraries {
public:
    explicit Libraries(const BackendOptions& o) : options(o) {
        if (!o.plans.empty()) plans = PlanTable::read(o.plans);
    }
    ~Libraries() {
        products.clear();
        convolutions.clear();
        if (lt != nullptr) cublasLtDestroy(lt);
        if (dnn != nullptr) cudnnDestroy(dnn);
    }
    cublasLtHandle_t lt = nullptr;
    cudnnHandle_t dnn = nullptr;
    std::map<Key, ProductPlan> products;
    std::map<Key, std::unique_ptr<ConvolutionPlan>> convolutions;  // null: cuDNN has none
    const BackendOptions options;
    PlanTable plans;
};

std::unique_ptr<Libraries, LibrariesDeleter> make_libraries(const BackendOptions& options) {
    return std::unique_ptr<Libraries, LibrariesDeleter>(new Libraries(options));
}
void LibrariesDeleter::operator()(Libraries* libraries) const noexcept { delete libraries; }

namespace {

template <class T>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, T value, const Device& device) {
    BKD_CUBLAS(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value), device);
}
template <class T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, T value,
         const Device& device) {
    BKD_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value), device);
}

// Row-major [rows, columns], which cuBLASLt reads as its transpose, column by column.
cublasLtMatrixLayout_t layout(DType type, std::int64_t rows, std::int64_t columns, std::int64_t batch,
                              const Device& device) {
    cublasLtMatrixLayout_t made = nullptr;
    BKD_CUBLAS(cublasLtMatrixLayoutCreate(&made, type_of(type), static_cast<std::uint64_t>(columns),
                                          static_cast<std::uint64_t>(rows), columns),
               device);
    const auto count = static_cast<std::int32_t>(batch);
    const std::int64_t step = rows * columns;
    BKD_CUBLAS(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
               device);
    BKD_CUBLAS(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step),
               device);
    return made;
}

// out^T = op(b)^T op(a)^T: what is row-major here is column-major there, so the operands change places.
void make_plan(ProductPlan& plan, const Product& p, const Libraries& libraries, const Device& device) {
    const bool tf32 = libraries.options.tf32 && p.operands == DType::f32;
    BKD_CUBLAS(
        cublasLtMatmulDescCreate(&plan.operation, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
        device);
    set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, device);
    set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, device);
    if (p.bias != nullptr) {
        set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS, device);
        set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F, device);
    }
    plan.a =
        p.transpose_a ? layout(p.operands, p.k, p.m, p.batch, device) : layout(p.operands, p.m, p.k, p.batch, device);
    plan.b =
        p.transpose_b ? layout(p.operands, p.n, p.k, p.batch, device) : layout(p.operands, p.k, p.n, p.batch, device);
    plan.out = layout(p.result, p.m, p.n, p.batch, device);

    cublasLtMatmulPreference_t preference = nullptr;
    BKD_CUBLAS(cublasLtMatmulPreferenceCreate(&preference), device);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace, device);
    // Parts of k are added through the workspace, in a fixed order, or not split.
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE), device);
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
        set(preference, attribute, std::uint32_t{16}, device);
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(libraries.lt, plan.operation, plan.b, plan.a, plan.out,
                                                                 plan.out, preference, 1, &found, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    plan.is_there = status == CUBLAS_STATUS_SUCCESS && count > 0;
    plan.algorithm = found.algo;
    plan.workspace = found.workspaceSize;
}

}

bool library_product(CudaStream& stream, const Product& p) {
    if (p.k == 0) return false;
    Libraries& libraries = stream.libraries;
    if (libraries.lt == nullptr) BKD_CUBLAS(cublasLtCreate(&libraries.lt), stream.device);
    const Key key{static_cast<std::int64_t>(p.operands),
                  static_cast<std::int64_t>(p.result),
                  p.batch,
                  p.m,
                  p.n,
                  p.k,
                  p.transpose_a,
                  p.transpose_b,
                  p.bias != nullptr};
    const auto [at, is_new] = libraries.products.try_emplace(key);
    ProductPlan& plan = at->second;
    if (is_new) make_plan(plan, p, libraries, stream.device);
    if (!plan.is_there) return false;

    const auto bytes = [&](DType type, std::int64_t count) {
        return static_cast<std::size_t>(p.batch * count) * size_of(type);
    };
    const Aligned a(stream, p.a, bytes(p.operands, p.m * p.k), true),
        b(stream, p.b, bytes(p.operands, p.k * p.n), true);
    const Aligned out(stream, p.out, bytes(p.result, p.m * p.n), p.accumulate);
    std::optional<Aligned> bias;
    if (p.bias != nullptr) {
        bias.emplace(stream, p.bias, static_cast<std::size_t>(p.n) * sizeof(float), true);
        set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(bias->data()), stream.device);
    }
    const Scratch workspace(stream, plan.workspace);
    const float one = 1, kept = p.accumulate ? 1 : 0;
    BKD_CUBLAS(cublasLtMatmul(libraries.lt, plan.operation, &one, b.data(), plan.b, a.data(), plan.a, &kept, out.data(),
                              plan.out, out.data(), plan.out, &plan.algorithm, workspace.as<void>(), plan.workspace,
                              stream.queue),
               stream.device);
    out.store();
    return true;
}

namespace {

std::string key_of(const ConvolutionCall& call, const Device& device) {
    cudaDeviceProp properties;
    BKD_CUDA(cudaGetDeviceProperties(&properties, device.index), device);
    const std::size_t version = cudnnGetVersion();  // 91900
    constexpr const char* kinds[] = {"forward", "data", "weight"};
    const auto extents = [](const Shape& s) { return fmt::format("{} {} {} {}", s[0], s[1], s[2], s[3]); };
    const ConvolutionGeometry& g = call.geometry;
    return fmt::format("cudnn {}.{} compute {}.{}: {} {}{}>{} += {} x {} w {} y {} stride {} {} padding {} {}",
                       version / 10000, version / 100 % 100, properties.major, properties.minor,
                       kinds[static_cast<std::size_t>(call.kind)], name_of(call.operands), call.tf32 ? " tf32" : "",
                       name_of(call.result), call.accumulate ? 1 : 0, extents(call.x), extents(call.w), extents(call.y),
                       g.stride[0], g.stride[1], g.padding[0], g.padding[1]);
}

// Microseconds of one execution: the least of five after two that warm up. Writes to `out`.
double time_plan(CudaStream& stream, cudnnHandle_t handle, ConvolutionPlan& plan, void* first, void* second,
                 void* out) {
    const Scratch workspace(stream, plan.workspace_bytes());
    cudaEvent_t began = nullptr, ended = nullptr;
    BKD_CUDA(cudaEventCreate(&began), stream.device);
    BKD_CUDA(cudaEventCreate(&ended), stream.device);
    float least = std::numeric_limits<float>::infinity();
    for (int i = 0; i < 7; ++i) {
        BKD_CUDA(cudaEventRecord(began, stream.queue), stream.device);
        plan.execute(handle, stream.device, first, second, out, workspace.as<void>());
        BKD_CUDA(cudaEventRecord(ended, stream.queue), stream.device);
        BKD_CUDA(cudaEventSynchronize(ended), stream.device);
        float milliseconds = 0;
        BKD_CUDA(cudaEventElapsedTime(&milliseconds, began, ended), stream.device);
        if (i >= 2) least = std::min(least, milliseconds);
    }
    BKD_CUDA(cudaEventDestroy(began), stream.device);
    BKD_CUDA(cudaEventDestroy(ended), stream.device);
    return 1000.0 * least;
}

// The fastest of cuDNN's lawful plans, of those found in `patience`, noted in the table; null if there is none.
std::unique_ptr<ConvolutionPlan> tune(CudaStream& stream, const ConvolutionCall& call, const std::string& key,
                                      std::size_t limit, std::size_t out_bytes) {
    constexpr std::chrono::seconds patience{2};
    Libraries& libraries = stream.libraries;
    const Scratch out(stream, out_bytes);
    BKD_CUDA(cudaMemsetAsync(out.as<void>(), 0, out_bytes, stream.queue), stream.device);
    const auto began = std::chrono::steady_clock::now();
    std::unique_ptr<ConvolutionPlan> best;
    double least = std::numeric_limits<double>::infinity();
    plan_convolution(
        {stream.device, libraries.dnn}, call, limit, 0, [&](int rank, std::unique_ptr<ConvolutionPlan> plan) {
            const double microseconds = time_plan(stream, libraries.dnn, *plan, const_cast<void*>(call.first),
                                                  const_cast<void*>(call.second), out.as<void>());
            if (microseconds < least) {
                least = microseconds;
                best = std::move(plan);
                libraries.plans.add(key, rank);
            }
            return std::chrono::steady_clock::now() - began < patience;
        });
    if (best != nullptr) libraries.plans.write(libraries.options.plans);
    return best;
}

std::unique_ptr<ConvolutionPlan> choose(CudaStream& stream, const ConvolutionCall& call, std::size_t limit,
                                        std::size_t out_bytes) {
    Libraries& libraries = stream.libraries;
    const std::string key = key_of(call, stream.device);
    const std::optional<int> known = libraries.plans.find(key);
    if (libraries.options.tunes) return tune(stream, call, key, limit, out_bytes);
    std::unique_ptr<ConvolutionPlan> found;
    const auto find_from = [&](int first_rank) {
        plan_convolution({stream.device, libraries.dnn}, call, limit, first_rank,
                         [&](int rank, std::unique_ptr<ConvolutionPlan> plan) {
                             // A table may be of another machine's library: then the rule holds.
                             if (first_rank == 0 || rank == first_rank) found = std::move(plan);
                             return false;
                         });
    };
    find_from(known.value_or(0));
    if (found == nullptr && known) find_from(0);
    return found;
}

}

ConvolutionCall forward_call(const Conv2dForward& args) {
    const bool is_wide = args.bias && args.y.dtype == DType::bf16;
    return {ConvolutionKind::forward,
            args.x.shape,
            args.w.shape,
            args.y.shape,
            args.x.dtype,
            is_wide ? DType::f32 : args.y.dtype,
            args.x.data,
            args.w.data,
            args.y.data,
            args.geometry,
            false};
}

ConvolutionCall data_call(const Conv2dBackward& args) {
    const View& dx = args.dx.view;
    const bool is_wide = args.dx.accumulate && dx.dtype == DType::bf16;
    return {ConvolutionKind::data,           dx.shape,     args.w.shape, args.dy.shape, args.dy.dtype,
            is_wide ? DType::f32 : dx.dtype, args.dy.data, args.w.data,  dx.data,       args.geometry,
            args.dx.accumulate && !is_wide};
}

ConvolutionCall weight_call(const Conv2dBackward& args) {
    const View& dw = args.dw.view;
    return {ConvolutionKind::weight,
            args.x.shape,
            dw.shape,
            args.dy.shape,
            args.x.dtype,
            dw.dtype,
            args.x.data,
            args.dy.data,
            dw.data,
            args.geometry,
            args.dw.accumulate};
}

bool has_elements(const ConvolutionCall& call) {
    return call.x.count() != 0 && call.w.count() != 0 && call.y.count() != 0;
}

std::size_t workspace_limit(const ConvolutionCall& call) {
    const std::int64_t images = 4 * (call.x.count() + call.y.count());
    return std::max(most_workspace, static_cast<std::size_t>(images));
}

bool library_convolution(CudaStream& stream, const ConvolutionCall& asked) {
    if (!has_elements(asked)) return false;
    Libraries& libraries = stream.libraries;
    ConvolutionCall call = asked;
    call.tf32 = libraries.options.tf32 && call.operands == DType::f32;
    if (libraries.dnn == nullptr) BKD_CUDNN(cudnnCreate(&libraries.dnn), stream.device);
    BKD_CUDNN(cudnnSetStream(libraries.dnn, stream.queue), stream.device);
    Key key{static_cast<std::int64_t>(call.kind), static_cast<std::int64_t>(call.operands),
            static_cast<std::int64_t>(call.result), call.accumulate};
    for (const Shape* shape : {&call.x, &call.w, &call.y})
        for (int i = 0; i < 4; ++i) key.push_back((*shape)[i]);
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        key.push_back(call.geometry.stride[i]);
        key.push_back(call.geometry.padding[i]);
    }
    const auto [at, is_new] = libraries.convolutions.try_emplace(std::move(key));
    if (!is_new && at->second == nullptr) return false;

    const bool is_forward = call.kind == ConvolutionKind::forward, is_weight = call.kind == ConvolutionKind::weight;
    const Shape& first = is_forward || is_weight ? call.x : call.y;
    const Shape& second = is_weight ? call.y : call.w;
    const Shape& out = is_forward ? call.y : is_weight ? call.w : call.x;
    const auto bytes = [](const Shape& shape, DType type) {
        return static_cast<std::size_t>(shape.count()) * size_of(type);
    };
    const Aligned a(stream, call.first, bytes(first, call.operands), true);
    const Aligned b(stream, call.second, bytes(second, call.operands), true);
    const Aligned result(stream, call.out, bytes(out, call.result), call.accumulate);
    if (is_new) {
        call.first = a.data(), call.second = b.data();
        at->second = choose(stream, call, workspace_limit(call), bytes(out, call.result));
        if (at->second == nullptr) return false;
    }
    const Scratch workspace(stream, at->second->workspace_bytes());
    at->second->execute(libraries.dnn, stream.device, a.data(), b.data(), result.data(), workspace.as<void>());
    result.store();
    return true;
}

bool allows_tf32(const CudaStream& stream) { return stream.libraries.options.tf32; }

}
