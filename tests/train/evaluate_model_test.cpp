// A model file judged alone gives what its run said of it.
#include "train/evaluate_model.h"

#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

namespace bkd::test {

TEST_CASE("a model file evaluated alone has the accuracy and loss its run ended with") {
    ToyRun toy;
    const RunResult run = toy.train("ce", "run");
    const ModelEvaluation alone = evaluate_model(
        {.model = run.folder / "models/train.last.safetensors", .data_root = toy.path(), .keeps_logits = true});
    const Metrics& last = run.stages.front().last;
    CHECK(alone.evaluation.metrics.confusion == last.confusion);
    CHECK(alone.evaluation.metrics.loss == last.loss);
    CHECK(alone.evaluation.metrics.shots == last.shots);
    CHECK(alone.evaluation.logits.size() == 400);
    CHECK(alone.network == "resnet8");
    CHECK(alone.class_counts.front() == 24);
    CHECK(alone.warnings.empty());
}

TEST_CASE("another normalisation than the model's changes its logits and is warned of") {
    ToyRun toy;
    const RunResult run = toy.train("ce", "run", {"train.max_steps=2"});
    EvaluateModelOptions options{
        .model = run.folder / "models/train.last.safetensors", .data_root = toy.path(), .keeps_logits = true};
    const auto as_trained = evaluate_model(options).evaluation.logits;
    options.mean = std::vector<float>{0.5F};
    const ModelEvaluation other = evaluate_model(options);
    CHECK(other.warnings.size() == 1);
    CHECK(other.evaluation.logits != as_trained);
}

}
