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

enum class Loss : std::uint8_t { ce, kd, bkd };
const std::string loss_names[] = {"ce", "kd", "bkd"};

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

// Cross-entropy alone, or a teacher first and a student against it, on mixed batches.
SketchMethod method_of(Loss loss, std::int64_t epochs) {
    SketchMethod method;
    Stage student = Toy::stage("student", epochs);
    student.states = {{.name = "log_omega", .rows = State::Rows::per_class}};
    if (loss != Loss::ce) {
        student.companions = {{.name = "teacher", .from = "teacher"}};
        method.list = {Toy::stage("teacher")};
    }
    method.list.push_back(student);
    method.on_begin = [](StageContext& stage) {
        if (stage.stage().name == "student")
            stage.write_state("log_omega", std::vector<float>{-2.5F, -2.0F, -1.5F, -0.5F});
    };
    method.on_loss = [loss](Step& s) {
        if (loss == Loss::ce || s.stage().name == "teacher") return plain_cross_entropy(s);
        const Batch batch = s.mixup(0.2);
        DistillationOptions options{.temperature = 2};
        if (loss == Loss::bkd) options.log_omega = s.state("log_omega");
        const DistillationLoss l =
            distillation(s.ctx, s.network(batch.images), s.teacher(batch.images), batch.targets, options);
        s.note("kd", l.kl);
        return l.loss;
    };
    return method;
}

struct Outcome {
    std::vector<double> losses{};
    Weights weights{};
};

struct Losses : Watch {
    std::vector<double> values{};
    void step_ended(StageRun&, const StepReport* report) override {
        if (report != nullptr) values.push_back(report->loss);
    }
};

// Ten steps an epoch and stage.
Outcome train(const char* device, bool replays, Loss loss, const NetworkFactory& network, std::int64_t epochs = 1) {
    Toy toy(device, {32, 24, 16, 8});
    toy.training.make_network = network;
    toy.training.seed =
        3;  // with some, a number so near to a ReLU's corner that instruction sets differ about its side
    toy.training.replays_steps = replays;
    toy.training.log_every = 1;
    SketchMethod method = method_of(loss, epochs);
    Losses losses;
    Trainer trainer(toy.training, method.list, method, losses);
    CHECK(trainer.run());
    return {losses.values, trainer.result("student").weights};
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

void check_ten_steps(const NetworkFactory& network) {
    for (const Loss loss : {Loss::ce, Loss::kd, Loss::bkd}) {
        const std::string name = loss_names[static_cast<int>(loss)];
        CAPTURE(name);
        const std::int64_t before = simt::tally().graph_launches;
        const Outcome computed = train("cuda", false, loss, network);
        CHECK(simt::tally().graph_launches == before);
        const Outcome replayed = train("cuda", true, loss, network);
        CHECK(simt::tally().graph_launches == before + (loss == Loss::ce ? 9 : 18));
        CHECK(computed.losses == replayed.losses);
        CHECK(largest_difference(computed.weights, replayed.weights) == 0);

        const Outcome cpu = train("cpu", false, loss, network);
        REQUIRE(computed.losses.size() == cpu.losses.size());
        double apart = 0;
        for (std::size_t i = 0; i < cpu.losses.size(); ++i)
            apart = std::max(apart, std::abs(computed.losses[i] - cpu.losses[i]) / cpu.losses[i]);
        CHECK(apart < 2e-4);
        CHECK(largest_difference(computed.weights, cpu.weights) < 1e-3);
        MESSAGE(name, ": losses apart by ", apart, ", weights by ", largest_difference(computed.weights, cpu.weights));
    }
    CHECK(simt::tally().faults.empty());
}

}

TEST_CASE("ten steps of ResNet-8: computed and replayed are the same bits, and the CPU agrees") {
    check_ten_steps(resnet8());
}

TEST_CASE("ten steps of three linear layers: computed and replayed are the same bits, and the CPU agrees") {
    check_ten_steps(mlp());
}

TEST_CASE("nothing of the device is left when the runtime is gone") {
    const std::size_t blocks = simt::tally().live_blocks, handles = simt::tally().live_handles;
    train("cuda", true, Loss::bkd, network_factory(toy_network()), 3);
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
