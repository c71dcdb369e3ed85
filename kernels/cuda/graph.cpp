#include "kernels/cuda/graph.h"

#include <algorithm>

namespace bkd::kernels::cuda {
namespace {

constexpr std::int64_t first_id = 1, second_id = 2, out_id = 3;

cudnnDataType_t type_of(DType type) { return type == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }

// Ours are N H W C or K R S C in memory; cuDNN wants extents in the order N C H W and says by strides how they lie.
Descriptor tensor(const Shape& s, DType type, std::int64_t id, const Device& device) {
    Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR, device);
    made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{type_of(type)})
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, std::vector{s[0], s[3], s[1], s[2]})
        .set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64,
             std::vector{s.product(1, 4), std::int64_t{1}, s[2] * s[3], s[3]})
        .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, std::vector{id})
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, std::vector{std::int64_t{16}});
    made.finalize();
    return made;
}

Descriptor convolution(const ConvolutionGeometry& g, const Device& device) {
    Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, device);
    const std::vector padding{g.padding[0], g.padding[1]};
    made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{CUDNN_DATA_FLOAT})
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, std::vector{CUDNN_CROSS_CORRELATION})
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, padding)
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, padding)
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, std::vector<std::int64_t>{1, 1})
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, std::vector{g.stride[0], g.stride[1]})
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, std::vector<std::int64_t>{2});
    made.finalize();
    return made;
}

struct Roles {
    cudnnBackendDescriptorType_t operation;
    cudnnBackendAttributeName_t first, second, out, convolution, alpha, beta;
};
Roles roles_of(ConvolutionKind kind) {
    switch (kind) {
        case ConvolutionKind::forward:
            return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
        case ConvolutionKind::data:
            return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
        default:
            return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
    }
}

Descriptor graph_of(const PlanTarget& target, const ConvolutionCall& call) {
    const Device& device = target.device;
    const bool is_forward = call.kind == ConvolutionKind::forward, is_weight = call.kind == ConvolutionKind::weight;
    const Descriptor first = tensor(is_forward || is_weight ? call.x : call.y, call.operands, first_id, device);
    const Descriptor second = tensor(is_weight ? call.y : call.w, call.operands, second_id, device);
    const Descriptor out = tensor(is_forward ? call.y : is_weight ? call.w : call.x, call.result, out_id, device);
    const Descriptor geometry = convolution(call.geometry, device);
    const Roles roles = roles_of(call.kind);
    Descriptor operation(roles.operation, device);
    operation.set(roles.first, first)
        .set(roles.second, second)
        .set(roles.out, out)
        .set(roles.convolution, geometry)
        .set(roles.alpha, CUDNN_TYPE_FLOAT, std::vector{1.0f})
        .set(roles.beta, CUDNN_TYPE_FLOAT, std::vector{call.accumulate ? 1.0f : 0.0f});
    operation.finalize();
    Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, device);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    if (target.handle != nullptr)
        graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, std::vector{target.handle});
    graph.finalize();
    return graph;
}

// The library's configurations for a graph, best first.
std::vector<Descriptor> ranked(const Descriptor& graph, cudnnBackendHeurMode_t mode, const PlanTarget& target) {
    const Device& device = target.device;
    std::vector<Descriptor> configurations;
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, device);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, std::vector{mode});
    if (target.properties != nullptr) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
    if (!heuristics.try_finalize()) return configurations;
    std::int64_t count = 0;
    BKD_CUDNN(cudnnBackendGetAttribute(heuristics.raw(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                       0, &count, nullptr),
              device);
    std::vector<cudnnBackendDescriptor_t> raw;
    for (std::int64_t i = 0; i < count; ++i) {
        configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, device);
        raw.push_back(configurations.back().raw());
    }
    std::int64_t filled = 0;
    if (count > 0)
        BKD_CUDNN(cudnnBackendGetAttribute(heuristics.raw(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &filled, raw.data()),
                  device);
    while (static_cast<std::int64_t>(configurations.size()) > filled) configurations.pop_back();
    return configurations;
}

// Whether a configuration's engine keeps what library.cpp promises.
bool is_lawful(const Descriptor& configuration, const ConvolutionCall& call, const Device& device) {
    const Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR, device);
    cudnnBackendDescriptor_t raw = engine.raw();
    std::int64_t count = 0;
    BKD_CUDNN(cudnnBackendGetAttribute(configuration.raw(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                       1, &count, &raw),
              device);
    std::vector<cudnnBackendNumericalNote_t> notes(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    BKD_CUDNN(cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                       static_cast<std::int64_t>(notes.size()), &count, notes.data()),
              device);
    notes.resize(static_cast<std::size_t>(count));
    const auto has = [&](cudnnBackendNumericalNote_t note) {
        return std::find(notes.begin(), notes.end(), note) != notes.end();
    };
    if (has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) || has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION))
        return false;
    if (has(CUDNN_NUMERICAL_NOTE_FFT) || has(CUDNN_NUMERICAL_NOTE_WINOGRAD)) return false;
    return call.operands == DType::bf16 || call.tf32 ||
           !(has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS));
}

}

void check_dnn(cudnnStatus_t status, const char* call, const Device& device) {
    if (status == CUDNN_STATUS_SUCCESS) return;
    char detail[512] = "";
    cudnnGetLastErrorString(detail, sizeof detail);
    throw InputError({.id = 802,
                      .what = fmt::format("{}: {}", call, cudnnGetErrorString(status)),
                      .at = device.str(),
                      .why = detail,
                      .try_ = "cuDNN 9.8 or later of one version, first on the loader's path"});
}

std::string Descriptor::text(cudnnBackendAttributeName_t name) const {
    std::int64_t count = 0;
    BKD_CUDNN(cudnnBackendGetAttribute(raw_, name, CUDNN_TYPE_CHAR, 0, &count, nullptr), device_);
    std::string text(static_cast<std::size_t>(count), '\0');
    BKD_CUDNN(cudnnBackendGetAttribute(raw_, name, CUDNN_TYPE_CHAR, count, &count, text.data()), device_);
    return text.c_str();  // without the zero at its end
}

Descriptor described_properties(const Device& device, const std::string& json) {
    Descriptor made(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, device);
    made.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::vector<char>(json.begin(), json.end()));
    made.finalize();
    return made;
}

Descriptor own_properties(const Device& device) {
    Descriptor made(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, device);
    made.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, std::vector<std::int32_t>{device.index});
    made.finalize();
    return made;
}

void plan_convolution(const PlanTarget& target, const ConvolutionCall& call, std::size_t most_workspace, int first_rank,
                      const TakePlan& take) {
    const Device& device = target.device;
    int rank = -1;
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        const Descriptor graph = graph_of(target, call);
        for (const Descriptor& configuration : ranked(graph, mode, target)) {
            if (++rank < first_rank || !is_lawful(configuration, call, device)) continue;
            Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, device);
            plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
            if (target.handle != nullptr)
                plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, std::vector{target.handle});
            else
                plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties);
            if (!plan.try_finalize()) continue;
            std::int64_t workspace = 0, count = 0;
            BKD_CUDNN(cudnnBackendGetAttribute(plan.raw(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
                                               1, &count, &workspace),
                      device);
            if (static_cast<std::size_t>(workspace) > most_workspace) continue;
            if (!take(rank, std::make_unique<ConvolutionPlan>(graph_of(target, call), std::move(plan),
                                                              static_cast<std::size_t>(workspace))))
                return;
        }
    }
}

void ConvolutionPlan::execute(cudnnHandle_t handle, const Device& device, void* first, void* second, void* out,
                              void* workspace) {
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, device);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::vector{first, second, out})
        .set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, std::vector{first_id, second_id, out_id})
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, std::vector{workspace});
    pack.finalize();
    BKD_CUDNN(cudnnBackendExecute(handle, plan_.raw(), pack.raw()), device);
}

}
