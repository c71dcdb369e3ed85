// What a run refuses before it starts, who may write to its folder, and what run.json says when it ends otherwise than
// in order.
#include "tests/train/toy_run.h"
#include "train/resume_check.h"
#include "train/weights.h"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace bkd::test {
namespace {

using bkd_test::id_of;

bool is_there(const ToyRun& toy, const std::string& name) { return std::filesystem::exists(toy.path() / name); }

Json facts(const ToyRun& toy, const std::string& run) { return Json::parse(toy.bytes(run + "/run.json"), "run.json"); }

std::filesystem::path newest_checkpoint(const ToyRun& toy, const std::string& run) {
    return checkpoints(toy, run).back();
}

// The newest checkpoint of a run, changed and written back whole.
void change_checkpoint(const ToyRun& toy, const std::string& run, const std::function<void(Checkpoint&)>& change) {
    const std::filesystem::path path = newest_checkpoint(toy, run);
    Checkpoint checkpoint = read_checkpoint(path);
    change(checkpoint);
    write_file_atomically(path, checkpoint_bytes(checkpoint), Overwrite::yes);
}

// A signal that is seen when it is asked for the n-th time: after a step, or after an epoch's end.
RunOptions signal_at(int n) {
    RunOptions options;
    options.stop_signal = [left = std::make_shared<int>(n)]() -> const char* {
        return --*left <= 0 ? "SIGTERM" : nullptr;
    };
    return options;
}

const char* const step_schedule = "schedule.kind=step";

}

TEST_CASE("a run stopped by a signal after any step goes on to the same bits, log and table") {
    ToyRun toy;
    REQUIRE(toy.train("bkd", "whole").state == RunResult::State::done);
    const int epoch = static_cast<int>(facts(toy, "whole").at("step").integer()) / 4;  // steps
    for (const int n : {1, 4, epoch, epoch + 1, 2 * epoch + 1, 3 * epoch + 1}) {
        CAPTURE(n);
        const std::string name = "cut" + std::to_string(n);
        REQUIRE(toy.train("bkd", name, {}, signal_at(n)).state == RunResult::State::stopped);
        CHECK(facts(toy, name).at("state").text() == "stopped");
        CHECK(facts(toy, name).at("step").integer() == n - n / (epoch + 1));
        CHECK(toy.said("stopped by SIGTERM"));
        CHECK(toy.said("bkd train --resume " + (toy.path() / name).string()));
        REQUIRE(toy.resume(name).state == RunResult::State::done);
        CHECK(facts(toy, name).at("state").text() == "done");
        for (const char* file : {"models/teacher.last.safetensors", "models/student.last.safetensors", "metrics.csv"})
            CHECK(toy.bytes("whole/" + std::string(file)) == toy.bytes(name + "/" + file));
        CHECK(comparable_log(toy, "whole") == comparable_log(toy, name));
    }
}

TEST_CASE("two processes cannot work on one run: the second is told who holds it") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    const std::string before = toy.bytes("run/log.jsonl");
    {
        const RunFolder held = RunFolder::open(toy.path() / "run", {});
        const std::string said = message_of([&] { toy.resume("run"); });
        CAPTURE(said);
        CHECK(said.find("error[E1002]: run " + (toy.path() / "run").string() + " is in use by process " +
                        std::to_string(getpid()) + " on ") == 0);
        CHECK(said.find(" UTC (heartbeat 0 s ago)\n") != std::string::npos);
        CHECK(said.find("try: wait, or stop that process") != std::string::npos);
    }
    CHECK(toy.bytes("run/log.jsonl") == before);
    CHECK(toy.resume("run").state == RunResult::State::done);
}

TEST_CASE("the lock of a process that was killed is taken over at once, with a warning") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    const pid_t child = fork();
    if (child == 0) {
        const RunFolder held = RunFolder::open(toy.path() / "run", {});
        _exit(0);  // without destructors
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(toy.bytes("run/lock").find(" " + std::to_string(child) + " ") != std::string::npos);
    CHECK(toy.resume("run").state == RunResult::State::done);
    CHECK(toy.said("the run's lock is taken over from process " + std::to_string(child)));
    CHECK(toy.bytes("run/lock").empty());
}

TEST_CASE("a lock of another machine holds for a minute after its last heartbeat") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    const auto write_lock = [&](std::int64_t seconds_ago) {
        const std::int64_t now =
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
                .count();
        std::ofstream(toy.path() / "run/lock")
            << fmt::format("node7 41233 1 other-boot {} {}\n", now - seconds_ago, now - 1000);
    };
    write_lock(20);
    CHECK(message_of([&] { toy.resume("run"); }).find("process 41233 on node7 since ") != std::string::npos);
    write_lock(90);
    CHECK(toy.resume("run").state == RunResult::State::done);
}

TEST_CASE("a process whose run was taken over stops when its next heartbeat is due, and leaves the lock alone") {
    const bkd_test::TemporaryFolder folder;
    {
        RunLock slept(folder.path(), {});
        slept.keep(std::chrono::seconds(0));
        folder.write("lock", "node7 41233 1 other-boot 1 1\n");
        slept.keep();  // the last heartbeat is less than ten seconds old
        const std::string said = message_of([&] { slept.keep(std::chrono::seconds(0)); });
        CHECK(said.find("E1003]: run " + folder.path().string() + " was taken over by process 41233 on node7\n") !=
              std::string::npos);
        CHECK(id_of([&] { slept.keep(); }) == "E1003");
    }
    CHECK(bkd_test::TemporaryFolder::text(folder / "lock").starts_with("node7"));
}

TEST_CASE("a process whose lock was removed or replaced stops at once, before another can write to its run") {
    const bkd_test::TemporaryFolder folder;
    RunLock held(folder.path(), {});
    held.keep();
    std::filesystem::remove(folder / "lock");
    const std::string said = message_of([&] { held.keep(); });
    CAPTURE(said);
    CHECK(said.starts_with("error[E1003]: the lock of run " + folder.path().string() + " was removed or replaced\n"));
    RunLock second(folder.path(), {});
    CHECK(id_of([&] { held.keep(); }) == "E1003");
    CHECK_NOTHROW(second.keep());
}

TEST_CASE("a run whose checkpoints are all damaged, or gone, is refused") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    for (const auto& path : checkpoints(toy, "run"))
        std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    const std::string said = message_of([&] { toy.resume("run"); });
    CAPTURE(said);
    CHECK(said.starts_with("error[E1005]: every checkpoint of run " + (toy.path() / "run").string() + " is damaged\n"));
    for (const auto& path : checkpoints(toy, "run")) std::filesystem::remove(path);
    CHECK(id_of([&] { toy.resume("run"); }) == "E1005");
}

TEST_CASE("what can be refused is refused before the run has a folder") {
    ToyRun toy;
    toy.train("ce", "other", {"data.imbalance_ratio=3", "train.epochs=1"});
    const std::string other = (toy.path() / "other/models/train.last.safetensors").string();
    struct Row {
        std::vector<std::string> overrides;
        const char* said;
    };
    const Row rows[] = {
        {{"teacher.file=/nowhere.safetensors"}, "error[E0501]: no such file: /nowhere.safetensors"},
        {{"teacher.file=" + other}, "error[E0305]: teacher was trained on another cut of the data"},
        {{"stages.student.init_from=./nowhere.safetensors"}, "error[E0501]: no such file: ./nowhere.safetensors"},
        {{"stages.student.freeze=[\"layer9\"]"}, "error[E0305]: train rule \"layer9*\" matches nothing"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.overrides.front());
        const std::string said = message_of([&] { toy.train("bkd", "run", row.overrides); });
        CAPTURE(said);
        CHECK(said.starts_with(row.said));
        CHECK_FALSE(is_there(toy, "run"));
    }
    CHECK(toy.train("bkd", "run").state == RunResult::State::done);
}

TEST_CASE("a folder that could not be filled is gone again, and its name is free") {
    ToyRun toy;
    RunOptions options;
    options.system.rename = [inner = options.system.rename](int directory, const char* from, const char* to) {
        errno = ENOSPC;
        return std::string_view(to) == "run.json" ? -1 : inner(directory, from, to);
    };
    CHECK(id_of([&] { toy.train("ce", "run", {}, options); }) == "E0602");
    CHECK_FALSE(is_there(toy, "run"));
}

TEST_CASE("a checkpoint of another run, seed or order of stages is refused") {
    ToyRun toy;
    toy.train("bkd", "run", {}, stop_after(3));
    toy.train("bkd", "other", {}, stop_after(3));
    const std::string own = bkd_test::TemporaryFolder::text(newest_checkpoint(toy, "run"));
    const auto refused = [&](const std::function<void(Checkpoint&)>& change) {
        change_checkpoint(toy, "run", change);
        const std::string said = message_of([&] { toy.resume("run"); });
        write_file_atomically(newest_checkpoint(toy, "run"), own, Overwrite::yes);
        return said;
    };
    CHECK(refused([&](Checkpoint& c) { c.run = facts(toy, "other").at("id").text(); }).find("E1005]: checkpoint ") !=
          std::string::npos);
    CHECK(refused([](Checkpoint& c) { c.seed = 7; }).find("is of seed 7, this run has 1") != std::string::npos);
    CHECK(refused([](Checkpoint& c) { c.stage_index = 0; })
              .find("stage student as number 1, in this run that is teach"
                    "er") != std::string::npos);
    CHECK(refused([](Checkpoint& c) { c.stage_index = 2; }).find("stage number 3, this run has 2 stages") !=
          std::string::npos);
    CHECK(refused([](Checkpoint& c) { c.stage_index = -1; }).find("E1005") != std::string::npos);
    CHECK(refused([](Checkpoint& c) { c.steps_done += 1000; }).find("E1005") != std::string::npos);
    CHECK(toy.resume("run").state == RunResult::State::done);
}

TEST_CASE("a finished run takes more epochs, to the bits of a run that had them from the start") {
    ToyRun toy;
    toy.train("ce", "long", {step_schedule, "train.epochs=3"});
    toy.train("ce", "run", {step_schedule});
    CHECK(toy.resume("run", {"train.epochs=3"}).state == RunResult::State::done);
    CHECK(toy.bytes("run/models/train.last.safetensors").size() > 0);
    CHECK(read_stage_result(toy.path() / "run/models/train.last.safetensors", nullptr, {}).weights ==
          read_stage_result(toy.path() / "long/models/train.last.safetensors", nullptr, {}).weights);
    CHECK(toy.resume("run").state == RunResult::State::nothing_to_do);
}

TEST_CASE("more epochs are refused where the learning rates of those done depended on their number") {
    ToyRun toy;
    for (const char* kind : {"cosine", "cosine_step"}) {
        const std::string name = kind;
        toy.train("ce", name, {"schedule.kind=" + name}, stop_after(1));
        const std::string said = message_of([&] { toy.resume(name, {"train.epochs=3"}); });
        CAPTURE(said);
        CHECK(said.starts_with("error[E1005]: stage train cannot have 3 epochs on resume: it had 2\n"));
        CHECK(said.find("why: a cosine schedule depends on the number of epochs") != std::string::npos);
        CHECK(toy.resume(name).state == RunResult::State::done);
    }
}

TEST_CASE("a stage that is finished takes no more epochs once a later one has started from it") {
    ToyRun toy;
    toy.train("bkd", "run", {step_schedule}, stop_after(3));
    CHECK(message_of([&] { toy.resume("run", {"train.epochs=3"}); }).find("try: stages.student.epochs=3") !=
          std::string::npos);
    CHECK(toy.resume("run", {"stages.student.epochs=3"}).state == RunResult::State::done);
    CHECK(is_there(toy, "run/models/student.last.safetensors"));
}

TEST_CASE("after an error of whatever kind run.json says failed, with the error, until the run goes on") {
    ToyRun toy;
    RunOptions options;
    options.system.rename = [inner = options.system.rename](int directory, const char* from, const char* to) {
        if (std::string_view(to).find("-e0002-") != std::string_view::npos) throw std::logic_error("a slip of ours");
        return inner(directory, from, to);
    };
    CHECK_THROWS_AS(toy.train("ce", "run", {}, options), std::logic_error);
    CHECK(facts(toy, "run").at("state").text() == "failed");
    CHECK(facts(toy, "run").at("error").at("id").text() == "E7000");
    CHECK(facts(toy, "run").at("error").at("what").text() == "a slip of ours");
    CHECK(toy.resume("run").state == RunResult::State::done);
    CHECK(facts(toy, "run").at("state").text() == "done");
    CHECK(facts(toy, "run").find("error") == nullptr);
}

TEST_CASE("a run whose recipe was being changed when its process ended can still be taken up") {
    ToyRun toy;
    toy.train("ce", "run", {step_schedule});
    RunOptions options;  // ends after the new recipe, before run.json has its hash
    options.system.rename = [inner = options.system.rename, names = std::make_shared<int>(0)](
                                int directory, const char* from, const char* to) {
        if (std::string_view(to) == "run.json" && ++*names >= 2) throw std::runtime_error("killed");
        return inner(directory, from, to);
    };
    CHECK_THROWS_WITH(toy.resume("run", {"train.epochs=3"}, options), "killed");
    CHECK(toy.resume("run").state == RunResult::State::done);
    CHECK(facts(toy, "run").at("results").elements()[0].at("epochs").integer() == 3);
}

TEST_CASE("run.deterministic = strict gives the same bits for any number of threads, and run for the same number") {
    ToyRun toy;
    int runs = 0;
    const auto weights = [&](const char* level, int threads) {
        const std::string name = fmt::format("run{}", ++runs);
        RunOptions options;
        options.threads = threads;
        toy.train("bkd", name, {fmt::format("run.deterministic={}", level)}, options);
        return read_stage_result(toy.path() / name / "models/student.last.safetensors", nullptr, {}).weights;
    };
    const Weights strict = weights("strict", 1);
    CHECK(weights("strict", 2) == strict);
    CHECK(weights("strict", 3) == strict);
    CHECK(weights("run", 1) == strict);
    CHECK(weights("run", 2) == weights("run", 2));
}

TEST_CASE("a full disk ends a run with the command that goes on, and no result is lost") {
    ToyRun toy;
    REQUIRE(toy.train("bkd", "whole").state == RunResult::State::done);
    RunOptions options;
    options.system.rename = [inner = options.system.rename](int directory, const char* from, const char* to) {
        errno = ENOSPC;
        return std::string_view(to).starts_with("student-e0001") ? -1 : inner(directory, from, to);
    };
    const std::string said = message_of([&] { toy.train("bkd", "full", {}, options); });
    CAPTURE(said);
    CHECK(said.find("E0602") != std::string::npos);
    CHECK(said.find("try: free space, then bkd train --resume " + (toy.path() / "full").string()) != std::string::npos);
    CHECK(toy.resume("full").state == RunResult::State::done);
    for (const char* model : {"/models/teacher.last.safetensors", "/models/student.last.safetensors"})
        CHECK(toy.bytes(std::string("whole") + model) == toy.bytes(std::string("full") + model));
}

TEST_CASE("a run taken up on another device says so, and one of another schema is refused") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    Json there = facts(toy, "run");
    const auto write = [&](const char* key, const char* value) {
        there.set(key, value);
        write_file_atomically(toy.path() / "run/run.json", there.dump(), Overwrite::yes);
    };
    write("device", "cpu: another processor");
    REQUIRE(toy.resume("run").state == RunResult::State::done);
    CHECK(toy.said("warning: the run began on cpu: another processor; on cpu: "));
    write("schema", "bkd.run/9");
    CHECK(id_of([&] { toy.resume("run"); }) == "E1006");
}

}
