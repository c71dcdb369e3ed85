// A log that lost its end, its beginning or lines in between, against what the run's other files say.
#include "train/log_check.h"
#include "tests/contains.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <fstream>

namespace bkd::test {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& text) {
    Lines lines;
    for (std::size_t at = 0, end = text.find('\n'); end != std::string::npos; at = end + 1, end = text.find('\n', at))
        lines.push_back(text.substr(at, end - at));
    return lines;
}

bool is_epoch(const std::string& line, const char* type, int epoch, const char* stage = "train") {
    return contains(line, fmt::format("\"type\":\"{}\",\"stage\":\"{}\"", type, stage)) &&
           contains(line, fmt::format("\"epoch\":{},", epoch));
}

// A run of four epochs of nine steps, log.every 3, whose log is written anew with some lines left out.
class CutRun {
public:
    explicit CutRun(const std::string& method = "ce") {
        toy.train(method, "run", {"train.epochs=4"});
        whole = lines_of(toy.bytes("run/log.jsonl"));
    }
    RunRecord without(const std::function<bool(const std::string&)>& is_lost, const std::string& more = {}) const {
        std::string text;
        for (const std::string& line : whole)
            if (!is_lost(line)) text += line + "\n";
        std::ofstream(toy.path() / "run/log.jsonl", std::ios::binary) << text << more;
        return read_run_record(toy.path() / "run");
    }
    // The lines before the first that is so.
    RunRecord up_to(const std::function<bool(const std::string&)>& is_end, const std::string& more = {}) const {
        bool has_ended = false;
        return without([&](const std::string& line) { return has_ended = has_ended || is_end(line); }, more);
    }
    void set_facts(std::initializer_list<Json::Member> members) const {
        Json facts = Json::parse(toy.bytes("run/run.json"), "run.json");
        for (const auto& [key, value] : members) facts.set(key, value);
        std::ofstream(toy.path() / "run/run.json", std::ios::binary) << facts.dump() << "\n";
    }
    ToyRun toy;
    Lines whole;
};

bool no_line(const std::string&) { return false; }

// A signal that is seen after so many steps and ends of epochs.
RunOptions signal_at(int n) {
    RunOptions options;
    options.stop_signal = [left = std::make_shared<int>(n)]() -> const char* {
        return --*left <= 0 ? "SIGTERM" : nullptr;
    };
    return options;
}

}

TEST_CASE("whole logs have no damage: finished, stopped, resumed, and resumed with other cadences") {
    ToyRun toy;
    toy.train("bkd", "run");
    CHECK(read_run_record(toy.path() / "run").damage.missing.empty());
    toy.train("bkd", "cut", {"eval.every=2", "train.epochs=5"}, stop_after(3));
    CHECK(read_run_record(toy.path() / "cut").damage.missing.empty());
    toy.resume("cut", {"log.every=5", "eval.every=5"}, stop_after(3));
    CHECK(read_run_record(toy.path() / "cut").damage.missing.empty());
    toy.resume("cut");
    const RunRecord resumed = read_run_record(toy.path() / "cut");
    CHECK(resumed.damage.missing.empty());
    CHECK(resumed.stages.at(1).last_evaluated()->epoch == 5);
    // A new course from before a change that recipe.toml has: steps until then were logged by the first log.every.
    toy.train("ce", "again", {"log.every=5", "train.epochs=3", "schedule.kind=step", "checkpoint.keep_last=9"},
              stop_after(2));
    toy.resume("again", {"log.every=2", "train.epochs=4"}, stop_after(1));
    toy.resume("again", {}, {.from = checkpoints(toy, "again").front()});
    const RunRecord again = read_run_record(toy.path() / "again");
    CHECK(again.find("log.every")->value == "2");
    CHECK(again.damage.missing.empty());
    CHECK(again.stages.at(0).last_evaluated()->epoch == 4);
}

TEST_CASE("a log that ends before its run is said with what it holds, and the last epoch is the evaluation's") {
    const CutRun cut;
    const EvaluationRecord kept = *cut.without(no_line).evaluation("train.last");
    const RunRecord run = cut.up_to([](const std::string& line) { return is_epoch(line, "step", 3); }, "{\"t\":\"x\",");
    CAPTURE(run.damage.missing);
    const std::int64_t steps = run.stages.at(0).steps_per_epoch;
    CHECK(contains(run.damage.missing, "the rest of its last line; epochs 3, 4 of stage train; "));
    CHECK(contains(run.damage.missing, fmt::format("all after step {}, where run.json says {}", 2 * steps, 4 * steps)));
    CHECK(run.damage.held == fmt::format("2 of 4 epochs of train, up to step {}", 2 * steps));
    const EpochRecord* last = run.stages[0].last_evaluated();
    CHECK(last->epoch == 4);
    CHECK_FALSE(last->is_logged);
    CHECK(last->metrics->top1 == kept.metrics.top1);
    CHECK(last->metrics->per_class == kept.metrics.per_class);
    // Without the evaluation's file run.json still knows the top-1, and nothing else is made up.
    std::filesystem::remove_all(cut.toy.path() / "run/eval");
    const RunRecord bare = read_run_record(cut.toy.path() / "run");
    CHECK(bare.stages[0].last_evaluated()->metrics->top1 == kept.metrics.top1);
    CHECK(std::isnan(bare.stages[0].last_evaluated()->metrics->balanced));
    CHECK(bare.stages[0].last_evaluated()->metrics->per_class.empty());
}

TEST_CASE("a log without its last line lacks its end") {
    const CutRun cut;
    const RunRecord run = cut.without([](const std::string& l) { return contains(l, "\"type\":\"end\""); });
    CHECK(run.damage.missing == "its end");
    CHECK(run.stages.at(0).last_evaluated()->is_logged);
}

TEST_CASE("records missing in the middle are named: epochs, evaluations, steps") {
    const CutRun cut;
    const auto missing = [&](const char* type, int epoch) {
        return cut.without([&](const std::string& line) { return is_epoch(line, type, epoch); }).damage.missing;
    };
    CHECK(missing("epoch", 2) == "epoch 2 of stage train");
    CHECK(missing("eval", 3) == "evaluation 3 of stage train");
    CHECK(contains(missing("step", 2), "records of steps of stage train"));
}

TEST_CASE("a log without its beginning keeps the order of the stages, and the student's result") {
    const CutRun cut("bkd");
    bool is_student = false;
    const RunRecord run = cut.without([&](const std::string& line) {
        is_student = is_student || contains(line, "\"stage\":\"student\"");
        return !is_student || contains(line, "\"type\":\"stage\"");
    });
    CAPTURE(run.damage.missing);
    CHECK(
        contains(run.damage.missing, "its beginning; the beginning of stage teacher; epochs 1 to 4 of stage teacher"));
    CHECK(contains(run.damage.missing, "the beginning of stage student"));
    REQUIRE(run.stages.size() == 2);
    CHECK(run.stages[0].name == "teacher");
    CHECK(run.stages[1].name == "student");
    REQUIRE(run.stages[1].last_evaluated());
    CHECK(run.stages[1].last_evaluated()->metrics->top1 == run.evaluation("student.last")->metrics.top1);
    CHECK(run.stages[1].epochs == 4);
}

TEST_CASE("an empty log of a finished run holds nothing; a running one may be at its first line") {
    const CutRun cut;
    const RunRecord run = cut.without([](const std::string&) { return true; });
    CHECK(run.damage.held == "nothing");
    CHECK(contains(run.damage.missing, "its beginning"));
    REQUIRE(run.stages.at(0).last_evaluated());
    CHECK(run.stages.at(0).last_evaluated()->epoch == 4);
    cut.set_facts({{"state", "created"}, {"step", std::int64_t{0}}, {"results", Json::Array{}}});
    CHECK(read_run_record(cut.toy.path() / "run").damage.missing.empty());
}

TEST_CASE("a log that ends anywhere is a process at work, or has lost its end with a process that is gone") {
    const CutRun cut;
    const auto in_epoch_3 = [](const std::string& line) { return is_epoch(line, "step", 3); };
    cut.set_facts({{"state", "running"}, {"step", std::int64_t{0}}, {"results", Json::Array{}}});
    const auto missing = [&](const std::string& lock, const std::string& more) {
        std::ofstream(cut.toy.path() / "run/lock", std::ios::binary) << lock;
        return cut.up_to(in_epoch_3, more).damage.missing;
    };
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    const std::string gone = fmt::format("{} 4194304 77 {} 1 1\n", host_name(), boot);  // no process has this number
    const std::string at_work = "elsewhere 12 77 other-boot 1 1\n";
    CHECK(missing(at_work, "").empty());
    CHECK(missing(at_work, "{\"t\":").empty());
    CHECK(missing("", "").empty());
    CHECK(missing("", "{\"t\":") == "the rest of its last line");
    CHECK(missing(gone, "") == fmt::format("its end, process 4194304 on {} is gone", host_name()));
    CHECK(missing(gone, "{\"t\":").starts_with("the rest of its last line; its end, process"));
}

TEST_CASE("a lock's process is at work until it is killed, and gone before its parent has heard of it") {
    bkd_test::TemporaryFolder folder;
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
        const RunLock lock(folder.path(), {});
        if (write(ends[1], "x", 1) == 1) pause();
        _exit(1);
    }
    char has_lock = 0;
    REQUIRE(read(ends[0], &has_lock, 1) == 1);
    const std::optional<LockHolder> at_work = lock_holder(folder.path());
    REQUIRE(at_work);
    CHECK(at_work->name == fmt::format("process {} on {}", child, host_name()));
    CHECK_FALSE(at_work->is_gone);
    kill(child, SIGKILL);
    siginfo_t info{};
    REQUIRE(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    CHECK(lock_holder(folder.path())->is_gone);
    waitpid(child, nullptr, 0);
    CHECK(lock_holder(folder.path())->is_gone);
    { const RunLock lock(folder.path(), {}); }
    CHECK_FALSE(lock_holder(folder.path()));
    for (const int end : ends) close(end);
}

TEST_CASE("what a stopped run lacks is told by the steps that its log still has") {
    ToyRun toy;
    toy.train("bkd", "run", {"log.every=1000"});
    const int steps = static_cast<int>(read_run_record(toy.path() / "run").stages.at(0).steps_per_epoch);
    toy.train("bkd", "cut", {"log.every=1000"}, signal_at(steps + 3));  // in the teacher's second epoch
    const Lines lines = lines_of(toy.bytes("cut/log.jsonl"));
    std::string text;
    for (const std::string& line : lines)
        if (!is_epoch(line, "epoch", 1, "teacher") && !is_epoch(line, "eval", 1, "teacher")) text += line + "\n";
    std::ofstream(toy.path() / "cut/log.jsonl", std::ios::binary) << text;
    CHECK(read_run_record(toy.path() / "cut").damage.missing == "epoch 1 of stage teacher");
    // The student's beginning is lost, and a step is all that tells of it.
    toy.train("bkd", "late", {"log.every=2"}, signal_at(2 * (steps + 1) + 4));
    const Lines late = lines_of(toy.bytes("late/log.jsonl"));
    text.clear();
    for (const std::string& line : late)
        if (!contains(line, "\"type\":\"stage\",\"stage\":\"student\"")) text += line + "\n";
    REQUIRE(contains(text, "\"type\":\"step\",\"stage\":\"student\""));
    std::ofstream(toy.path() / "late/log.jsonl", std::ios::binary) << text;
    const RunRecord without_beginning = read_run_record(toy.path() / "late");
    CHECK(without_beginning.damage.missing == "the beginning of stage student");
    CHECK(without_beginning.damage.held ==
          fmt::format("2 of 2 epochs of teacher, 0 epochs of student, up to step {}", 2 * steps + 4));
}

}
