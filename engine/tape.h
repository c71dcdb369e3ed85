#pragma once
// The tape: what was computed, in order, and with each record the rule that sends its gradient back. A rule is a lambda
// in the arena, called through one function pointer; after the first step of a shape nothing is taken from the system.
#include "engine/arena.h"
#include "engine/gradients.h"

#include <functional>
#include <initializer_list>
#include <new>
#include <vector>

namespace bkd {

class Context;

class Tape {
public:
    Tape() { records_.reserve(256); }
    ~Tape() { clear(); }
    Tape(const Tape&) = delete;

    // Called once for each leaf, as soon as no later rule can add to its gradient; who reads it without an op of the same
    // stream waits for the stream first.
    std::function<void(const Slot& leaf)> on_complete;

    // Notes that `y` was computed from `inputs`. Without an input that takes a gradient nothing is kept: below the
    // lowest trained tensor there is no tape.
    template <class Rule>
    void record(const char* op, const Tensor& y, std::initializer_list<Slot> inputs, Rule rule) {
        bool wanted = false;
        for (const Slot& input : inputs) wanted = wanted || (input && input.node()->takes_gradient);
        if (!wanted) return;
        void* place = arena_.take(sizeof(Rule), alignof(Rule));
        add({op, y, ::new (place) Rule(std::move(rule)),
             [](void* r, Context& back, const Tensor& dy, Gradients& grad) {
                 (*static_cast<Rule*>(r))(back, dy, grad);
             },
             [](void* r) { std::destroy_at(static_cast<Rule*>(r)); }},
            inputs);
    }

    // Walks the records in reverse, once, and drops each as soon as its rule has run, and with it the activations that
    // only it held. `y` starts with the upstream gradient dy; without one y must be a single number and starts with 1.
    // Gradients stay in the leaves: Tensor::gradient(). An exception of a rule names its op.
    void backward(Context& back, const Tensor& y, const Tensor& dy = {});
    void clear();
    std::size_t size() const { return records_.size(); }

private:
    struct Record {
        const char* op;
        Tensor y;
        void* rule;
        void (*run)(void*, Context&, const Tensor&, Gradients&);
        void (*destroy)(void*);
        Slot* inputs = nullptr;  // in the arena
        std::size_t input_count = 0;
    };
    void add(Record record, std::initializer_list<Slot> inputs);
    void pop(bool reports);

    Arena arena_;
    std::vector<Record> records_;
};

}
