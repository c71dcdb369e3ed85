// Rules of stages: what they do, and that each mistake is an error that names the stage and the rule.
#include "tests/train/sketch_network.h"
#include "train/name_pattern.h"
#include "train/stage_recipe.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

// The message of opening this stage on the toy data.
std::string refusal(const std::function<void(Stage&)>& change, std::int64_t last_class = 4) {
    Toy toy("cpu", {20, 12, 8, last_class});
    Stage stage = Toy::stage("broken");
    change(stage);
    SketchMethod method;
    try {
        const StageRun run(toy.training, stage, method, nothing_before);
        return "accepted";
    } catch (const InputError& error) { return error.message(); }
}

bool names(const std::string& message, std::string_view stage, std::string_view rule) {
    CAPTURE(message);
    const bool both = message.find(stage) != std::string::npos && message.find(rule) != std::string::npos;
    CHECK(both);
    return both;
}

}

TEST_CASE("every mistake in a stage's rules is an error that names stage and rule") {
    names(refusal([](Stage& s) { s.start.push_back({.from = fresh, .take = "nowhere.*"}); }), "stage broken",
          "start rule \"nowhere.*\"");
    names(refusal([](Stage& s) { s.start = {{.from = fresh, .take = "linear.*"}}; }), "stage broken",
          "no start rule covers");
    names(refusal([](Stage& s) { s.train = {{.take = "head.*"}}; }), "stage broken", "train rule \"head.*\"");
    names(refusal([](Stage& s) {
              s.batch_norm = {{"layer9.*", BatchNormMode::batch}};
          }),
          "stage broken", "batch_norm rule \"layer9.*\"");
    names(refusal([](Stage& s) {
              s.batch_norm = {{"layer1.*", BatchNormMode::batch}};
          }),
          "stage broken", "no batch_norm rule covers");
    names(refusal([](Stage& s) {
              s.states = {{.name = "queue", .shape = {20, 4}, .rows = State::Rows::ring}};
          }),
          "stage broken", "ring \"queue\"");
    names(refusal(
              [](Stage& s) {
                  s.feeds = {{.sampler = {.classes = {0, 3}}}};
              },
              0),
          "stage broken, feed main", "E0439");
    names(refusal([](Stage& s) { s.start = {{.from = "elsewhere"}}; }), "E0311", "elsewhere");
}

TEST_CASE("patterns carry what their stars stand for to another name") {
    CHECK(matches("layer*.conv1.weight", "layer1.0.conv1.weight"));
    CHECK(matches("*", ""));
    CHECK_FALSE(matches("linear.*", "linear"));
    CHECK(renamed("fc.*", "meta.hallucinator.*", "fc.weight") == "meta.hallucinator.weight");
    CHECK(renamed("a*b*", "*-*", "axxby") == "xx-y");
    CHECK_FALSE(renamed("fc.*", "x", "linear.weight"));
}

TEST_CASE("a start rule takes tensors under the names they have elsewhere") {
    Toy toy;
    toy.training.make_network = make_sketch_network;
    SketchMethod method;
    Stage stage = Toy::stage("second");
    stage.start = {{}, {.from = "first", .take = "linear.*", .rename = "fc.*"}};
    StageResult first{.name = "first"};
    first.weights["fc.weight"] = {{4, 4}, std::vector<float>(16, 0.25F)};
    first.weights["fc.bias"] = {{4}, {1, 2, 3, 4}};
    StageRun run(toy.training, stage, method, [&](const std::string&) -> const StageResult& { return first; });
    CHECK(run.result().weights.at("linear.bias").numbers == std::vector<float>{1, 2, 3, 4});
    first.weights["fc.bias"].shape = {2, 2};
    CHECK_THROWS_WITH_AS(
        StageRun(toy.training, stage, method, [&](const std::string&) -> const StageResult& { return first; }),
        doctest::Contains("fc.bias"), InputError);
}

TEST_CASE("of several train rules the last that matches decides on factor, decay and freezing") {
    Toy toy;
    SketchMethod method;
    Stage stage = Toy::stage();
    stage.train = {{.take = "*"},
                   {.take = "conv1.*", .frozen = true},
                   {.take = "linear.*", .learning_rate_factor = 10, .decays = false}};
    stage.decays_vectors = false;
    StageRun run(toy.training, stage, method, nothing_before);
    Parameters& parameters = run.context().network().parameters();
    CHECK(parameters.find("conv1.weight")->frozen);
    CHECK(parameters.find("layer1.0.conv1.weight")->decays);
    CHECK_FALSE(parameters.find("bn1.weight")->decays);
    CHECK(parameters.find("linear.weight")->learning_rate_factor == 10);
    CHECK_FALSE(parameters.find("linear.weight")->decays);
}

TEST_CASE("a trained state is a parameter with rules of its own, and one in the model is written to it") {
    Toy toy;
    SketchMethod method;
    method.on_loss = [](Step& s) {
        const Batch batch = s.batch();
        return cross_entropy(s.ctx, bias_add(s.ctx, s.network(batch.images), s.state("memory")), batch.targets);
    };
    Stage stage = Toy::stage();
    stage.states = {{.name = "memory", .rows = State::Rows::per_class, .is_trained = true},
                    {.name = "ring", .shape = {16, 2}, .rows = State::Rows::ring, .initial = 3, .in_model = true}};
    stage.train = {{.take = "*"}, {.take = "state.memory", .learning_rate_factor = 0.1}};
    StageRun run(toy.training, stage, method, nothing_before);
    run.begin_epoch();
    run.step();
    const Weights weights = run.result().weights;
    CHECK(weights.at("state.memory").numbers != std::vector<float>(4, 0.0F));
    CHECK(weights.at("state.ring").numbers == std::vector<float>(32, 3.0F));
}

TEST_CASE("a moving average follows the weights after each optimizer step") {
    Toy toy("reference");
    SketchMethod method;
    method.on_loss = plain_cross_entropy;
    Stage stage = Toy::stage();
    stage.companions = {{.name = "slow", .kind = Companion::Kind::moving_average, .momentum = 0.75}};
    StageRun run(toy.training, stage, method, nothing_before);
    const auto weight = [&](Network& n) { return numbers(toy.runtime, n.parameters().find("linear.weight")->value); };
    const auto before = weight(run.context().network());
    run.begin_epoch();
    run.step();
    const auto after = weight(run.context().network()), slow = weight(run.context().companion("slow").network());
    for (std::size_t i = 0; i < slow.size(); ++i)
        CHECK(slow[i] == doctest::Approx(0.75 * before[i] + 0.25 * after[i]).epsilon(1e-6));
}

}
