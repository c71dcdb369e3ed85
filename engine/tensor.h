#pragma once
// Tensor: a view with counted storage from the pool, and its place in the graph of gradients. A copy shares both.
//
//   Node         one value of a computation: its memory, whether it takes a gradient, its gradient while backward runs.
//   Tensor       keeps a node and its memory alive.
//   Slot         keeps the node alone: what a gradient rule captures of an input whose numbers it does not need.
//   TensorStore  where nodes live; after the first step of a shape nothing is allocated.
//
// Counting is not atomic: tensors belong to the thread that issues work.
#include "kernels/backend.h"

#include <deque>
#include <utility>

namespace bkd {

class TensorStore;
struct Node;

class Slot {
public:
    Slot() = default;
    explicit Slot(Node* node);
    Slot(const Slot& other) : Slot(other.node_) {}
    Slot(Slot&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Slot& operator=(Slot other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~Slot();
    explicit operator bool() const { return node_ != nullptr; }
    Node* node() const { return node_; }

private:
    Node* node_ = nullptr;
};

class Tensor {
public:
    Tensor() = default;
    explicit Tensor(Node* node);
    Tensor(const Tensor& other) : Tensor(other.node()) {}
    Tensor(Tensor&& other) noexcept : slot_(std::move(other.slot_)) {}
    Tensor& operator=(Tensor other) noexcept {
        std::swap(slot_, other.slot_);
        return *this;
    }
    ~Tensor();

    explicit operator bool() const { return static_cast<bool>(slot_); }
    Node* node() const { return slot_.node(); }
    const Slot& slot() const { return slot_; }
    const View& view() const;  // LogicError for an empty tensor
    const Shape& shape() const { return view().shape; }
    DType dtype() const { return view().dtype; }
    std::int64_t dim(int i) const { return shape()[i]; }
    std::int64_t count() const { return shape().count(); }
    // An empty tensor gives an empty view: an optional argument left out.
    operator View() const;
    operator ConstView() const { return View(*this); }
    operator Out() const { return View(*this); }
    operator Slot() const { return slot_; }
    // What an op reads of a weight beside activations of `dtype`: the weight's bf16 copy where it has one and they are
    // bf16, else its own numbers.
    ConstView operand(DType dtype) const;

    bool takes_gradient() const;
    void set_takes_gradient(bool wanted);  // of a leaf: is its gradient wanted?
    Tensor gradient() const;               // what backward left in a leaf; empty if nothing
    void clear_gradient();

private:
    Slot slot_;
};

struct Node {
    TensorStore* store = nullptr;
    int references = 0;       // tensors and slots
    int data_references = 0;  // tensors
    View view{};
    Block block{};  // empty if the memory belongs to `owner`
    Tensor owner{};
    bool takes_gradient = false;
    View bf16_copy{};      // of a weight whose own numbers are the f32 master (Parameters)
    View gradient_home{};  // a parameter's slice of the flat gradient block; else a gradient comes from the pool
    Tensor gradient{};
    int consumers = 0;      // records of the tape that may still add to the gradient
    bool recorded = false;  // computed on a tape, so no leaf
};

class TensorStore {
public:
    explicit TensorStore(Pool& pool) : pool_(pool) {}
    TensorStore(const TensorStore&) = delete;

    Tensor make(const Shape& shape, DType dtype, Device device);
    Tensor alias(const Tensor& of, const Shape& shape);  // the same elements, a copy too, under another shape
    Tensor slice(const Tensor& of, std::int64_t first, const Shape& shape);  // elements from `first` on, flat
    Tensor borrow(const View& view);  // memory that somebody else keeps for as long

private:
    friend class Slot;
    friend class Tensor;
    Tensor place(const View& view, Block block, const Tensor& owner);
    void release_data(Node& node) noexcept;
    void release(Node& node) noexcept;

    Pool& pool_;
    std::deque<Node> nodes_;
    std::vector<Node*> free_;
};

inline Slot::Slot(Node* node) : node_(node) {
    if (node_ != nullptr) ++node_->references;
}
inline Slot::~Slot() {
    if (node_ != nullptr && --node_->references == 0) node_->store->release(*node_);
}
inline Tensor::Tensor(Node* node) : slot_(node) {
    if (node != nullptr) ++node->data_references;
}
inline Tensor::~Tensor() {
    if (Node* n = node(); n != nullptr && --n->data_references == 0) n->store->release_data(*n);
}
inline const View& Tensor::view() const {
    BKD_CHECK(node() != nullptr, "an empty tensor was used");
    return node()->view;
}
inline Tensor::operator View() const { return node() == nullptr ? View{} : node()->view; }
inline ConstView Tensor::operand(DType dtype) const {
    return dtype == DType::bf16 && node()->bf16_copy ? node()->bf16_copy : view();
}
inline bool Tensor::takes_gradient() const { return node() != nullptr && node()->takes_gradient; }
inline void Tensor::set_takes_gradient(bool wanted) { node()->takes_gradient = wanted; }
inline Tensor Tensor::gradient() const { return node()->gradient; }
inline void Tensor::clear_gradient() { node()->gradient = {}; }

}
