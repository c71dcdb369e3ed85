// The trainer: what a step costs, what it does with numbers that are not finite, and that it knows no method by name.
#include "tests/train/sketch_network.h"
#include "tests/train/toy_run.h"
#include "tests/train/without_primitives.h"
#include "train/losses.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

using bkd_test::id_of;

// BKD's step with everything it may have, on the toy data: mixup, a teacher, weights in device memory.
struct FullStep : SketchMethod {
    FullStep() {
        Stage stage = Toy::stage("student", 4);
        stage.companions = {{.from = "teacher"}};
        stage.states = {{.name = "class_weights", .rows = State::Rows::per_class}};
        list = {stage};
        on_loss = [](Step& s) {
            const Batch batch = s.mixup(1.0);
            const Tensor teacher = s.teacher(batch.images);
            const DistillationLoss l = distillation(s.ctx, s.network(batch.images), teacher, batch.targets,
                                                    {.log_omega = s.state("class_weights")});
            s.note("ce", l.ce);
            return l.loss;
        };
    }
};

StageResult toy_teacher(Toy& toy) {
    Stage stage = Toy::stage("teacher", 1);
    SketchMethod method;
    method.on_loss = plain_cross_entropy;
    Watch watch;
    Trainer trainer(toy.training, {stage}, method, watch);
    REQUIRE(trainer.run());
    return trainer.result("teacher");
}

}

TEST_CASE("a steady training step allocates nothing, in f32 and in bf16") {
    DType storage = DType::f32;
    SUBCASE("f32") {}
    SUBCASE("bf16") { storage = DType::bf16; }
    Toy toy("cpu", {20, 12, 8, 4}, storage);
    toy.training.log_every = 1000;
    const StageResult teacher = toy_teacher(toy);
    FullStep method;
    StageRun run(toy.training, method.list.front(), method,
                 [&](const std::string&) -> const StageResult& { return teacher; });
    run.begin();
    for (int epoch = 0; epoch < 2; ++epoch) {  // both batch sizes have been there
        run.begin_epoch();
        while (!run.is_epoch_done()) run.step();
        run.end_epoch();
    }
    run.begin_epoch();
    const PoolStatistics before = toy.runtime.backend->pool().statistics();
    const std::int64_t primitives = toy.runtime.backend->primitives_made();
    for (std::int64_t i = 0; i + 1 < run.steps_per_epoch(); ++i) {
        WithoutPrimitives observer;
        toy.runtime.stream->observer = &observer;
        watch_allocations_of_this_thread();
        run.step();
        const std::int64_t of_ours = watched_allocations() - observer.inside;
        toy.runtime.stream->observer = nullptr;
        CHECK(of_ours == 0);
    }
    run.step();  // the last one looks at the losses on the host
    CHECK(toy.runtime.backend->pool().statistics().system_requests == before.system_requests);
    CHECK(toy.runtime.backend->pool().statistics().live_bytes == before.live_bytes);
    CHECK(toy.runtime.backend->primitives_made() == primitives);
}

TEST_CASE(
    "training the student leaves weights, statistics and gradients of the teacher as they were") {  // invariant 17
    for (const BatchNormMode mode : {BatchNormMode::running, BatchNormMode::batch}) {
        Toy toy;
        const StageResult teacher = toy_teacher(toy);
        FullStep method;
        method.list.front().companions.front().batch_norm = mode;
        StageRun run(toy.training, method.list.front(), method,
                     [&](const std::string&) -> const StageResult& { return teacher; });
        run.begin();
        run.begin_epoch();
        while (!run.is_epoch_done()) run.step();
        const Parameters& parameters = run.context().companion("teacher").network().parameters();
        CHECK(read_weights(Context(toy.runtime), parameters) == teacher.weights);
        for (const Parameter& p : parameters.all()) CHECK_FALSE(p.value.gradient());
    }
}

TEST_CASE("a loss that is not finite ends the run and names stage, epoch and step") {
    Toy toy;
    SketchMethod method;
    method.on_loss = [](Step& s) {
        const Tensor loss = plain_cross_entropy(s);
        return scale(s.ctx, loss, s.progress().epoch == 1 && s.progress().step == 2 ? std::nan("") : 1.0);
    };
    Watch watch;
    const auto run = [&] { Trainer(toy.training, {Toy::stage("student", 3)}, method, watch).run(); };
    CHECK_THROWS_WITH_AS(run(), doctest::Contains("loss became nan at stage student, epoch 2, step 3"), InputError);
    CHECK(id_of(run) == "E0901");
    toy.training.skips_nonfinite = true;
    CHECK(id_of(run) == "accepted");
}

TEST_CASE("logits that are not finite in an evaluation name the epoch and step before it") {
    Toy toy;
    SketchMethod method;
    method.on_loss = plain_cross_entropy;
    method.on_after_step = [](Step& s) {
        if (s.progress().epoch != 1 || s.progress().step != 5) return;
        Parameter& bias = *s.net().parameters().find("linear.bias");
        s.net().parameters().write(s.ctx, bias, std::vector<float>(4, std::nanf("")));
    };
    Watch watch;
    CHECK_THROWS_WITH_AS(
        Trainer(toy.training, {Toy::stage("student", 3)}, method, watch).run(),
        doctest::Contains("logits of 24 of 24 images are not finite at stage student, epoch 2, step 6"), InputError);
}

TEST_CASE("a step that is left out leaves weights, running statistics and states as they were") {
    Toy toy;
    toy.training.skips_nonfinite = true;
    SketchMethod method;
    Stage stage = Toy::stage();
    stage.companions = {
        {.name = "average", .kind = Companion::Kind::moving_average, .batch_norm = BatchNormMode::batch}};
    stage.states = {{.name = "sum", .shape = {4}}};
    method.on_loss = [](Step& s) {
        const Batch batch = s.batch();
        s.companion("average", batch.images);
        s.ctx.elementwise().fill({.y = s.state("sum"), .value = static_cast<double>(s.progress().step)});
        const Tensor loss = cross_entropy(s.ctx, s.network(batch.images), batch.targets);
        return scale(s.ctx, loss, s.progress().step == 2 ? std::nan("") : 1.0);
    };
    StageRun run(toy.training, stage, method, nothing_before);
    run.begin();
    run.begin_epoch();
    const Context ctx(toy.runtime);
    const auto all = [&] {
        return std::tuple(read_weights(ctx, run.context().network().parameters()),
                          read_weights(ctx, run.context().companion("average").network().parameters()),
                          run.context().read_state("sum"));
    };
    run.step();
    run.step();
    const auto before = all();
    run.step();
    CHECK(all() == before);
    run.step();
    CHECK(std::get<0>(all()) != std::get<0>(before));
    CHECK(std::get<1>(all()) != std::get<1>(before));
    CHECK(std::get<2>(all()) == std::vector<float>(4, 3.0F));
}

TEST_CASE("a loss that stays above its limit ends the run") {
    Toy toy;
    toy.training.divergence_above = 0.0;
    toy.training.divergence_steps = 5;
    SketchMethod method;
    method.on_loss = plain_cross_entropy;
    Watch watch;
    CHECK(id_of([&] { Trainer(toy.training, {Toy::stage()}, method, watch).run(); }) == "E0902");
}

TEST_CASE("weights after training are the same for any number of loader threads") {
    std::vector<Weights> results;
    for (const std::int64_t threads : {0, 1, 3}) {
        Toy toy;
        toy.training.loader_threads = threads;
        SketchMethod method;
        method.on_loss = plain_cross_entropy;
        Watch watch;
        Trainer trainer(toy.training, {Toy::stage()}, method, watch);
        trainer.run();
        results.push_back(trainer.result("train").weights);
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
}

TEST_CASE("a stage trains its first steps only where that is asked for") {
    Toy toy;
    SketchMethod method;
    method.on_loss = plain_cross_entropy;
    Stage stage = Toy::stage("train", 5);
    stage.steps = 8;  // of 6 an epoch
    StageRun run(toy.training, stage, method, nothing_before);
    CHECK(run.epochs() == 2);
    int steps = 0;
    while (!run.is_done()) {
        run.begin_epoch();
        for (; !run.is_epoch_done(); ++steps) run.step();
        run.end_epoch();
    }
    CHECK(steps == 8);
}

TEST_CASE("evaluation does not depend on the batch size") {  // invariant 19
    Toy toy;
    toy_teacher(toy);
    SketchMethod method;
    StageRun run(toy.training, Toy::stage(), method, nothing_before);
    const Metrics ten = run.evaluate("test").metrics;
    toy.training.eval_batch = 7;
    const Metrics seven = run.evaluate("test").metrics;
    CHECK(ten.confusion == seven.confusion);
    CHECK(ten.loss == doctest::Approx(seven.loss).epsilon(1e-6));
}

TEST_CASE("the trainer names no method, no head and no sampler") {
    for (const char* file : {"trainer.cpp", "trainer.h", "stage_run.cpp", "stage_run.h", "stage_state.cpp", "step.h"}) {
        const std::string text =
            bkd_test::TemporaryFolder::text(std::filesystem::path(BKD_SOURCE_DIR) / "train" / file);
        for (const char* word : {"bkd_loss", "mixup.alpha", "Bkd", "KnowledgeDistillation", "ClassBalanced", "\"kd\"",
                                 "\"ce\"", "\"cb\"", "ByClass", "ByImage", "cosine", "\"linear\"", "\"student\""}) {
            CAPTURE(file);
            CAPTURE(word);
            CHECK(text.find(word) == std::string::npos);
        }
    }
}

}
