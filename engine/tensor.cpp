#include "engine/tensor.h"

namespace bkd {

Tensor TensorStore::place(const View& view, Block block, const Tensor& owner) {
    if (free_.empty()) {
        nodes_.emplace_back();
        free_.reserve(nodes_.size());  // giving back must not allocate
        free_.push_back(&nodes_.back());
    }
    Node* node = free_.back();
    free_.pop_back();
    node->store = this;
    node->view = view;
    node->block = block;
    node->owner = owner;
    return Tensor(node);
}

Tensor TensorStore::make(const Shape& shape, DType dtype, Device device) {
    const Block block = pool_.take(static_cast<std::size_t>(shape.count()) * size_of(dtype));
    return place({block.data, shape, dtype, device}, block, {});
}

Tensor TensorStore::alias(const Tensor& of, const Shape& shape) {
    Tensor renamed = place(of.view().reshaped(shape), {}, of);
    if (const View& copy = of.node()->bf16_copy) renamed.node()->bf16_copy = copy.reshaped(shape);
    return renamed;
}

Tensor TensorStore::slice(const Tensor& of, std::int64_t first, const Shape& shape) {
    const View& whole = of.view();
    BKD_CHECK(first >= 0 && first + shape.count() <= whole.count(), "{} from {} on in {}", shape.str(), first,
              whole.shape.str());
    std::byte* data = static_cast<std::byte*>(whole.data) + first * static_cast<std::int64_t>(size_of(whole.dtype));
    return place({data, shape, whole.dtype, whole.device}, {}, of);
}

Tensor TensorStore::borrow(const View& view) { return place(view, {}, {}); }

void TensorStore::release_data(Node& node) noexcept {
    if (node.block.data != nullptr) pool_.give(std::exchange(node.block, Block{}));
    node.owner = {};
}

void TensorStore::release(Node& node) noexcept {
    node.gradient = {};
    node.bf16_copy = {};
    node.gradient_home = {};
    node.takes_gradient = false;
    node.consumers = 0;
    node.recorded = false;
    free_.push_back(&node);
}

}
