// Runs that are stopped, killed or damaged go on to the same bits as one that was not.
#include "engine/sha256.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

#include <fstream>

namespace bkd::test {
namespace {

using bkd_test::id_of;

const char* const models[] = {"models/teacher.last.safetensors", "models/student.last.safetensors",
                              "models/student.best.safetensors", "metrics.csv",
                              "eval/teacher.last.test.json",     "eval/student.last.test.json",
                              "eval/student.best.test.json"};

void check_same_results(const ToyRun& toy, const std::string& a, const std::string& b) {
    for (const char* file : models) {
        CAPTURE(file);
        CHECK(toy.bytes(a + "/" + file) == toy.bytes(b + "/" + file));
    }
}

struct Killed : std::runtime_error {
    Killed() : std::runtime_error("killed") {}
};

// Ends the process, as far as a test can, at the first write to the n-th checkpoint: nothing is written after it.
FileSystem killed_in_checkpoint(int n) {
    FileSystem system;
    auto files = std::make_shared<int>(0);
    auto fd_of_checkpoint = std::make_shared<int>(-1);
    auto is_dead = std::make_shared<bool>(false);
    system.open = [inner = system.open, files, fd_of_checkpoint](int directory, const char* path, int flags,
                                                                 mode_t mode) {
        const int fd = inner(directory, path, flags, mode);
        if (std::string_view(path).find(".ckpt") != std::string_view::npos && ++*files >= 1) *fd_of_checkpoint = fd;
        return fd;
    };
    system.write = [inner = system.write, files, fd_of_checkpoint, is_dead, n](int fd, const void* bytes,
                                                                               std::size_t size) {
        if (*is_dead) throw Killed();
        if (fd == *fd_of_checkpoint && *files == n) {
            inner(fd, bytes, size / 2);
            *is_dead = true;
            throw Killed();
        }
        return inner(fd, bytes, size);
    };
    return system;
}

void check_same_log(const ToyRun& toy, const std::string& a, const std::string& b) {
    const std::vector<std::string> first = comparable_log(toy, a), second = comparable_log(toy, b);
    CHECK(first.size() == second.size());
    for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) CHECK(first[i] == second[i]);
}

}

TEST_CASE("a run stopped after any epoch and resumed ends with the same SHA-256 as an uninterrupted one") {
    ToyRun toy;
    REQUIRE(toy.train("bkd", "whole").state == RunResult::State::done);
    for (const int epochs : {1, 2, 3}) {
        CAPTURE(epochs);
        const std::string name = "cut" + std::to_string(epochs);
        REQUIRE(toy.train("bkd", name, {}, stop_after(epochs)).state == RunResult::State::stopped);
        CHECK_FALSE(std::filesystem::exists(toy.path() / name / models[1]));
        REQUIRE(toy.resume(name).state == RunResult::State::done);
        check_same_results(toy, "whole", name);
        check_same_log(toy, "whole", name);
    }
    CHECK(toy.resume("whole").state == RunResult::State::nothing_to_do);
}

TEST_CASE("a run killed while a checkpoint is written finds a whole one and ends with the same bits") {
    ToyRun toy;
    toy.train("bkd", "whole");
    for (const int n : {1, 2, 3, 4}) {
        CAPTURE(n);
        RunOptions options;
        options.system = killed_in_checkpoint(n);
        const std::string name = "killed" + std::to_string(n);
        CHECK_THROWS_AS(toy.train("bkd", name, {}, options), Killed);
        REQUIRE(toy.resume(name).state == RunResult::State::done);
        check_same_results(toy, "whole", name);
        check_same_log(toy, "whole", name);
    }
}

TEST_CASE("a truncated checkpoint is left out with a warning, and the one before it serves") {
    ToyRun toy;
    toy.train("bkd", "whole");
    toy.train("bkd", "cut", {}, stop_after(3));
    const auto newest = checkpoints(toy, "cut").back();
    CHECK(newest.filename().string().starts_with("student-e0001-s"));
    std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
    REQUIRE(toy.resume("cut").state == RunResult::State::done);
    CHECK(toy.said(newest.filename().string() + " is damaged"));
    check_same_results(toy, "whole", "cut");
}

TEST_CASE("one changed byte in a checkpoint is noticed") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    const auto path = checkpoints(toy, "run").back();
    std::string bytes = bkd_test::TemporaryFolder::text(path);
    bytes[bytes.size() - 9] = static_cast<char>(bytes[bytes.size() - 9] ^ 1);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    CHECK(id_of([&] { read_checkpoint(path); }) == "E0421");
}

TEST_CASE("the two newest checkpoints are kept, and every n-th on request") {
    ToyRun toy;
    toy.train("ce", "few", {"train.epochs=5"});
    CHECK(checkpoints(toy, "few").size() == 2);
    CHECK(checkpoints(toy, "few").back().filename().string().starts_with("train-e0005-s"));
    toy.train("ce", "more", {"train.epochs=5", "checkpoint.keep_last=1", "checkpoint.keep_every=2"});
    CHECK(checkpoints(toy, "more").size() == 3);
}

TEST_CASE("a run folder that exists is refused, and one that is none cannot be resumed") {
    ToyRun toy;
    toy.train("ce", "taken", {"train.epochs=1"});
    CHECK(id_of([&] { toy.train("ce", "taken"); }) == "E1001");
    CHECK(id_of([&] { toy.resume("nothing"); }) == "E1004");
}

TEST_CASE("what decides results cannot change on resume, what does not can") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    CHECK(id_of([&] { toy.resume("run", {"optim.lr=0.01"}); }) == "E1005");
    CHECK(id_of([&] { toy.resume("run", {"train.epochs=1"}); }) == "E1005");
    CHECK(toy.resume("run", {"log.every=2"}).state == RunResult::State::done);
}

TEST_CASE("the log of a run holds one JSON object a line, from the run's start to its end") {
    ToyRun toy;
    toy.train("bkd", "run");
    const std::string text = toy.bytes("run/log.jsonl");
    std::map<std::string, int> types;
    std::size_t at = 0;
    std::string first, last;
    for (std::size_t end = text.find('\n'); end != std::string::npos; at = end + 1, end = text.find('\n', at)) {
        const Json line = Json::parse(std::string_view(text).substr(at, end - at), "log");
        last = line.at("type").text();
        if (first.empty()) first = last;
        ++types[last];
        if (last == "step" && line.at("stage").text() == "student") CHECK(line.at("parts").find("kd") != nullptr);
    }
    CHECK(first == "run");
    CHECK(last == "end");
    CHECK(types["stage"] == 2);
    CHECK(types["epoch"] == 4);
    CHECK(types["eval"] == 4);
    CHECK(types["checkpoint"] == 4);
    CHECK(types["step"] > 4);
}

}
