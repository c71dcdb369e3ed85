// Tests of the tests: mistakes in calling the libraries, planted, are seen by their stand-ins.
#include "kernels/cuda/graph.h"
#include "kernels/cuda/host/runtime.h"
#include "tests/engine/temporary_folder.h"

#include <cublasLt.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace bkd::kernels::cuda {
namespace {

const Device device{DeviceKind::cuda, 0};

// Device memory that can be freed early.
struct Buffer {
    explicit Buffer(std::size_t bytes) { cudaMalloc(&data, bytes); }
    ~Buffer() { free(); }
    Buffer(const Buffer&) = delete;
    void free() { cudaFree(std::exchange(data, nullptr)); }
    void* data = nullptr;
};

struct Queue {
    Queue() { cudaStreamCreateWithFlags(&raw, cudaStreamNonBlocking); }
    ~Queue() { cudaStreamDestroy(raw); }
    Queue(const Queue&) = delete;
    cudaStream_t raw = nullptr;
};

// Whether a fault with these words was noted since the last look.
bool is_noted(const std::string& words) {
    const std::vector<std::string> faults = simt::take_faults();
    return std::any_of(faults.begin(), faults.end(),
                       [&](const std::string& fault) { return fault.find(words) != std::string::npos; });
}

// A 1 x 1 convolution of one image of 4 x 4 x 16 by 16 filters, planned as the backend plans it: 4096 bytes of workspace.
struct Planned {
    Planned() {
        cudnnCreate(&handle);
        cudnnSetStream(handle, queue.raw);
        const ConvolutionCall call{.kind = ConvolutionKind::forward,
                                   .x = {1, 4, 4, 16},
                                   .w = {16, 1, 1, 16},
                                   .y = {1, 4, 4, 16},
                                   .operands = DType::f32,
                                   .result = DType::f32,
                                   .first = nullptr,
                                   .second = nullptr,
                                   .out = nullptr,
                                   .geometry = {},
                                   .accumulate = false};
        plan_convolution({device, handle}, call, 1 << 20, 0, [this](int, std::unique_ptr<ConvolutionPlan> first) {
            plan = std::move(first);
            return false;
        });
        cudaMemsetAsync(x.data, 0, 1024, queue.raw);
        cudaMemsetAsync(w.data, 0, 1024, queue.raw);
    }
    ~Planned() {
        plan.reset();
        cudnnDestroy(handle);
    }
    void execute(void* first, void* second, void* out, void* at) {
        plan->execute(handle, device, first, second, out, at);
    }
    void execute() { execute(x.data, w.data, y.data, workspace.data); }
    // E0802, and the fault is noted.
    bool is_refused(void* first, void* second, void* out, void* at, const std::string& words) {
        return bkd_test::id_of([&] { execute(first, second, out, at); }) == "E0802" && is_noted(words);
    }

    Queue queue;
    Buffer x{1024}, w{1024}, y{1024}, workspace{4096};
    cudnnHandle_t handle = nullptr;
    std::unique_ptr<ConvolutionPlan> plan;
};

Descriptor tensor(std::int64_t id, const std::vector<std::int64_t>& extents = {1, 16, 4, 4},
                  const std::vector<std::int64_t>& strides = {256, 1, 64, 16}) {
    Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR, device);
    made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{CUDNN_DATA_FLOAT})
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, extents)
        .set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides)
        .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, std::vector{id})
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, std::vector<std::int64_t>{16});
    return made;
}

Descriptor geometry() {
    Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, device);
    made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{CUDNN_DATA_FLOAT})
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, std::vector{CUDNN_CROSS_CORRELATION})
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, std::vector<std::int64_t>{2});
    for (const auto name : {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS})
        made.set(name, CUDNN_TYPE_INT64, std::vector<std::int64_t>{0, 0});
    for (const auto name : {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_ATTR_CONVOLUTION_DILATIONS})
        made.set(name, CUDNN_TYPE_INT64, std::vector<std::int64_t>{1, 1});
    made.finalize();
    return made;
}

Descriptor operation(const Descriptor& x, const Descriptor& w, const Descriptor& y) {
    Descriptor made(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, device);
    made.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, geometry())
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, std::vector{1.0F})
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, std::vector{0.0F});
    return made;
}

// The plan of Planned's convolution by the library's first engine, by hand: tensors 1, 2 and 3.
Descriptor plan_by_hand(cudnnHandle_t handle) {
    Descriptor x = tensor(1), w = tensor(2, {16, 16, 1, 1}, {16, 1, 16, 16}), y = tensor(3);
    for (Descriptor* each : {&x, &w, &y}) each->finalize();
    Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, device);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation(x, w, y).finalize())
        .set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, std::vector{handle});
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, device);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.finalize())
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, std::vector{CUDNN_HEUR_MODE_A});
    heuristics.finalize();
    const Descriptor configuration(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, device);
    cudnnBackendDescriptor_t raw = configuration.raw();
    std::int64_t count = 0;
    cudnnBackendGetAttribute(heuristics.raw(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                             &raw);
    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, device);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, std::vector{handle})
        .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    plan.finalize();
    return plan;
}

}

TEST_CASE("pointers that are not what the graph's tensors need are refused by the stand-in of cuDNN") {
    Planned p;
    p.execute();
    CHECK(simt::take_faults().empty());
    const Buffer small(1008), gone(1024);
    void* const freed = gone.data;
    cudaFree(freed);
    const auto shifted = [](const Buffer& m) { return static_cast<char*>(m.data) + 8; };
    CHECK(p.is_refused(freed, p.w.data, p.y.data, p.workspace.data, "tensor 1 leaves the device's memory"));
    CHECK(p.is_refused(p.x.data, small.data, p.y.data, p.workspace.data, "tensor 2 leaves the device's memory"));
    CHECK(p.is_refused(p.x.data, shifted(p.w), p.y.data, p.workspace.data, "tensor 2 is not aligned"));
    CHECK(p.is_refused(p.x.data, p.w.data, nullptr, p.workspace.data, "tensor 3 is not in the variant pack"));
    CHECK(p.is_refused(p.x.data, p.w.data, p.x.data, p.workspace.data, "a result that lies on an operand"));
    CHECK(p.is_refused(p.x.data, p.w.data, p.y.data, small.data, "the workspace is too small"));
    CHECK(p.is_refused(p.x.data, p.w.data, p.y.data, nullptr, "no workspace"));
    const Buffer wide(8192);
    CHECK(p.is_refused(wide.data, p.w.data, p.y.data, wide.data, "a workspace that lies on a tensor"));
    p.execute();
    CHECK(simt::take_faults().empty());
}

TEST_CASE("memory freed between the recording of a convolution and its replay is seen at the replay") {
    Planned p;
    cudaGraph_t recorded = nullptr;
    cudaGraphExec_t graph = nullptr;
    cudaStreamBeginCapture(p.queue.raw, cudaStreamCaptureModeRelaxed);
    p.execute();
    cudaStreamEndCapture(p.queue.raw, &recorded);
    cudaGraphInstantiate(&graph, recorded, 0);
    cudaGraphDestroy(recorded);
    for (const bool is_freed : {false, true}) {
        if (is_freed) p.x.free();
        cudaGraphLaunch(graph, p.queue.raw);
        cudaStreamSynchronize(p.queue.raw);
        CHECK(is_noted("when executed: tensor 1 leaves the device's memory") == is_freed);
    }
    cudaGraphExecDestroy(graph);
}

TEST_CASE("a variant pack with a wrong id, one id twice or too few of them is refused") {
    Planned p;
    const Descriptor plan = plan_by_hand(p.handle);
    const auto executed = [&](const std::vector<std::int64_t>& ids) {
        Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, device);
        pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids)
            .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::vector{p.x.data, p.w.data, p.y.data})
            .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, std::vector{p.workspace.data});
        return pack.try_finalize() && cudnnBackendExecute(p.handle, plan.raw(), pack.raw()) == CUDNN_STATUS_SUCCESS;
    };
    CHECK(executed({1, 2, 3}));
    CHECK(simt::take_faults().empty());
    CHECK_FALSE(executed({1, 2, 4}));
    CHECK(is_noted("tensor 3 is not in the variant pack"));
    CHECK_FALSE(executed({1, 2, 2}));
    CHECK(is_noted("one id twice"));
    CHECK_FALSE(executed({1, 2}));
    CHECK(is_noted("as many ids as pointers there are not"));
}

TEST_CASE("a plan executed by another handle, one without a stream or with a stream that is gone is refused") {
    Planned p, other;
    CHECK(bkd_test::id_of([&] {
              p.plan->execute(other.handle, device, p.x.data, p.w.data, p.y.data, p.workspace.data);
          }) == "E0802");
    CHECK(is_noted("a plan of another handle"));
    {
        const Queue brief;
        cudnnSetStream(p.handle, brief.raw);
    }
    CHECK(bkd_test::id_of([&] { p.execute(); }) == "E0802");
    CHECK(is_noted("a handle without a stream"));
    CHECK(cudnnSetStream(p.handle, nullptr) == CUDNN_STATUS_BAD_PARAM);
    CHECK(is_noted("a stream that is none"));
}

TEST_CASE("attributes of another type, count or owner, and parts that are not finalized or do not fit, are refused") {
    Descriptor x = tensor(1), w = tensor(2, {16, 16, 1, 1}, {16, 1, 16, 16}), y = tensor(3),
               narrow = tensor(4, {1, 16, 4, 3}), twice = tensor(1);
    const auto status = [](const Descriptor& d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                           const std::vector<std::int64_t>& values) {
        return cudnnBackendSetAttribute(d.raw(), name, type, static_cast<std::int64_t>(values.size()), values.data());
    };
    CHECK(status(x, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_FLOAT, {1, 2, 3, 4}) ==
          CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
    CHECK(is_noted("attribute 902 has another type"));
    CHECK(status(x, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, {1, 2, 3}) == CUDNN_STATUS_BAD_PARAM);
    CHECK(is_noted("attribute 902 does not have 3 elements"));
    CHECK(status(x, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_INT64, {1}) == CUDNN_STATUS_BAD_PARAM);
    CHECK(is_noted("attribute 200 is not one of this descriptor"));
    CHECK_FALSE(Descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, device).try_finalize());
    CHECK(is_noted("attribute 901 is not set"));

    CHECK(bkd_test::id_of([&] { operation(x, w, y); }) == "E0802");
    CHECK(is_noted("a part that is not finalized"));
    for (Descriptor* each : {&x, &w, &y, &narrow, &twice}) each->finalize();
    CHECK(status(x, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, {7}) == CUDNN_STATUS_BAD_PARAM);
    CHECK(is_noted("an attribute set after finalizing"));
    CHECK_FALSE(operation(x, w, narrow).try_finalize());
    CHECK(is_noted("an extent that the geometry does not give"));
    CHECK_FALSE(operation(x, w, twice).try_finalize());
    CHECK(is_noted("two tensors of one id"));
    CHECK(operation(x, w, y).try_finalize());
    CHECK_FALSE(tensor(1, {2, 16, 5, 4}).try_finalize());  // images of 5 rows, 4 rows apart
    CHECK(is_noted("a tensor whose elements overlap"));
    CHECK_FALSE(tensor(1, {0, 16, 4, 4}).try_finalize());
    CHECK(is_noted("a tensor without elements"));
    CHECK(simt::take_faults().empty());
}

TEST_CASE("a product whose matrices, bias, workspace or algorithm are wrong is refused by the stand-in of cuBLASLt") {
    constexpr std::int64_t m = 4, n = 8, k = 32;
    const Queue queue;
    Buffer a(m * k * 4), b(k * n * 4), out(m * n * 4), workspace(2 * m * n * 4);
    cudaMemsetAsync(a.data, 0, m * k * 4, queue.raw);
    cudaMemsetAsync(b.data, 0, k * n * 4, queue.raw);
    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t of_a = nullptr, of_b = nullptr, of_out = nullptr;
    cublasLtMatmulPreference_t preference = nullptr;
    cublasLtCreate(&handle);
    cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    cublasLtMatrixLayoutCreate(&of_a, CUDA_R_32F, m, k, m);
    cublasLtMatrixLayoutCreate(&of_b, CUDA_R_32F, k, n, k);
    cublasLtMatrixLayoutCreate(&of_out, CUDA_R_32F, m, n, m);
    cublasLtMatmulPreferenceCreate(&preference);
    const std::uint64_t most = 1 << 20;
    const std::uint32_t scheme = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most);
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &scheme,
                                         sizeof scheme);
    CHECK(simt::take_faults().empty());
    CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &scheme,
                                               sizeof scheme) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(is_noted("an attribute of 4 bytes"));

    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const auto ask = [&](cublasLtMatrixLayout_t left) {
        return cublasLtMatmulAlgoGetHeuristic(handle, operation, left, of_b, of_out, of_out, preference, 1, &found,
                                              &count);
    };
    CHECK(ask(of_b) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(is_noted("rows of a that are not those of d"));
    CHECK(ask(of_a) == CUBLAS_STATUS_SUCCESS);
    CHECK(found.workspaceSize == 2 * m * n * 4);

    const float one = 1, zero = 0;
    const auto multiply = [&](const void* left, std::size_t workspace_bytes) {
        return cublasLtMatmul(handle, operation, &one, left, of_a, b.data, of_b, &zero, out.data, of_out, out.data,
                              of_out, &found.algo, workspace.data, workspace_bytes, queue.raw);
    };
    CHECK(multiply(a.data, found.workspaceSize) == CUBLAS_STATUS_SUCCESS);
    CHECK(simt::take_faults().empty());
    CHECK(multiply(a.data, 16) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(is_noted("the workspace is too small"));
    CHECK(multiply(static_cast<char*>(a.data) + 4, found.workspaceSize) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(is_noted("a matrix leaves the device's memory"));
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    CHECK(multiply(a.data, found.workspaceSize) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(is_noted("the bias leaves the device's memory"));
    a.free();
    CHECK(multiply(a.data, found.workspaceSize) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(is_noted("a matrix leaves the device's memory"));

    cublasLtMatmulPreferenceDestroy(preference);
    for (const auto layout : {of_a, of_b, of_out}) cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(operation);
    CHECK(cublasLtMatmulDescDestroy(operation) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(is_noted("destroyed that is not there, or twice"));
    cublasLtDestroy(handle);
}

}
