// Training steps through the CUDA backend: recorded and replayed, and computed one by one, they are the same bits; the
// CPU backend agrees.
#include "engine/layers/linear.h"
#include "engine/ops/activation.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/loss.h"
#include "kernels/cuda/host/runtime.h"
#include "tests/train/toy.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {
namespace {

// Three layers of products, where a ResNet is convolutions.
class Mlp final : public Network {
public:
    explicit Mlp(std::int64_t classes)
        : Network({.name = "mlp", .classes = classes}),
          first_(parameters_, "first", 8 * 8 * 3, hidden, Init::normal(0.1)),
          second_(parameters_, "second", hidden, hidden, Init::normal(0.2)),
          linear_(parameters_, "linear", hidden, classes, Init::normal(0.2)) {}

    Tensor features(Context& ctx, const Tensor& images, int) const override {
        const Tensor x = reshape(ctx, images, {images.dim(0), images.count() / images.dim(0)});
        return relu(ctx, second_(ctx, relu(ctx, first_(ctx, x))));
    }
    Tensor head(Context& ctx, const Tensor& x, std::string_view) const override { return linear_(ctx, x); }
    std::int64_t feature_width() const override { return hidden; }
    Shape input_shape(std::int64_t batch) const override { return {batch, 8, 8, 3}; }

private:
    static constexpr std::int64_t hidden = 40;
    Linear first_, second_, linear_;
};

NetworkFactory mlp() {
    return [](std::int64_t classes, std::span<const Part>) { return std::make_unique<Mlp>(classes); };
}
NetworkFactory resnet8() { return network_factory({.name = "resnet8", .classes = 4}); }

constexpr const char* stages[] = {"ce", "kd", "bkd"};

// Cross-entropy; then a student against the frozen result on mixed batches, by plain and by balanced distillation.
SketchMethod three_stages(std::int64_t epochs) {
    SketchMethod method;
    for (const char* name : stages) {
        Stage stage = Toy::stage(name, epochs);
        // Small steps: a number near a ReLU's corner, about whose side two backends differ, stays a small difference.
        stage.schedule = Schedule{.base = 0.005};
        stage.states = {{.name = "log_omega", .rows = State::Rows::per_class}};
        if (stage.name != "ce") stage.companions = {{.name = "teacher", .from = "ce"}};
        method.list.push_back(stage);
    }
    method.on_begin = [](StageContext& stage) {
        stage.write_state("log_omega", std::vector<float>{-2.5F, -2.0F, -1.5F, -0.5F});
    };
    method.on_loss = [](Step& s) {
        if (s.stage().name == "ce") return plain_cross_entropy(s);
        const Batch batch = s.mixup(0.2);
        DistillationOptions options{.temperature = 2};
        if (s.stage().name == "bkd") options.log_omega = s.state("log_omega");
        const DistillationLoss l =
            distillation(s.ctx, s.network(batch.images), s.teacher(batch.images), batch.targets, options);
        s.note("kd", l.kl);
        return l.loss;
    };
    return method;
}

struct Outcome {
    std::map<std::string, std::vector<double>> losses{};
    std::map<std::string, Weights> weights{};
};

struct Losses : Watch {
    std::map<std::string, std::vector<double>> values{};
    void step_ended(StageRun& run, const StepReport* report) override {
        if (report != nullptr) values[run.stage().name].push_back(report->loss);
    }
};

struct Setting {
    NetworkFactory network;
    DType storage = DType::f32;
    std::int64_t images_of_class = 8, epochs = 1, log_every = 1;
};

// Ten steps an epoch and stage, unless the setting has more images.
Outcome train(const char* device, bool replays, const Setting& with) {
    const std::int64_t n = with.images_of_class;
    Toy toy(device, {4 * n, 3 * n, 2 * n, n}, with.storage);
    toy.training.make_network = with.network;
    toy.training.replays_steps = replays;
    toy.training.log_every = with.log_every;
    SketchMethod method = three_stages(with.epochs);
    Losses losses;
    Trainer trainer(toy.training, method.list, method, losses);
    CHECK(trainer.run());
    Outcome outcome{.losses = losses.values};
    for (const char* stage : stages) outcome.weights[stage] = trainer.result(stage).weights;
    return outcome;
}

double largest_difference(const Weights& a, const Weights& b) {
    double largest = 0;
    for (const auto& [name, tensor] : a) {
        const auto& other = b.at(name);
        REQUIRE(tensor.numbers.size() == other.numbers.size());
        for (std::size_t i = 0; i < tensor.numbers.size(); ++i)
            largest = std::max(largest, std::abs(double{tensor.numbers[i]} - other.numbers[i]));
    }
    return largest;
}

void check_ten_steps(const Setting& with, double losses_apart, double weights_apart_at_most) {
    const std::int64_t before = simt::tally().graph_launches;
    const Outcome computed = train("cuda", false, with);
    CHECK(simt::tally().graph_launches == before);
    const Outcome replayed = train("cuda", true, with);
    CHECK(simt::tally().graph_launches == before + 3 * 9);
    const Outcome cpu = train("cpu", false, with);
    for (const char* stage : stages) {
        CAPTURE(std::string(stage));
        const std::vector<double>&losses = computed.losses.at(stage), expected = cpu.losses.at(stage);
        REQUIRE(losses.size() == 10);
        CHECK(losses == replayed.losses.at(stage));
        CHECK(largest_difference(computed.weights.at(stage), replayed.weights.at(stage)) == 0);

        double apart = 0;
        for (std::size_t i = 0; i < losses.size(); ++i)
            apart = std::max(apart, std::abs(losses[i] - expected[i]) / expected[i]);
        const double weights_apart = largest_difference(computed.weights.at(stage), cpu.weights.at(stage));
        CHECK(apart < losses_apart);
        CHECK(weights_apart < weights_apart_at_most);
        MESSAGE(std::string(stage), ": losses apart by ", apart, ", weights by ", weights_apart);
    }
    CHECK(simt::tally().faults.empty());
}

}

TEST_CASE("ten steps of ResNet-8: computed and replayed are the same bits, and the CPU agrees") {
    check_ten_steps({resnet8()}, 2e-5, 1e-4);
}

TEST_CASE("ten steps of three linear layers: computed and replayed are the same bits, and the CPU agrees") {
    check_ten_steps({mlp()}, 2e-5, 1e-4);
}

TEST_CASE("ten steps in bf16: computed and replayed are the same bits, and the CPU is as near as bf16 allows") {
    check_ten_steps({.network = network_factory({.name = "resnet8", .classes = 4, .width = 8}), .storage = DType::bf16},
                    0.05, 0.1);
    check_ten_steps({.network = mlp(), .storage = DType::bf16}, 1e-3, 1e-3);
}

TEST_CASE("steps that run ahead, further than the ring of pinned slots is long, get the numbers of their own batches") {
    const Setting with{.network = mlp(), .images_of_class = 60, .epochs = 2, .log_every = 1000};  // 75 steps an epoch
    const Outcome replayed = train("cuda", true, with), cpu = train("cpu", false, with);
    for (const char* stage : stages)
        CHECK(largest_difference(replayed.weights.at(stage), cpu.weights.at(stage)) < 1e-4);
}

TEST_CASE("nothing of the device is left when the runtime is gone") {
    const std::size_t blocks = simt::tally().live_blocks, handles = simt::tally().live_handles;
    train("cuda", true, {.network = network_factory(toy_network()), .epochs = 2});
    CHECK(simt::tally().live_blocks == blocks);
    CHECK(simt::tally().live_handles == handles);
}

TEST_CASE("a loss that waits for the device is not recorded in silence") {
    Toy toy("cuda");
    SketchMethod method;
    method.list = {Toy::stage("train", 2)};
    method.on_loss = [](Step& s) {
        const Tensor loss = plain_cross_entropy(s);
        s.ctx.item(loss);
        return loss;
    };
    Watch watch;
    Trainer trainer(toy.training, method.list, method, watch);
    CHECK_THROWS_WITH_AS(trainer.run(), doctest::Contains("a download after cross_entropy within a recorded step"),
                         LogicError);
}

}
