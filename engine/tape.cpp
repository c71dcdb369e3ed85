#include "engine/tape.h"

#include "engine/context.h"

namespace bkd {

Out Gradients::out(const Slot& t) { return t ? out(t, t.node()->view.dtype) : Out(); }

Out Gradients::out(const Slot& t, DType dtype) {
    Node* node = t.node();
    if (node == nullptr || !node->takes_gradient) return {};
    if (node->gradient) return {node->gradient.view(), true};
    node->gradient = node->gradient_home ? store_.borrow(node->gradient_home)
                                         : store_.make(node->view.shape, dtype, node->view.device);
    return {node->gradient.view(), false};
}

bool Gradients::pass(const Slot& t, const Tensor& dy, const Shape& shape) {
    Node* node = t.node();
    if (node == nullptr || !node->takes_gradient) return true;
    if (node->gradient || node->gradient_home) return false;
    node->gradient = store_.alias(dy, shape);
    return true;
}

void Tape::add(Record record, std::initializer_list<Slot> inputs) {
    record.input_count = inputs.size();
    record.inputs = static_cast<Slot*>(arena_.take(inputs.size() * sizeof(Slot), alignof(Slot)));
    Slot* at = record.inputs;
    for (const Slot& input : inputs) {
        ::new (at++) Slot(input);
        if (input) ++input.node()->consumers;
    }
    record.y.node()->takes_gradient = record.y.node()->recorded = true;
    records_.push_back(std::move(record));
}

void Tape::pop(bool reports) {
    Record& last = records_.back();
    last.destroy(last.rule);
    for (std::size_t i = 0; i < last.input_count; ++i) {
        Slot& input = last.inputs[i];
        if (input) {
            const Node& node = *input.node();
            if (--input.node()->consumers == 0 && reports && on_complete && node.gradient && !node.recorded)
                on_complete(input);
        }
        std::destroy_at(&input);
    }
    records_.pop_back();
}

void Tape::backward(Context& back, const Tensor& y, const Tensor& dy) {
    BKD_CHECK(y.takes_gradient(), "nothing that y was computed from takes a gradient");
    if (dy) {
        BKD_CHECK(dy.shape() == y.shape(), "dy {} for y {}", dy.shape().str(), y.shape().str());
        y.node()->gradient = dy;
    } else {
        BKD_CHECK(y.count() == 1, "y {} is not a single number: give dy", y.shape().str());
        BKD_CHECK(y.dtype() == back.real(), "backward starts at a real number, not at {}", name_of(y.dtype()));
        y.node()->gradient = back.runtime().tensors.alias(back.runtime().one, y.shape());
    }
    Gradients gradients(back.runtime().tensors);
    for (; !records_.empty(); pop(true)) {
        Record& last = records_.back();
        const Tensor upstream = std::exchange(last.y.node()->gradient, Tensor{});
        last.y = {};
        if (!upstream) continue;
        back.runtime().stream->enter("backward", last.op);
        try {
            last.run(last.rule, back, upstream, gradients);
        } catch (const LogicError& error) {
            throw LogicError(fmt::format("gradient of {}: {}", last.op, error.what()));
        }
    }
    clear();
}

void Tape::clear() {
    while (!records_.empty()) pop(false);  // what an exception left behind
    arena_.rewind();
}

}
