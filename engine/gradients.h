#pragma once
// Gradients: where the rules of the tape put what they compute.
#include "engine/tensor.h"

namespace bkd {

class Gradients {
public:
    explicit Gradients(TensorStore& store) : store_(store) {}

    // Where the gradient of `t` goes: empty when nobody wants it, `=` for the first writer, `+=` for later ones. So
    // nothing is cleared before backward, and a tensor used twice costs no extra kernel.
    Out out(const Tensor& t) { return out(t.slot()); }
    Out out(const Slot& t);
    // The same of a weight, whose gradient is `dtype` whatever the weight is stored in.
    Out out(const Slot& t, DType dtype);

    // Hands `dy`, seen as `shape`, on as the gradient of `t` without a copy. For ops that only rename elements. False
    // if a gradient is there already (or a parameter's): then the rule must add through out().
    bool pass(const Slot& t, const Tensor& dy, const Shape& shape);

private:
    TensorStore& store_;
};

}
