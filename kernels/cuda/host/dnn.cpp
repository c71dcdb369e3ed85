// The functions of cudnn.h: handles and descriptors live in one table, so that none is used that was never made or is
// gone.
#include "kernels/cuda/host/dnn.h"

#include "kernels/cuda/host/runtime.h"

#include <algorithm>
#include <cstring>

struct cudnnContext {
    cudaStream_t stream = nullptr;
    bool has_stream = false;
};

namespace simt {

Offer& offer() {
    static Offer what = Offer::everything;
    return what;
}
std::size_t& cudnn_version() {
    static std::size_t version = 91900;
    return version;
}
std::vector<int>& engines_run() {
    static std::vector<int> ranks;
    return ranks;
}

namespace dnn {
namespace {

struct Live {
    std::map<const void*, std::shared_ptr<Node>> nodes;
    std::map<std::int64_t, std::unique_ptr<cudnnContext>> handles;
    std::string last_error;
    std::int64_t runs = 0;
};
Live& live() {
    static Live only;
    return only;
}

std::int64_t number_of(const void* pointer) { return reinterpret_cast<std::intptr_t>(pointer); }

cudnnStatus_t refuse(const Verdict& verdict) {
    live().last_error = verdict.why;
    if (verdict.is_misuse && verdict.status != CUDNN_STATUS_SUCCESS) note_fault("cuDNN: " + verdict.why);
    return verdict.status;
}
cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why) { return refuse(Verdict{status, why}); }

std::shared_ptr<Node> node_of(const void* descriptor) {
    const auto found = live().nodes.find(descriptor);
    return found == live().nodes.end() ? nullptr : found->second;
}

std::size_t size_of(cudnnBackendAttributeType_t type) {
    switch (type) {
        case CUDNN_TYPE_HANDLE:
        case CUDNN_TYPE_INT64:
        case CUDNN_TYPE_VOID_PTR:
            return 8;
        default:
            return 4;
    }
}

// The elements of a call; a descriptor among them must be sound and of the right kind.
Verdict read(const Rule& rule, std::int64_t count, const void* elements, Attribute& to) {
    const auto* bytes = static_cast<const std::byte*>(elements);
    for (std::int64_t i = 0; i < count; ++i) {
        if (rule.type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
            const std::shared_ptr<Node> part = node_of(static_cast<const cudnnBackendDescriptor_t*>(elements)[i]);
            const bool is_right =
                part && (rule.part == any_operation ? part->convolution.has_value() : part->type == rule.part);
            if (!is_right) return {CUDNN_STATUS_BAD_PARAM, "a descriptor of another kind"};
            if (!part->is_final) return {CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a part that is not finalized"};
            to.nodes.push_back(part);
        } else if (rule.type == CUDNN_TYPE_FLOAT) {
            to.floats.push_back(static_cast<const float*>(elements)[i]);
        } else {
            const std::size_t size = size_of(rule.type);
            std::int64_t number = 0;
            std::memcpy(&number, bytes + static_cast<std::size_t>(i) * size, size);
            to.numbers.push_back(number);
        }
    }
    to.type = rule.type;
    return {};
}

// The engines of a graph's ranking in one mode.
std::vector<int> ranking(cudnnBackendHeurMode_t mode) {
    std::vector<int> ranks;
    if (offer() == Offer::nothing) return ranks;
    const std::vector<Engine>& all = engines();
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].mode == mode && (offer() == Offer::everything || i < 8)) ranks.push_back(static_cast<int>(i));
    return ranks;
}

// How many there are; the first of them into the descriptors that the caller made.
cudnnStatus_t give_configurations(const Node& heuristics, std::int64_t requested, std::int64_t* count, void* elements) {
    const auto mode = static_cast<cudnnBackendHeurMode_t>(heuristics.number(CUDNN_ATTR_ENGINEHEUR_MODE));
    const std::vector<int> ranks = ranking(mode);
    *count = static_cast<std::int64_t>(ranks.size());
    for (std::int64_t i = 0; i < std::min(*count, requested); ++i) {
        const auto to = node_of(static_cast<cudnnBackendDescriptor_t*>(elements)[i]);
        if (!to || to->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
            return refuse(CUDNN_STATUS_BAD_PARAM, "a result that is no engine configuration");
        to->engine = ranks[static_cast<std::size_t>(i)];
        to->graph = heuristics.attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).nodes[0];
        to->is_final = true;
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t give_engine(const Node& configuration, std::int64_t requested, std::int64_t* count, void* elements) {
    *count = 1;
    const auto to = requested == 1 ? node_of(*static_cast<cudnnBackendDescriptor_t*>(elements)) : nullptr;
    if (!to || to->type != CUDNN_BACKEND_ENGINE_DESCRIPTOR)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a result that is no engine");
    to->engine = configuration.engine;
    to->is_final = true;
    return CUDNN_STATUS_SUCCESS;
}

const Engine& engine_of(const Node& node) { return engines()[static_cast<std::size_t>(node.engine)]; }

}

bool is_handle(std::int64_t handle) { return live().handles.contains(handle); }

}
}

using namespace simt;
using namespace simt::dnn;

extern "C" {
std::size_t cudnnGetVersion() { return cudnn_version(); }
const char* cudnnGetErrorString(cudnnStatus_t status) {
    return status == CUDNN_STATUS_SUCCESS         ? "CUDNN_STATUS_SUCCESS"
           : status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED"
                                                  : "CUDNN_STATUS_BAD_PARAM";
}
void cudnnGetLastErrorString(char* text, std::size_t most) {
    if (most == 0) return;
    std::strncpy(text, live().last_error.c_str(), most - 1);
    text[most - 1] = '\0';
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
    auto made = std::make_unique<cudnnContext>();
    *handle = made.get();
    live().handles[number_of(*handle)] = std::move(made);
    count_handles(1);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    if (live().handles.erase(number_of(handle)) == 0)
        return refuse(CUDNN_STATUS_NOT_INITIALIZED, "a handle destroyed that is none");
    count_handles(-1);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    if (!is_handle(number_of(handle))) return refuse(CUDNN_STATUS_NOT_INITIALIZED, "a handle that is none");
    if (!is_stream(stream)) return refuse(CUDNN_STATUS_BAD_PARAM, "a stream that is none");
    *handle = {stream, true};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
    auto made = std::make_shared<Node>();
    made->type = type;
    *descriptor = made.get();
    live().nodes[*descriptor] = std::move(made);
    count_handles(1);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
    if (live().nodes.erase(descriptor) == 0)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor destroyed that is none, or twice");
    count_handles(-1);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
    const auto node = node_of(descriptor);
    if (!node) return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor that is none");
    if (node->is_final) return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor finalized twice");
    const Verdict verdict = finalize(*node);
    if (verdict.status != CUDNN_STATUS_SUCCESS) return refuse(verdict);
    if (node->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR &&
        ranking(static_cast<cudnnBackendHeurMode_t>(node->number(CUDNN_ATTR_ENGINEHEUR_MODE))).empty())
        return refuse({CUDNN_STATUS_NOT_SUPPORTED, "no engine for this graph", false});
    node->is_final = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count, const void* elements) {
    const auto node = node_of(descriptor);
    if (!node) return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute of a descriptor that is none");
    if (node->is_final) return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute set after finalizing");
    const Rule* rule = rule_for(node->type, name);
    const std::string which = "attribute " + std::to_string(name);
    if (rule == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM, which + " is not one of this descriptor");
    if (type != rule->type) return refuse(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, which + " has another type");
    if (count < rule->fewest || count > rule->most)
        return refuse(CUDNN_STATUS_BAD_PARAM, which + " does not have " + std::to_string(count) + " elements");
    if (elements == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, which + " is null");
    Attribute attribute;
    const Verdict verdict = read(*rule, count, elements, attribute);
    if (verdict.status != CUDNN_STATUS_SUCCESS) return refuse(verdict.status, which + ": " + verdict.why);
    node->attributes[name] = std::move(attribute);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t requested, std::int64_t* count,
                                       void* elements) {
    const auto node = node_of(descriptor);
    if (!node) return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute of a descriptor that is none");
    if (!node->is_final) return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "an attribute read before finalizing");
    if (requested < 0 || (requested > 0 && elements == nullptr))
        return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for the elements");
    const auto asks = [&](cudnnBackendDescriptorType_t owner, cudnnBackendAttributeName_t n,
                          cudnnBackendAttributeType_t t) { return node->type == owner && name == n && type == t; };
    if (asks(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR))
        return give_configurations(*node, requested, count, elements);
    if (asks(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR))
        return give_engine(*node, requested, count, elements);
    if (asks(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE)) {
        const auto& notes = engine_of(*node).notes;
        *count = static_cast<std::int64_t>(notes.size());
        std::copy_n(notes.begin(), std::min(*count, requested), static_cast<cudnnBackendNumericalNote_t*>(elements));
        return CUDNN_STATUS_SUCCESS;
    }
    if (asks(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64)) {
        const Engine& engine = engine_of(node->part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG));
        *count = 1;
        if (requested == 1) *static_cast<std::int64_t*>(elements) = static_cast<std::int64_t>(engine.workspace);
        return CUDNN_STATUS_SUCCESS;
    }
    return refuse(CUDNN_STATUS_BAD_PARAM, "attribute " + std::to_string(name) + " cannot be read so");
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
    if (!is_handle(number_of(handle))) return refuse(CUDNN_STATUS_NOT_INITIALIZED, "a handle that is none");
    if (!handle->has_stream || !is_stream(handle->stream))
        return refuse(CUDNN_STATUS_BAD_PARAM, "a handle without a stream");
    const auto of_plan = node_of(plan), of_pack = node_of(pack);
    if (!of_plan || of_plan->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR || !of_plan->is_final)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a plan that is none");
    if (!of_pack || of_pack->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR || !of_pack->is_final)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a variant pack that is none");
    if (of_plan->number(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) != number_of(handle))
        return refuse(CUDNN_STATUS_BAD_PARAM, "a plan of another handle");
    const Node& configuration = of_plan->part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    const Engine& engine = engine_of(configuration);
    const Convolution& c = *configuration.graph->part(CUDNN_ATTR_OPERATIONGRAPH_OPS).convolution;
    const Verdict verdict = check_pack(c, engine.workspace, *of_pack);
    if (verdict.status != CUDNN_STATUS_SUCCESS) return refuse(verdict);

    engines_run().push_back(configuration.engine);
    // The pack and the plan may be gone, and the memory too, when the stream comes to it.
    const std::shared_ptr<const Node> numbers = of_pack;
    issue(
        handle->stream, reinterpret_cast<const void*>(&cudnnBackendExecute),
        [c, &engine, numbers] {
            if (rehearsal() != nullptr) return;
            const Verdict late = check_pack(c, engine.workspace, *numbers);
            if (late.status != CUDNN_STATUS_SUCCESS) return note_fault("cuDNN, when executed: " + late.why);
            if (engine.workspace > 0) {
                const std::int64_t at = numbers->number(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
                std::memset(reinterpret_cast<void*>(at), 0xFF, engine.workspace);
            }
            compute(c, engine.sum, pointer_of(*numbers, c.x.id), pointer_of(*numbers, c.w.id),
                    pointer_of(*numbers, c.y.id), live().runs++);
        },
        engine.microseconds);
    return CUDNN_STATUS_SUCCESS;
}
}
