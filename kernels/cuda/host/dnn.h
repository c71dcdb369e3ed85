#pragma once
// What the parts of cuDNN's stand-in share. dnn.cpp: handles and descriptors, their attributes, execution;
// dnn_rules.cpp: what makes a descriptor sound; dnn_convolution.cpp: engines and arithmetic.
#include "kernels/cuda/host/libraries.h"

#include <cudnn.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace simt::dnn {

using Pair = std::array<std::int64_t, 2>;
using Extents = std::array<std::int64_t, 4>;  // of images n c h w, of filters k c r s

struct Tensor {
    std::int64_t id = 0, alignment = 0;
    cudnnDataType_t type{};
    Extents extent{}, stride{};
    std::size_t bytes() const;  // from the first element to the last
};

enum class Kind : std::uint8_t { forward, data, weight };
struct Convolution {
    Kind kind{};
    Tensor x, w, y;
    Pair padding_before{}, padding_after{}, stride{}, dilation{};
    float alpha = 1, beta = 0;
    const Tensor& out() const { return kind == Kind::forward ? y : kind == Kind::data ? x : w; }
};

// How an engine adds up its products.
enum class Sum : std::uint8_t { forward, backward, wide, tf32, bf16_operands, bf16_sums, one_percent, unsteady };
struct Engine {
    std::vector<cudnnBackendNumericalNote_t> notes;
    Sum sum;
    std::size_t workspace;
    double microseconds;
    cudnnBackendHeurMode_t mode;
    bool has_plan = true;
};
const std::vector<Engine>& engines();

// y = alpha conv(x, w) + beta y, and the two gradients alike; `run` counts executions.
void compute(const Convolution& c, Sum sum, const void* x, const void* w, const void* y, std::int64_t run);

// A descriptor's content. Those it was made of live on in it, as cuDNN's do.
struct Node;
struct Attribute {
    cudnnBackendAttributeType_t type{};
    std::vector<std::int64_t> numbers{};  // integers, enumerators, pointers
    std::vector<float> floats{};
    std::vector<std::shared_ptr<const Node>> nodes{};
    std::size_t count() const { return numbers.size() + floats.size() + nodes.size(); }
};
struct Node {
    cudnnBackendDescriptorType_t type{};
    bool is_final = false;
    std::map<cudnnBackendAttributeName_t, Attribute> attributes{};
    std::optional<Convolution> convolution{};  // of an operation
    int engine = -1;                           // of an engine and its configuration: place in the ranking
    std::shared_ptr<const Node> graph{};       // of a configuration

    const std::vector<std::int64_t>& numbers(cudnnBackendAttributeName_t name) const {
        return attributes.at(name).numbers;
    }
    std::int64_t number(cudnnBackendAttributeName_t name) const { return numbers(name).at(0); }
    const Node& part(cudnnBackendAttributeName_t name) const { return *attributes.at(name).nodes.at(0); }
};

constexpr cudnnBackendDescriptorType_t any_operation{};

// An attribute that may be set: of which descriptor, type, how many elements, of which descriptor they must be.
struct Rule {
    cudnnBackendDescriptorType_t owner;
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    std::int64_t fewest, most;
    cudnnBackendDescriptorType_t part{};
};
const Rule* rule_for(cudnnBackendDescriptorType_t owner, cudnnBackendAttributeName_t name);

// Why a call is refused; success has no text. `is_misuse`: the caller's fault, not a thing that is not to be had.
struct Verdict {
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    std::string why{};
    bool is_misuse = true;
};
// What finalising finds: all attributes there and consistent. Fills what execution needs.
Verdict finalize(Node& node);
Verdict check_pack(const Convolution& c, std::size_t workspace_bytes, const Node& pack);
void* pointer_of(const Node& pack, std::int64_t id);

bool is_handle(std::int64_t handle);

}
