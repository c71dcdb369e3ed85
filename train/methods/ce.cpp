// Cross-entropy.        L = -sum_i y_i log p_i,   p = softmax(z / T), T = ce.temperature, 1 in the paper
// Of an ensemble the sum over its experts.
// paper: Eq. 1
#include "engine/ops/elementwise.h"
#include "train/method.h"

namespace bkd {
namespace {

class CrossEntropyMethod final : public Method {
public:
    explicit CrossEntropyMethod(const Recipe& recipe) : temperature_(recipe.number("ce.temperature")) {}

    std::vector<Stage> stages() const override { return {Stage{.name = "train"}}; }

    Tensor loss(Step& s) override {
        const Batch batch = s.batch();
        Tensor sum;
        for (const Tensor& logits : s.experts(batch.images)) {
            const Tensor loss = cross_entropy(s.ctx, logits, batch.targets, {.scale = 1 / temperature_});
            sum = sum ? add(s.ctx, sum, loss) : loss;
        }
        return sum;
    }

private:
    double temperature_;
};

}

std::unique_ptr<Method> make_ce(const MethodOptions& options) {
    return std::make_unique<CrossEntropyMethod>(options.for_stage("train"));
}

}
