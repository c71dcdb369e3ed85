// Cross-entropy.        L = -sum_i y_i log p_i,   p = softmax(z / T), T = ce.temperature, 1 in the paper
// paper: Eq. 1
#include "train/method.h"

namespace bkd {
namespace {

class CrossEntropyMethod final : public Method {
public:
    explicit CrossEntropyMethod(const Recipe& recipe) : temperature_(recipe.number("ce.temperature")) {}

    std::vector<Stage> stages() const override { return {Stage{.name = "train"}}; }

    Tensor loss(Step& s) override {
        const Batch batch = s.batch();
        return cross_entropy(s.ctx, s.network(batch.images), batch.targets, {.scale = 1 / temperature_});
    }

private:
    double temperature_;
};

}

std::unique_ptr<Method> make_ce(const MethodOptions& options) {
    return std::make_unique<CrossEntropyMethod>(options.for_stage("train"));
}

}
