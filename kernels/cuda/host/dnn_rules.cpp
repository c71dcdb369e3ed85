// What makes a descriptor of cuDNN's stand-in sound: the attributes each kind has, and how they must fit together.
#include "kernels/cuda/host/dnn.h"
#include "kernels/cuda/host/runtime.h"

#include <algorithm>
#include <set>

namespace simt::dnn {
namespace {

constexpr auto convolution_kind = CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR;
constexpr auto heuristics_kind = CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
constexpr auto plan_kind = CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
constexpr auto forward_kind = CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
constexpr auto data_kind = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
constexpr auto weight_kind = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
constexpr auto graph_kind = CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR;
constexpr auto pack_kind = CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;
constexpr auto tensor_kind = CUDNN_BACKEND_TENSOR_DESCRIPTOR;

// Where an operation keeps its parts.
struct Names {
    cudnnBackendDescriptorType_t owner;
    Kind kind;
    cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};
constexpr Names operations[] = {
    {forward_kind, Kind::forward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {data_kind, Kind::data, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {weight_kind, Kind::weight, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};

std::vector<Rule> all_rules() {
    std::vector<Rule> rules = {
        {tensor_kind, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1},
        {tensor_kind, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, 4},
        {tensor_kind, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, 4},
        {tensor_kind, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, 1},
        {tensor_kind, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, 1},
        {convolution_kind, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1},
        {convolution_kind, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, 1},
        {convolution_kind, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, 1},
        {convolution_kind, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, 2},
        {convolution_kind, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, 2},
        {convolution_kind, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, 2},
        {convolution_kind, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, 2},
        {graph_kind, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, 1},
        {graph_kind, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, any_operation},
        {heuristics_kind, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, graph_kind},
        {heuristics_kind, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, 1},
        {plan_kind, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, 1},
        {plan_kind, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1,
         CUDNN_BACKEND_ENGINECFG_DESCRIPTOR},
        {pack_kind, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 1, 64},
        {pack_kind, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 1, 64},
        {pack_kind, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, 1}};
    for (const Names& o : operations) {
        for (const auto name : {o.x, o.w, o.y})
            rules.push_back({o.owner, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, tensor_kind});
        rules.push_back({o.owner, o.convolution, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, convolution_kind});
        for (const auto name : {o.alpha, o.beta}) rules.push_back({o.owner, name, CUDNN_TYPE_FLOAT, 1, 1});
    }
    return rules;
}
const std::vector<Rule>& rules() {
    static const std::vector<Rule> all = all_rules();
    return all;
}

Verdict bad(std::string why, cudnnStatus_t status = CUDNN_STATUS_BAD_PARAM) { return {status, std::move(why)}; }

bool are_least(const std::vector<std::int64_t>& numbers, std::int64_t least) {
    return std::all_of(numbers.begin(), numbers.end(), [=](std::int64_t n) { return n >= least; });
}
bool is_type(std::int64_t type) { return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_BFLOAT16; }

template <std::size_t n>
std::array<std::int64_t, n> array_of(const std::vector<std::int64_t>& numbers) {
    std::array<std::int64_t, n> array{};
    std::copy_n(numbers.begin(), n, array.begin());
    return array;
}

Tensor tensor_of(const Node& node) {
    return {.id = node.number(CUDNN_ATTR_TENSOR_UNIQUE_ID),
            .alignment = node.number(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
            .type = static_cast<cudnnDataType_t>(node.number(CUDNN_ATTR_TENSOR_DATA_TYPE)),
            .extent = array_of<4>(node.numbers(CUDNN_ATTR_TENSOR_DIMENSIONS)),
            .stride = array_of<4>(node.numbers(CUDNN_ATTR_TENSOR_STRIDES))};
}

Verdict check_tensor(const Node& node) {
    const Tensor t = tensor_of(node);
    if (!is_type(t.type)) return bad("a tensor of an unknown type");
    if (!are_least(node.numbers(CUDNN_ATTR_TENSOR_DIMENSIONS), 1)) return bad("a tensor without elements");
    if (!are_least(node.numbers(CUDNN_ATTR_TENSOR_STRIDES), 1)) return bad("a stride below 1");
    if (t.alignment < 4 || (t.alignment & (t.alignment - 1)) != 0) return bad("no alignment");
    // Extents in the order of their strides: none may lie within another.
    std::array<std::size_t, 4> order{0, 1, 2, 3};
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(t.stride[a], t.extent[a]) < std::pair(t.stride[b], t.extent[b]);
    });
    std::int64_t end = 1;
    for (const std::size_t i : order) {
        if (t.extent[i] > 1 && t.stride[i] < end) return bad("a tensor whose elements overlap");
        end = std::max(end, t.stride[i] * t.extent[i]);
    }
    return {};
}

Verdict check_geometry(const Node& node) {
    if (node.number(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) != 2) return bad("a convolution of other than two extents");
    if (node.number(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT) return bad("sums of another type than f32");
    if (node.number(CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION)
        return bad("a filter that is flipped");
    for (const auto name : {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_ATTR_CONVOLUTION_DILATIONS})
        if (!are_least(node.numbers(name), 1)) return bad("a stride or dilation below 1");
    for (const auto name : {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS})
        if (!are_least(node.numbers(name), 0)) return bad("a padding below 0");
    return {};
}

Verdict check_operation(Node& node, const Names& names) {
    const Node& geometry = node.part(names.convolution);
    const auto pair = [&](cudnnBackendAttributeName_t name) { return array_of<2>(geometry.numbers(name)); };
    Convolution c{.kind = names.kind,
                  .x = tensor_of(node.part(names.x)),
                  .w = tensor_of(node.part(names.w)),
                  .y = tensor_of(node.part(names.y)),
                  .padding_before = pair(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
                  .padding_after = pair(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS),
                  .stride = pair(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
                  .dilation = pair(CUDNN_ATTR_CONVOLUTION_DILATIONS),
                  .alpha = node.attributes.at(names.alpha).floats[0],
                  .beta = node.attributes.at(names.beta).floats[0]};
    if (std::set{c.x.id, c.w.id, c.y.id}.size() != 3) return bad("two tensors of one id");
    const auto &x = c.x.extent, &w = c.w.extent, &y = c.y.extent;
    if (x[1] % w[1] != 0 || w[0] % (x[1] / w[1]) != 0) return bad("channels that are no groups of the filter's");
    if (y[0] != x[0] || y[1] != w[0]) return bad("as many images or channels out as should not be");
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        const std::int64_t room =
            x[2 + i] + c.padding_before[i] + c.padding_after[i] - (w[2 + i] - 1) * c.dilation[i] - 1;
        if (room < 0 || y[2 + i] != room / c.stride[i] + 1) return bad("an extent that the geometry does not give");
    }
    const Tensor& out = c.out();
    for (const Tensor* operand : {&c.x, &c.w, &c.y})
        if (operand != &out && operand->type != (&out == &c.x ? c.y.type : c.x.type))
            return bad("operands of two types");
    node.convolution = c;
    return {};
}

Verdict check_heuristics(const Node& node) {
    const std::int64_t mode = node.number(CUDNN_ATTR_ENGINEHEUR_MODE);
    return mode == CUDNN_HEUR_MODE_A || mode == CUDNN_HEUR_MODE_FALLBACK ? Verdict{} : bad("a mode that is none");
}

Verdict check_plan(const Node& node) {
    const Node& configuration = node.part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    if (node.number(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) != configuration.graph->number(CUDNN_ATTR_OPERATIONGRAPH_HANDLE))
        return bad("a plan for another handle than its graph's");
    if (!engines()[static_cast<std::size_t>(configuration.engine)].has_plan)
        return {CUDNN_STATUS_NOT_SUPPORTED, "this engine has no plan for it", false};
    return {};
}

Verdict check_ids(const Node& node) {
    const auto& ids = node.numbers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    if (ids.size() != node.numbers(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).size())
        return bad("as many ids as pointers there are not");
    if (std::set(ids.begin(), ids.end()).size() != ids.size())
        return bad("one id twice in a variant pack", CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES);
    return {};
}

struct Range {
    std::int64_t begin, end;
    bool meets(const Range& other) const { return begin < other.end && other.begin < end; }
};

}

std::size_t Tensor::bytes() const {
    std::int64_t last = 0;
    for (std::size_t i = 0; i < 4; ++i) last += (extent[i] - 1) * stride[i];
    return static_cast<std::size_t>(last + 1) * (type == CUDNN_DATA_BFLOAT16 ? 2 : 4);
}

const Rule* rule_for(cudnnBackendDescriptorType_t owner, cudnnBackendAttributeName_t name) {
    const auto found = std::find_if(rules().begin(), rules().end(),
                                    [=](const Rule& rule) { return rule.owner == owner && rule.name == name; });
    return found == rules().end() ? nullptr : &*found;
}

Verdict finalize(Node& node) {
    bool is_known = false;
    for (const Rule& rule : rules()) {
        if (rule.owner != node.type) continue;
        is_known = true;
        if (!node.attributes.contains(rule.name)) return bad("attribute " + std::to_string(rule.name) + " is not set");
        if (rule.type == CUDNN_TYPE_HANDLE && !is_handle(node.number(rule.name)))
            return bad("a handle that is none", CUDNN_STATUS_NOT_INITIALIZED);
    }
    if (!is_known) return bad("a descriptor that is filled by others, not finalized");
    switch (node.type) {
        case tensor_kind:
            return check_tensor(node);
        case convolution_kind:
            return check_geometry(node);
        case heuristics_kind:
            return check_heuristics(node);
        case plan_kind:
            return check_plan(node);
        case pack_kind:
            return check_ids(node);
        case graph_kind:
            return {};
        default:
            return check_operation(node, *std::find_if(std::begin(operations), std::end(operations),
                                                       [&](const Names& o) { return o.owner == node.type; }));
    }
}

void* pointer_of(const Node& pack, std::int64_t id) {
    const auto& ids = pack.numbers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const auto found = std::find(ids.begin(), ids.end(), id);
    if (found == ids.end()) return nullptr;
    const auto at = static_cast<std::size_t>(found - ids.begin());
    return reinterpret_cast<void*>(pack.numbers(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)[at]);
}

Verdict check_pack(const Convolution& c, std::size_t workspace_bytes, const Node& pack) {
    if (pack.numbers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).size() != 3)
        return bad("a variant pack with tensors that are none of the graph's");
    std::vector<Range> used;
    for (const Tensor* t : {&c.x, &c.w, &c.y}) {
        const std::string which = "tensor " + std::to_string(t->id);
        const void* data = pointer_of(pack, t->id);
        const auto at = reinterpret_cast<std::intptr_t>(data);
        if (data == nullptr) return bad(which + " is not in the variant pack");
        if (at % t->alignment != 0) return bad(which + " is not aligned", CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER);
        if (!is_device_memory(data, t->bytes()))
            return bad(which + " leaves the device's memory", CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND);
        const Range range{at, at + static_cast<std::int64_t>(t->bytes())};
        if (t == &c.out())
            used.insert(used.begin(), range);
        else
            used.push_back(range);
    }
    if (used[0].meets(used[1]) || used[0].meets(used[2])) return bad("a result that lies on an operand");
    if (workspace_bytes == 0) return {};
    const std::int64_t at = pack.number(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    if (at == 0) return bad("no workspace", CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    if (!is_device_memory(reinterpret_cast<const void*>(at), workspace_bytes))
        return bad("the workspace is too small", CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
    const Range workspace{at, at + static_cast<std::int64_t>(workspace_bytes)};
    for (const Range& range : used)
        if (workspace.meets(range)) return bad("a workspace that lies on a tensor");
    return {};
}

}
