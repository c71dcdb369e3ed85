// Training steps through the CUDA backend: recorded and replayed, and computed one by one, they are the same bits; the
// CPU backend agrees.
#include "engine/ops/loss.h"
#include "kernels/cuda/host/runtime.h"
#include "tests/train/toy.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {
namespace {

struct Outcome {
    std::vector<double> losses{};
    Weights weights{};
};

// Student against a frozen companion of the same network, on mixed batches: all that a BKD step is made of.
SketchMethod distilling(std::int64_t epochs) {
    SketchMethod method;
    Stage teacher = Toy::stage("teacher"), student = Toy::stage("student", epochs);
    student.companions = {{.name = "teacher", .from = "teacher"}};
    method.list = {teacher, student};
    method.on_loss = [](Step& s) {
        if (s.stage().name == "teacher") return plain_cross_entropy(s);
        const Batch batch = s.mixup(0.2);
        const DistillationLoss l =
            distillation(s.ctx, s.network(batch.images), s.teacher(batch.images), batch.targets, {.temperature = 2});
        s.note("kd", l.kl);
        return l.loss;
    };
    return method;
}

struct Losses : Watch {
    std::vector<double> values{};
    void step_ended(StageRun&, const StepReport* report) override {
        if (report != nullptr) values.push_back(report->loss);
    }
};

Outcome train(const char* device, bool replays) {
    Toy toy(device);
    toy.training.replays_steps = replays;
    toy.training.log_every = 1;
    SketchMethod method = distilling(3);
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

}

TEST_CASE("steps replayed from a recording are bit for bit the steps computed one by one") {
    const std::int64_t before = simt::tally().graph_launches;
    const Outcome computed = train("cuda", false);
    CHECK(simt::tally().graph_launches == before);
    const Outcome replayed = train("cuda", true);
    CHECK(simt::tally().graph_launches > before + 10);
    CHECK(computed.losses == replayed.losses);
    CHECK(largest_difference(computed.weights, replayed.weights) == 0);
    CHECK(simt::tally().faults.empty());
}

TEST_CASE("training on the CUDA backend agrees with training on the CPU") {
    const Outcome cuda = train("cuda", true), cpu = train("cpu", true);
    REQUIRE(cuda.losses.size() == cpu.losses.size());
    for (std::size_t i = 0; i < cpu.losses.size(); ++i)
        CHECK(cuda.losses[i] == doctest::Approx(cpu.losses[i]).epsilon(2e-4));
    CHECK(largest_difference(cuda.weights, cpu.weights) < 1e-3);  // 3.1e-4 seen, after 20 steps in other orders of sums
}

TEST_CASE("nothing of the device is left when the runtime is gone") {
    const std::size_t blocks = simt::tally().live_blocks, handles = simt::tally().live_handles;
    train("cuda", true);
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
