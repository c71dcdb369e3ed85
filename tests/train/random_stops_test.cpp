// Stopped after steps drawn at random and resumed, every method ends in the bits, the log and the table of a run that was
// not stopped: a few stops in every run of the tests, twenty a method in the suite "long".
#include "engine/rng.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

// Stops the run after its n-th step or end of an epoch, then as often as it is resumed, until it is done.
void check_stops(const std::string& method, int stops, std::uint64_t seed) {
    CAPTURE(method);
    ToyRun toy;
    const std::vector<std::string> settings{"train.epochs=3"};
    REQUIRE(toy.train(method, "whole", settings).state == RunResult::State::done);
    int asked = 0;
    {
        RunOptions options;
        options.stop_signal = [&]() -> const char* { return ++asked, nullptr; };
        toy.train(method, "counted", settings, options);
    }
    const PhiloxKey key = philox_key(seed, method);
    for (int i = 0; i < stops; ++i) {
        const auto draw = philox_draw(key, static_cast<std::uint64_t>(i));
        const int first = 1 + static_cast<int>(draw[0] % static_cast<std::uint32_t>(asked)),
                  then = 1 + static_cast<int>(draw[1] % static_cast<std::uint32_t>(asked));
        CAPTURE(first);
        CAPTURE(then);
        const std::string name = "cut" + std::to_string(i);
        const auto signal_at = [](int n) {
            RunOptions options;
            options.stop_signal = [left = std::make_shared<int>(n)]() -> const char* {
                return --*left <= 0 ? "SIGTERM" : nullptr;
            };
            return options;
        };
        toy.train(method, name, settings, signal_at(first));
        toy.resume(name, {}, signal_at(then));
        toy.resume(name);
        for (const auto& entry : std::filesystem::directory_iterator(toy.path() / "whole/models")) {
            const std::string file = "/models/" + entry.path().filename().string();
            CAPTURE(file);
            CHECK(toy.bytes("whole" + file) == toy.bytes(name + file));
        }
        CHECK(toy.bytes("whole/metrics.csv") == toy.bytes(name + "/metrics.csv"));
        CHECK(comparable_log(toy, "whole") == comparable_log(toy, name));
    }
}

constexpr const char* methods[] = {"ce", "kd", "mixup", "cb", "bkd", "balanced_softmax"};

}

TEST_CASE("stopped twice anywhere and resumed, each method ends as one that was not stopped") {
    for (const char* method : methods) check_stops(method, 2, 1);
}

TEST_SUITE("long" * doctest::skip()) {
    TEST_CASE("stopped twice anywhere and resumed, twenty times a method") {
        for (const char* method : methods) check_stops(method, 20, 2);
    }
}

}
