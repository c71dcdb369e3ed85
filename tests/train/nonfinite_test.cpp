// Numbers that are not finite: they never reach the weights, and the message names step, op and image.
#include "engine/ops/elementwise.h"
#include "tests/contains.h"
#include "tests/train/toy_run.h"
#include "train/fault_dump.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {
namespace {

constexpr std::int64_t bad_epoch = 1, bad_step = 2;

bool is_bad(Step& s) { return s.progress().epoch == bad_epoch && s.progress().step == bad_step; }

// The gradient of sqrt at 0 is infinite, times 0 none at all; the loss stays finite.
Tensor with_bad_gradient(Step& s) {
    const Tensor loss = plain_cross_entropy(s);
    return is_bad(s) ? add(s.ctx, loss, sqrt(s.ctx, scale(s.ctx, loss, 0))) : loss;
}

// Logits of one image beyond what f32 holds.
Tensor with_bad_image(Step& s, std::int64_t sample) {
    const Batch batch = s.batch();
    Tensor z = s.network(batch.images);
    if (is_bad(s)) {
        std::vector<float> factor(static_cast<std::size_t>(z.count()), 1.0F);
        for (std::int64_t c = 0; c < z.dim(1); ++c) factor[static_cast<std::size_t>(sample * z.dim(1) + c)] = 1e30F;
        const Tensor large = s.ctx.upload(z.shape(), factor);
        z = multiply(s.ctx, multiply(s.ctx, z, large), large);
    }
    return cross_entropy(s.ctx, z, batch.targets);
}

struct Seen : Watch {
    std::optional<FaultReport> fault{};
    Weights at_the_end{};
    void fault_found(StageRun& run, const FaultReport& report) override {
        fault = report;
        at_the_end = read_weights(Context(run.context().runtime()), run.context().network().parameters());
    }
};

// The weights that are trained, without what forward passes move.
Weights without_buffers(Weights weights) {
    std::erase_if(weights, [](const auto& item) { return item.first.find("running_") != std::string::npos; });
    return weights;
}

}

TEST_CASE("a gradient that is not finite ends the run before any weight moves, and names the op") {
    Toy toy;
    SketchMethod method;
    Weights before;
    method.on_loss = [&](Step& s) {
        if (is_bad(s) && before.empty()) before = read_weights(s.ctx, s.net().parameters());
        return with_bad_gradient(s);
    };
    Seen seen;
    Trainer trainer(toy.training, {Toy::stage("student", 3)}, method, seen);
    CHECK_THROWS_WITH_AS(
        trainer.run(), doctest::Contains("a gradient became not finite at stage student, epoch 2, step 3"), InputError);
    REQUIRE(seen.fault);
    CHECK(std::isfinite(seen.fault->loss));
    REQUIRE(seen.fault->first);
    CHECK(seen.fault->first->op == "divide");
    CHECK_FALSE(before.empty());
    CHECK(without_buffers(seen.at_the_end) == without_buffers(before));
}

TEST_CASE("a loss that is not finite moves no weight, though its gradients are finite") {
    Toy toy;
    toy.training.log_every = 100;  // seen some steps later
    SketchMethod method;
    Weights before;
    method.on_loss = [&](Step& s) {
        if (is_bad(s) && before.empty()) before = read_weights(s.ctx, s.net().parameters());
        const Tensor loss = plain_cross_entropy(s);
        return is_bad(s) ? add(s.ctx, loss, s.ctx.full(loss.shape(), HUGE_VAL)) : loss;
    };
    Seen seen;
    Trainer trainer(toy.training, {Toy::stage("student", 3)}, method, seen);
    CHECK_THROWS_WITH_AS(trainer.run(), doctest::Contains("loss became inf at stage student, epoch 2, step 3"),
                         InputError);
    REQUIRE(seen.fault);
    CHECK(std::isinf(seen.fault->loss));
    CHECK_FALSE(before.empty());
    CHECK(without_buffers(seen.at_the_end) == without_buffers(before));
}

TEST_CASE("of an image whose numbers overflow the message has its place in the batch and in the training split") {
    Toy toy;
    toy.training.log_every = 100;  // seen some steps later
    SketchMethod method;
    std::vector<double> indices;
    method.on_loss = [&](Step& s) {
        if (is_bad(s)) indices = s.ctx.download(s.batch().indices);
        return with_bad_image(s, 5);
    };
    Seen seen;
    Trainer trainer(toy.training, {Toy::stage("student", 3)}, method, seen);
    try {
        trainer.run();
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.id() == "E0901");
        CHECK(contains(error.parts().what, "at stage student, epoch 2, step 3"));
        CHECK(contains(error.parts().at,
                       fmt::format("op multiply, sample 5 of the batch (training image {})", indices.at(5))));
    }
    REQUIRE(seen.fault);
    REQUIRE(seen.fault->first);
    CHECK(seen.fault->first->samples == std::vector<std::int64_t>{5});
    CHECK(seen.fault->first->count == 4);
    CHECK(std::isinf(seen.fault->first->value));
    CHECK(std::vector<double>(seen.fault->indices.begin(), seen.fault->indices.end()) == indices);
    CHECK(seen.fault->shape == Shape{8, 8, 8, 3});
    CHECK(seen.fault->images.size() == 8 * 8 * 8 * 3);
}

TEST_CASE("train.nonfinite = skip leaves out a step whose gradient is not finite") {
    Toy toy;
    toy.training.skips_nonfinite = true;
    SketchMethod method;
    method.on_loss = with_bad_gradient;
    StageRun run(toy.training, Toy::stage("student", 3), method, nothing_before);
    const Context ctx(toy.runtime);
    const auto weights = [&] { return read_weights(ctx, run.context().network().parameters()); };
    run.begin();
    while (!run.is_done()) {
        run.begin_epoch();
        while (!run.is_epoch_done()) {
            const bool is_next =
                run.epochs_done() == bad_epoch && run.steps_done() == bad_epoch * run.steps_per_epoch() + bad_step;
            const Weights before = weights();
            run.step();
            CHECK((weights() == before) == is_next);
        }
        const std::int64_t skipped = run.end_epoch().skipped;
        CHECK(skipped == (run.epochs_done() > bad_epoch ? 1 : 0));
    }
}

TEST_CASE("a step that is finite when it is computed again says so") {
    Toy toy;
    SketchMethod method;
    int times = 0;
    method.on_loss = [&](Step& s) {
        const Tensor loss = plain_cross_entropy(s);
        return scale(s.ctx, loss, is_bad(s) && times++ == 0 ? std::nan("") : 1.0);
    };
    Seen seen;
    Trainer trainer(toy.training, {Toy::stage("student", 3)}, method, seen);
    CHECK_THROWS_WITH_AS(trainer.run(), doctest::Contains("loss became nan at stage student, epoch 2, step 3"),
                         InputError);
    REQUIRE(seen.fault);
    CHECK_FALSE(seen.fault->first);
}

TEST_CASE("what is kept of a faulty step can be read back") {
    const bkd_test::TemporaryFolder folder;
    FaultReport report{.epoch = 2, .step = 3, .loss = std::nan("")};
    report.first = FirstFault{.op = "exp", .call = 7, .shape = {2, 3}, .value = INFINITY, .count = 1, .samples = {1}};
    report.indices = {40, 7}, report.labels = {3, 0};
    report.shape = {2, 1, 1, 1}, report.images = {0.5F, -0.25F};
    write_fault(folder.path() / "nonfinite", "student", report, {});
    const SafeTensors batch = read_safetensors(folder / "nonfinite/batch.safetensors");
    CHECK(batch.values<float>(batch.at("images")) == report.images);
    CHECK(batch.values<std::int32_t>(batch.at("indices")) == report.indices);
    CHECK(contains(bkd_test::TemporaryFolder::text(folder / "nonfinite/step.json"),
                   R"("op":"exp","call":7,"shape":"[2, 3]","value":"inf")"));
}

}
