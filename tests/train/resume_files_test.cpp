// A run's folder in which files are another run's, damaged or gone: nothing is added to a stranger's file, nothing is
// trained on from it, and what can go on does, to the same bits.
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

#include <filesystem>

namespace bkd::test {
namespace {

namespace fs = std::filesystem;
using bkd_test::id_of;

// A signal that is seen when it is asked for the n-th time; `meanwhile` happens the first time.
RunOptions signal_at(int n, std::function<void()> meanwhile = {}) {
    RunOptions options;
    options.stop_signal = [left = std::make_shared<int>(n), meanwhile]() -> const char* {
        if (meanwhile && *left == 1) meanwhile();
        return --*left <= 0 ? "SIGTERM" : nullptr;
    };
    return options;
}

struct StoppedRun : ToyRun {
    // Stopped in the first epoch of the student.
    explicit StoppedRun(std::vector<std::string> overrides = {}) {
        train("bkd", "whole", overrides);
        const std::int64_t steps = Json::parse(bytes("whole/run.json"), "").at("step").integer();
        REQUIRE(train("bkd", "cut", overrides, signal_at(static_cast<int>(steps / 2 + 4))).state ==
                RunResult::State::stopped);
        lines.clear();
    }
    std::string student(const std::string& run) const { return bytes(run + "/models/student.last.safetensors"); }
    std::string resume_id() {
        return id_of([&] { resume("cut"); });
    }
    void write(const std::string& file, const std::string& text) const {
        write_file_atomically(path() / file, text, Overwrite::yes);
    }
    void copy(const std::string& from, const std::string& to) const { write(to, bytes(from)); }
};

}

TEST_CASE("resume: a teacher of another recipe, seed or stage is not taught by") {
    StoppedRun toy;
    toy.train("bkd", "seed2", {"run.seed=2"});
    const std::string teacher = "cut/models/teacher.last.safetensors", own = toy.bytes(teacher);
    for (const char* other : {"seed2/models/teacher.last.safetensors", "whole/models/student.last.safetensors"}) {
        CAPTURE(other);
        toy.copy(other, teacher);
        CHECK(toy.resume_id() == "E1005");
    }
    toy.write(teacher, own.substr(0, own.size() / 2));
    CHECK(toy.resume_id() == "E0410");
    fs::remove(toy.path() / teacher);
    CHECK(toy.resume_id() == "E0501");
    toy.write(teacher, own);
    CHECK(toy.resume("cut").state == RunResult::State::done);
    CHECK(toy.student("cut") == toy.student("whole"));
}

TEST_CASE("resume: the best model that a stage gives is its own") {
    const std::vector<std::string> overrides = {"teacher.checkpoint=best"};
    StoppedRun toy(overrides);
    toy.train("bkd", "seed2", {"teacher.checkpoint=best", "run.seed=2"});
    const std::int64_t epoch = Json::parse(toy.bytes("whole/run.json"), "").at("step").integer() / 4;
    REQUIRE(toy.train("bkd", "within", overrides, signal_at(static_cast<int>(epoch + 3))).state ==
            RunResult::State::stopped);  // in the second epoch of the teacher
    for (const std::string run : {"cut", "within"}) {
        CAPTURE(run);
        const std::string best = run + "/models/teacher.best.safetensors", own = toy.bytes(best);
        toy.copy("seed2/models/teacher.best.safetensors", best);
        CHECK(id_of([&] { toy.resume(run); }) == "E1005");
        fs::remove(toy.path() / best);
        CHECK(id_of([&] { toy.resume(run); }) == "E0501");
        toy.write(best, own);
        CHECK(toy.resume(run).state == RunResult::State::done);
        CHECK(toy.student(run) == toy.student("whole"));
    }
}

TEST_CASE("resume: nothing is added to another run's log or table, or to what is none") {
    StoppedRun toy;
    toy.train("bkd", "seed2", {"run.seed=2"});
    for (const std::string name : {"log.jsonl", "metrics.csv"}) {
        const std::string file = "cut/" + name, own = toy.bytes(file);
        for (const std::string& other :
             {toy.bytes("seed2/" + name), std::string("garbage\n"), std::string(3, '\0') + "\n", own + "garbage\n"}) {
            CAPTURE(other.substr(0, 40));
            toy.write(file, other);
            CHECK(toy.resume_id() == "E1005");
            CHECK(toy.bytes(file) == other);
        }
        toy.write(file, own);
    }
    CHECK(toy.resume("cut").state == RunResult::State::done);
    CHECK(toy.student("cut") == toy.student("whole"));
    CHECK(toy.bytes("cut/metrics.csv") == toy.bytes("whole/metrics.csv"));
}

TEST_CASE("resume: a log, table or folder that is gone is told and made anew") {
    StoppedRun toy;
    for (const char* name : {"log.jsonl", "metrics.csv", "eval"}) fs::remove_all(toy.path() / "cut" / name);
    CHECK(toy.resume("cut").state == RunResult::State::done);
    CHECK(toy.said("log.jsonl is gone: a new one begins here"));
    CHECK(toy.said("metrics.csv is gone: a new one begins here"));
    CHECK(toy.student("cut") == toy.student("whole"));
    CHECK(toy.bytes("cut/eval/student.last.test.json") == toy.bytes("whole/eval/student.last.test.json"));
    CHECK(toy.bytes("cut/metrics.csv").starts_with("stage,epoch,step,loss"));
}

TEST_CASE("resume: without its checkpoints a run does not begin again") {
    StoppedRun toy;
    const fs::path folder = toy.path() / "cut/checkpoints", aside = toy.path() / "aside";
    fs::rename(folder, aside);
    CHECK(toy.resume_id() == "E1005");
    fs::create_directory(folder);
    CHECK(toy.resume_id() == "E1005");
    fs::remove(folder);
    fs::rename(aside, folder);
    CHECK(toy.resume("cut").state == RunResult::State::done);
    CHECK(toy.student("cut") == toy.student("whole"));
}

TEST_CASE("resume: a checkpoint's name that is no file is left out") {
    StoppedRun toy;
    const fs::path folder = toy.path() / "cut/checkpoints";
    fs::create_symlink("nowhere", folder / "student-e0002-s0000900.ckpt");
    fs::create_symlink("student-e0002-s0000901.ckpt", folder / "student-e0002-s0000901.ckpt");
    fs::create_directory(folder / "student-e0002-s0000902.ckpt");
    CHECK(toy.resume("cut").state == RunResult::State::done);
    CHECK(toy.said("checkpoint student-e0002-s0000900.ckpt is damaged and left out: no such file"));
    CHECK(toy.student("cut") == toy.student("whole"));
}

TEST_CASE("a run whose files are removed while it is at work says so and keeps what follows") {
    StoppedRun toy;
    const fs::path run = toy.path() / "cut";
    const auto remove = [&] {
        for (const char* name : {"log.jsonl", "metrics.csv", "recipe.toml", "models/teacher.last.safetensors"})
            fs::remove(run / name);
    };
    const std::string recipe = toy.bytes("cut/recipe.toml");
    RunOptions options;
    options.should_stop = [&, is_first = true]() mutable {
        if (std::exchange(is_first, false)) remove();
        return false;
    };
    CHECK(toy.resume("cut", {}, options).state == RunResult::State::done);
    for (const char* name : {"log.jsonl", "metrics.csv"})
        CHECK(toy.said(std::string(name) + " was removed or replaced while the run was at work"));
    CHECK(toy.said("recipe.toml was removed while the run was at work: written again"));
    CHECK(toy.said("models/teacher.last.safetensors was removed while the run was at work"));
    CHECK(toy.student("cut") == toy.student("whole"));
    CHECK(toy.bytes("cut/log.jsonl").find("\"type\":\"end\"") != std::string::npos);
    CHECK(toy.bytes("cut/metrics.csv").starts_with("stage,epoch,step,loss"));
    CHECK(toy.bytes("cut/recipe.toml").starts_with("recipe = 1"));

    toy.lines.clear();
    CHECK(toy.resume("cut").state == RunResult::State::nothing_to_do);
    CHECK(toy.said("models/teacher.last.safetensors is gone"));
}

}
