// cRT: stage I trains everything; stage II starts the trunk from it and the head anew, trains the head alone on batches
// that are balanced by class, four of a class at a time. All of it is data of the stages.
#include "tests/train/sketch_network.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

namespace bkd::test {
namespace {

struct Counted : LaunchObserver {
    std::map<std::string, int> launches;
    void after(const Launch& launch) override { ++launches[launch.op]; }
};

struct Crt : SketchMethod {
    std::vector<std::vector<double>> labels;  // of stage II's steps

    explicit Crt(BatchNormMode mode) {
        Stage one = Toy::stage("I", 2), two = Toy::stage("II", 1);
        two.start = {{.from = "I"}, {.from = fresh, .take = "linear.*"}};
        two.train = {{.take = "linear.*"}};
        two.batch_norm = {{"*", mode}};
        two.feeds = {{.sampler = {.rule = ByClass{.classes = Take::cycle, .samples = Take::cycle, .in_a_row = 4}}}};
        two.last_batch = LastBatch::drop;
        two.schedule = Schedule{.kind = Schedule::Kind::cosine, .base = 0.2};
        list = {one, two};
        on_loss = [this](Step& s) {
            const Batch batch = s.batch();
            if (s.stage().name == "II") labels.push_back(s.ctx.download(batch.targets.labels));
            return cross_entropy(s.ctx, s.network(batch.images), batch.targets);
        };
    }
};

// "conv2d_forward 7, sgd_step 1": what each step of this stage launches on the plan device.
std::string launches_of_a_step(const std::string& stage, BatchNormMode mode) {
    Toy toy("plan");
    Crt method(mode);
    method.on_loss = plain_cross_entropy;
    const StageResult first = StageRun(toy.training, method.list[0], method, nothing_before).result();
    StageRun run(toy.training, method.list[stage == "II"], method,
                 [&](const std::string&) -> const StageResult& { return first; });
    run.begin();
    run.begin_epoch();
    std::string text;
    for (int step = 0; step < 3; ++step) {
        Counted counted;
        toy.runtime.stream->observer = &counted;
        run.step();
        toy.runtime.stream->observer = nullptr;
        std::string words;
        for (const auto& [op, n] : counted.launches) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", op, n);
        CHECK((text.empty() || words == text));
        text = words;
    }
    return text;
}

}

TEST_CASE("cRT's second stage leaves the trunk's weights alone, and its statistics as the stage says") {
    for (const BatchNormMode mode : {BatchNormMode::batch, BatchNormMode::running}) {
        CAPTURE(static_cast<int>(mode));
        Toy toy;
        Crt method(mode);
        Watch watch;
        Trainer trainer(toy.training, method.list, method, watch);
        REQUIRE(trainer.run());
        const Weights &one = trainer.result("I").weights, &two = trainer.result("II").weights;
        bool statistics_moved = false;
        for (const auto& [name, weight] : one) {
            CAPTURE(name);
            if (name.find("running") != std::string::npos)
                statistics_moved = statistics_moved || !(weight == two.at(name));
            else if (!name.starts_with("linear"))
                CHECK(weight == two.at(name));
            else
                CHECK_FALSE(weight == two.at(name));
        }
        CHECK(statistics_moved == (mode == BatchNormMode::batch));
        REQUIRE_FALSE(method.labels.empty());
        for (const auto& step : method.labels) {
            std::map<double, int> count;
            for (const double label : step) ++count[label];
            for (const auto& [label, n] : count) CHECK(n % 4 == 0);
        }
    }
}

TEST_CASE("cRT's frozen trunk runs no backward kernel") {
    Toy toy("reference");
    Counted counted;
    Crt method(BatchNormMode::batch);
    Watch watch;
    watch.at_start = [&](StageRun& run) {
        if (run.stage().name == "II") toy.runtime.stream->observer = &counted;
    };
    Trainer trainer(toy.training, method.list, method, watch);
    REQUIRE(trainer.run());
    toy.runtime.stream->observer = nullptr;
    int forward = 0;
    for (const auto& [op, n] : counted.launches) {
        CAPTURE(op);
        const bool is_backward = op.find("backward") != std::string::npos;
        if (op.find("conv") != std::string::npos || op.find("norm") != std::string::npos) CHECK_FALSE(is_backward);
        if (op.find("conv") != std::string::npos) forward += n;
    }
    CHECK(forward > 0);
    CHECK(counted.launches.at("sgd_step") == 5);  // floor(44 / 8) steps
}

TEST_CASE("a step of cRT's second stage launches, on the plan, the trunk forwards and the head both ways, no more") {
    // ResNet-8: 7 convolutions with batch norm, 2 shortcuts. gemm and column_sum: the head's product, its weight's and
    // its bias's gradient; count_nonfinite looks at the gradients, put at the loss, which it keeps.
    const std::string forward =
        "conv2d_forward 7, count_nonfinite 1, cross_entropy 1, gemm 2, global_avg_pool_forward 1, "
        "load_images 1, put 1, sgd_step 1, shortcut_a_forward 2";
    CHECK(launches_of_a_step("II", BatchNormMode::batch) == "batch_norm_forward 7, column_sum 1, " + forward);
    CHECK(launches_of_a_step("II", BatchNormMode::running) == "batch_norm_inference 7, column_sum 1, " + forward);
    CHECK(launches_of_a_step("I", BatchNormMode::batch) ==
          "batch_norm_backward 7, batch_norm_forward 7, column_sum 1, conv2d_backward 7, conv2d_forward 7, "
          "count_nonfinite 1, cross_entropy 1, gemm 3, global_avg_pool_backward 1, "
          "global_avg_pool_forward 1, load_images 1, put 1, sgd_step 1, shortcut_a_backward 2, "
          "shortcut_a_forward 2");
}

TEST_CASE("a stage draws its first weights from its own name") {
    Toy toy;
    Crt method(BatchNormMode::running);
    Weights starts[2];
    Watch watch;
    watch.at_start = [&](StageRun& run) { starts[run.stage().name == "II"] = run.result().weights; };
    Trainer(toy.training, method.list, method, watch).run();
    CHECK_FALSE(starts[0].at("linear.weight") == starts[1].at("linear.weight"));
}

}
