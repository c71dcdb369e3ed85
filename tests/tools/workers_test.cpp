// Jobs in processes of their own: what a job does to its process stays there.
#include "tools/check/workers.h"

#include "kernels/error.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <map>

namespace bkd {
namespace {

std::vector<std::size_t> numbers(std::size_t n) {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < n; ++i) all.push_back(i);
    return all;
}

struct Ended {
    std::map<std::size_t, JobOutcome> outcomes{};
    std::map<std::string, int> processes{};  // by the text of jobs that return their process
};

Ended run(std::size_t jobs, const WorkersOptions& options, std::function<std::string(std::size_t)> work,
          std::function<NextJob(std::size_t, const JobOutcome&)> next = {}) {
    Ended ended;
    run_jobs(
        numbers(jobs), options, [&] { return work; },
        [&](std::size_t job, const JobOutcome& outcome) {
            ended.outcomes[job] = outcome;
            ++ended.processes[outcome.text];
            return next ? next(job, outcome) : NextJob::go_on;
        });
    return ended;
}

std::string process() { return std::to_string(::getpid()); }

}

TEST_CASE("every job is done once, by as many processes as there should be, none of them this one") {
    const Ended one = run(20, {}, [](std::size_t) { return process(); });
    CHECK(one.outcomes.size() == 20);
    CHECK(one.processes.size() == 1);
    CHECK(one.processes.count(process()) == 0);
    const Ended three = run(30, {.processes = 3}, [](std::size_t) {
        ::usleep(2000);
        return process();
    });
    CHECK(three.outcomes.size() == 30);
    CHECK(three.processes.size() == 3);
}

TEST_CASE("a job that crashes, exits or hangs is said to have, and the others are done all the same") {
    for (const int processes : {1, 2}) {
        const Ended ended = run(9, {.processes = processes, .time_limit = 0.3}, [](std::size_t job) -> std::string {
            if (job == 2) ::raise(SIGSEGV);
            if (job == 4) ::_exit(3);
            if (job == 6) ::sleep(60);
            return "done";
        });
        CHECK(ended.outcomes.size() == 9);
        for (const auto& [job, outcome] : ended.outcomes) {
            CAPTURE(job);
            if (job == 2 || job == 4) CHECK(outcome.kind == JobOutcome::Kind::crashed);
            if (job == 6) CHECK(outcome.kind == JobOutcome::Kind::timed_out);
            if (job % 2 == 1 || job == 0 || job == 8) CHECK(outcome.text == "done");
        }
        CHECK(ended.outcomes.at(2).text == "signal 11 (Segmentation fault)");
        CHECK(ended.outcomes.at(4).text == "the process ended with exit code 3");
    }
}

TEST_CASE("a process that did a bad job does no other, and a stop leaves out what has not begun") {
    const Ended fresh = run(
        6, {}, [](std::size_t) { return process(); },
        [](std::size_t job, const JobOutcome&) { return job == 2 ? NextJob::fresh_process : NextJob::go_on; });
    CHECK(fresh.processes.size() == 2);
    for (const auto& [process, jobs] : fresh.processes) CHECK(jobs == 3);
    const Ended stopped = run(
        6, {}, [](std::size_t) { return process(); },
        [](std::size_t job, const JobOutcome&) { return job == 2 ? NextJob::stop : NextJob::go_on; });
    CHECK(stopped.outcomes.size() == 3);
}

TEST_CASE("what a worker cannot open is the error of the run") {
    const auto refusing = []() -> std::function<std::string(std::size_t)> {
        throw InputError({.id = 801, .what = "no device cuda:7", .at = "option --device", .why = "w", .try_ = "t"});
    };
    try {
        run_jobs(numbers(3), {}, refusing, [](std::size_t, const JobOutcome&) { return NextJob::go_on; });
        FAIL("no error");
    } catch (const InputError& error) {
        CHECK(error.exit_code() == 8);
        CHECK(error.message() == "error[E0801]: no device cuda:7\n  at:  option --device\n  why: w\n  try: t\n");
    }
}

TEST_CASE("results larger than a socket's buffer arrive whole") {
    const Ended ended = run(3, {}, [](std::size_t job) { return std::string(5 << 20, static_cast<char>('a' + job)); });
    CHECK(ended.outcomes.at(2).text == std::string(5 << 20, 'c'));
}

}
