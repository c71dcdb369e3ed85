// Balanced softmax, Ren et al. 2020.        L = CE(z + log n, y), n the training counts of the classes
// The classifier is trained to be right under the class law of the training set; without n at prediction it is
// balanced.
#include "train/losses.h"

namespace bkd {
namespace {

class BalancedSoftmax final : public Method {
public:
    explicit BalancedSoftmax(const Recipe& recipe) : mixing_(mixing_of(recipe)) {}

    std::vector<Stage> stages() const override { return {Stage{.name = "train"}}; }

    // log pi differs from log n by a constant, which softmax does not see.
    Tensor loss(Step& s) override {
        const Batch batch = mixed_batch(s, mixing_);
        return cross_entropy(s.ctx, s.network(batch.images), targets_of(batch, mixing_), {.shift = s.log_prior()});
    }

private:
    Mixing mixing_;
};

}

std::unique_ptr<Method> make_balanced_softmax(const MethodOptions& options) {
    return std::make_unique<BalancedSoftmax>(options.for_stage("train"));
}

}
