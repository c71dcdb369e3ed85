// Checkpoints at other times than the ends of epochs, and runs that go on another way than they began.
#include "tests/train/toy_run.h"
#include "train/checkpoint_cadence.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

using bkd_test::id_of;

std::vector<std::string> files_in(const ToyRun& toy, const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(toy.path() / folder))
        if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
}

}

TEST_CASE("checkpoint.every is epochs, time, or both") {
    const auto is = [](const char* text, std::int64_t epochs, double seconds) {
        const CheckpointCadence cadence = parse_cadence(text, "here");
        return cadence.epochs == epochs && cadence.seconds == seconds;
    };
    CHECK(is("1 epoch", 1, 0));
    CHECK(is("5 epochs", 5, 0));
    CHECK(is("10 min", 0, 600));
    CHECK(is("2 epochs, 90 s", 2, 90));
    CHECK(is("1 h,1 epoch", 1, 3600));
    for (const char* text : {"", "epoch", "1", "0 epochs", "-1 min", "1.5 h", "1 day", "1 epoch 2", "1 min, 2 s",
                             "1 epoch,,1 s", "1 epoch, 2 epochs", "9999999 s", "10min"}) {
        CAPTURE(text);
        CHECK(id_of([&] { parse_cadence(text, "here"); }) == "E0304");
    }
    ToyRun toy;
    CHECK(id_of([&] { toy.train("ce", "run", {"checkpoint.every=often"}); }) == "E0304");
    CHECK_FALSE(std::filesystem::exists(toy.path() / "run"));
}

TEST_CASE(
    "checkpoints every two epochs: the last of a stage has one, and a run cut between two ends in the same bits") {
    ToyRun toy;
    const std::vector<std::string> settings{"train.epochs=5", "checkpoint.every=2 epochs", "checkpoint.keep_last=9"};
    REQUIRE(toy.train("ce", "whole", settings).state == RunResult::State::done);
    const std::vector<std::string> all = files_in(toy, "whole/checkpoints");
    REQUIRE(all.size() == 3);
    CHECK(all[0].find("e0002") != std::string::npos);
    CHECK(all[2].find("e0005") != std::string::npos);
    REQUIRE(toy.train("ce", "cut", settings, stop_after(3)).state == RunResult::State::stopped);
    CHECK(files_in(toy, "cut/checkpoints").size() == 1);
    REQUIRE(toy.resume("cut").state == RunResult::State::done);
    CHECK(toy.said("resumed from train-e0002"));
    for (const char* file : {"models/train.last.safetensors", "metrics.csv"})
        CHECK(toy.bytes("cut/" + std::string(file)) == toy.bytes("whole/" + std::string(file)));
    CHECK(comparable_log(toy, "cut") == comparable_log(toy, "whole"));
}

TEST_CASE("a wish for a checkpoint is met after the step, and the run goes on") {
    ToyRun toy;
    RunOptions options;
    options.wants_checkpoint = [asked = std::make_shared<int>(0)] { return ++*asked == 2; };
    REQUIRE(toy.train("ce", "run", {"checkpoint.keep_last=9"}, options).state == RunResult::State::done);
    const std::vector<std::string> all = files_in(toy, "run/checkpoints");
    CHECK(all.size() == 3);  // after step 2, and after each epoch
    CHECK(all.front().find("s0000002") != std::string::npos);
    CHECK(toy.said("checkpoint on request: checkpoints/"));
    REQUIRE(toy.train("ce", "plain").state == RunResult::State::done);
    CHECK(toy.bytes("run/models/train.last.safetensors") == toy.bytes("plain/models/train.last.safetensors"));
    CHECK(comparable_log(toy, "run") == comparable_log(toy, "plain"));
}

TEST_CASE("a run goes on from the checkpoint that is named, and later ones are set aside") {
    ToyRun toy;
    const std::vector<std::string> settings{"train.epochs=4", "checkpoint.keep_last=9"};
    REQUIRE(toy.train("ce", "whole", settings).state == RunResult::State::done);
    REQUIRE(toy.train("ce", "run", settings, stop_after(3)).state == RunResult::State::stopped);
    const std::vector<std::string> before = files_in(toy, "run/checkpoints");
    REQUIRE(before.size() == 3);
    RunOptions options;
    options.from = toy.path() / "run/checkpoints" / before[0];
    REQUIRE(toy.resume("run", {}, options).state == RunResult::State::done);
    CHECK(toy.said("2 checkpoints of later steps moved to checkpoints/aside-2"));
    CHECK(files_in(toy, "run/checkpoints/aside-2") == std::vector<std::string>{before[1], before[2]});
    CHECK(toy.bytes("run/models/train.last.safetensors") == toy.bytes("whole/models/train.last.safetensors"));
    const std::vector<std::string> whole = files_in(toy, "whole/checkpoints");  // finished, and taken up once more
    options.from = toy.path() / "whole/checkpoints" / whole[1];
    REQUIRE(toy.resume("whole", {}, options).state == RunResult::State::done);
    CHECK(files_in(toy, "whole/checkpoints/aside-2") == std::vector<std::string>{whole[2], whole[3]});
    CHECK(toy.bytes("run/models/train.last.safetensors") == toy.bytes("whole/models/train.last.safetensors"));
    options.from = toy.path() / "whole/checkpoints" / before[0];
    CHECK(id_of([&] { toy.resume("run", {"train.epochs=5"}, options); }) == "E1005");  // of another run
}

TEST_CASE("what decides results changes on resume only where it is allowed by name, and is recorded") {
    ToyRun toy;
    REQUIRE(toy.train("ce", "run", {"train.epochs=3"}, stop_after(1)).state == RunResult::State::stopped);
    const std::string change = "optim.weight_decay=0.01";
    CHECK(id_of([&] { toy.resume("run", {change}); }) == "E1005");
    RunOptions options;
    options.allowed_changes = {"optim.momentum"};
    CHECK(id_of([&] { toy.resume("run", {change}, options); }) == "E0208");
    options.allowed_changes = {"optim.moment"};
    CHECK(id_of([&] { toy.resume("run", {change}, options); }) == "E0201");
    options.allowed_changes = {"run.name"};
    CHECK(id_of([&] { toy.resume("run", {"run.name=other"}, options); }) == "E1005");
    options.allowed_changes = {"optim.weight_decay"};
    REQUIRE(toy.resume("run", {change}, options).state == RunResult::State::done);
    CHECK(toy.said("optim.weight_decay changed: the run is no longer one of its recipe"));
    CHECK(toy.bytes("run/log.jsonl").find(R"("changed":{"optim.weight_decay":[)") != std::string::npos);
    CHECK(toy.resume("run").state == RunResult::State::nothing_to_do);
    REQUIRE(toy.train("ce", "plain", {"train.epochs=3"}).state == RunResult::State::done);
    CHECK(toy.bytes("run/models/train.last.safetensors") != toy.bytes("plain/models/train.last.safetensors"));
}

}
