// Class-balanced cross-entropy, Cui et al. 2019.        L = -omega_y log p_y        paper: Eq. 3, 4
// omega by weights.*, cb.reduction over the batch. Weighted, rare classes are learned, and frequent ones unlearned:
// what the paper sets out to mend.
#include "train/losses.h"

namespace bkd {
namespace {

kernels::LossReduction reduction_of(const std::string& name) {
    using enum kernels::LossReduction;
    return name == "weighted_mean" ? weighted_mean : name == "batch_mean" ? mean : sum;
}

class ClassBalanced final : public Method {
public:
    explicit ClassBalanced(const Recipe& recipe)
        : weights_(recipe, DeferredWeights::Form::plain),
          mixing_(mixing_of(recipe)),
          reduction_(reduction_of(recipe.text("cb.reduction"))),
          temperature_(recipe.number("ce.temperature")) {
        refuse_weighted_mean_per_sample(recipe);
    }

    std::vector<Stage> stages() const override {
        return {Stage{.name = "train", .states = {DeferredWeights::state()}}};
    }
    void begin(StageContext& stage) override { weights_.write(stage); }
    void after_epoch(StageContext& stage, const Metrics&) override { weights_.write(stage); }

    Tensor loss(Step& s) override {
        const Batch batch = mixed_batch(s, mixing_);
        return class_balanced_cross_entropy(s.ctx, s.network(batch.images), targets_of(batch, mixing_),
                                            s.state("class_weights"), reduction_, temperature_);
    }

private:
    void refuse_weighted_mean_per_sample(const Recipe& recipe) const {
        if (mixing_.alpha > 0 && mixing_.per_sample && reduction_ == kernels::LossReduction::weighted_mean)
            throw InputError({.id = 305,
                              .what = "cb.reduction = \"weighted_mean\" mixes with one lambda for the batch",
                              .at = recipe.at("mixup.per_sample"),
                              .try_ = "mixup.per_sample=false, or cb.reduction=batch_mean"});
    }

    DeferredWeights weights_;
    Mixing mixing_;
    kernels::LossReduction reduction_;
    double temperature_;
};

}

std::unique_ptr<Method> make_cb(const MethodOptions& options) {
    return std::make_unique<ClassBalanced>(options.for_stage("train"));
}

}
