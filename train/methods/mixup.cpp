// Mixup, Zhang et al. 2018.
//   x~ = lambda x_i + (1 - lambda) x_j,  y~ = lambda e_i + (1 - lambda) e_j,  L = CE(z(x~), y~)
// lambda ~ Beta(alpha, alpha), one for the batch unless mixup.per_sample; j a permutation of the batch.
#include "train/losses.h"

namespace bkd {
namespace {

class Mixup final : public Method {
public:
    explicit Mixup(const Recipe& recipe) : mixing_(mixing_of(recipe)), temperature_(recipe.number("ce.temperature")) {}

    std::vector<Stage> stages() const override { return {Stage{.name = "train"}}; }

    Tensor loss(Step& s) override {
        const Batch batch = mixed_batch(s, mixing_);
        const Tensor z = s.network(batch.images);
        return cross_entropy(s.ctx, z, targets_of(batch, mixing_), {.scale = 1 / temperature_});
    }

private:
    Mixing mixing_;
    double temperature_;
};

}

std::unique_ptr<Method> make_mixup(const MethodOptions& options) {
    return std::make_unique<Mixup>(options.for_stage("train"));
}

}
