#pragma once
// What a refusal costs: a call in a process of its own, so that its memory and time are told from the test's.
#include "kernels/error.h"

#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>

namespace bkd::test {

struct Cost {
    std::string said;             // InputError::message(), "accepted", or how the process died
    double milliseconds = 0;      // of processor time: how busy the machine is does not count
    std::int64_t peak_bytes = 0;  // of resident memory, above what was there before the call

    std::string id() const { return said.starts_with("error[") ? said.substr(6, 5) : said; }
};

inline Cost cost_of(const std::function<void()>& call) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::malloc_trim(0);  // what the test has freed is not there to be used without growing
        rusage before{}, after{};
        ::getrusage(RUSAGE_SELF, &before);
        std::string said = "accepted";
        try {
            call();
        } catch (const InputError& error) { said = error.message(); } catch (const std::exception& error) {
            said = std::string("threw ") + error.what();
        }
        ::getrusage(RUSAGE_SELF, &after);
        const auto seconds = [](const rusage& usage) {
            const auto one = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * t.tv_usec; };
            return one(usage.ru_utime) + one(usage.ru_stime);
        };
        const std::string text = fmt::format("{} {} {}", 1000 * (seconds(after) - seconds(before)),
                                             1024 * (after.ru_maxrss - before.ru_maxrss), said);
        const auto written = ::write(pipe_ends[1], text.data(), std::min<std::size_t>(text.size(), 60000));
        ::_exit(written > 0 ? 0 : 1);
    }
    ::close(pipe_ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || text.empty()) return {.said = fmt::format("died, status {}", status)};
    const std::size_t first = text.find(' '), second = text.find(' ', first + 1);
    return {.said = text.substr(second + 1),
            .milliseconds = std::stod(text),
            .peak_bytes = std::stoll(text.substr(first + 1))};
}

#ifdef BKD_NO_CLONES  // a build with sanitizers, which takes several times as long
constexpr double refusal_milliseconds = 1000;
#else
constexpr double refusal_milliseconds = 100;
#endif

// A refusal is one message of up to six lines, in a tenth of a second, with memory of the file and 64 MiB at most.
inline void check_cost(const Cost& cost, std::uint64_t file_bytes) {
    CAPTURE(cost.said);
    CHECK(cost.milliseconds < refusal_milliseconds);
    CHECK(cost.peak_bytes <= static_cast<std::int64_t>(file_bytes) + (64 << 20));
    CHECK(cost.said.starts_with("error[E0"));
    CHECK(cost.said.find("error[", 1) == std::string::npos);
    CHECK(std::ranges::count(cost.said, '\n') <= 6);
    CHECK(std::ranges::none_of(cost.said, [](char c) { return c != '\n' && static_cast<unsigned char>(c) < 0x20; }));
}

}
