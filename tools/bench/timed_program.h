#pragma once
// Runs a program to its end and says how long it took and how much memory: what `bkd bench --peer` compares.
#include <cstddef>
#include <string>
#include <vector>

namespace bkd {

// Past these a program is killed. 0: none.
struct TimeLimits {
    double seconds = 0;
    std::size_t bytes = 0;  // of standard output, and as many of standard error
};

struct TimedProgram {
    int code = 0;       // exit code; 128 + the signal that ended it
    std::string cut{};  // the limit it was killed for: "1200 s"; empty: it ended by itself
    std::string out, err;
    double first_byte_ms = 0;  // from its start to the first byte on standard output; 0: none came
    double total_ms = 0;
    double peak_mib = 0;  // of resident memory
};

// `command`: program, looked for in PATH, and its arguments; `environment`: NAME=VALUE before this process's own.
// What it started and left behind is not waited for. InputError E0701 where no process can be started. A program that
// is not there ends with code 127.
TimedProgram run_timed(const std::vector<std::string>& command, const std::vector<std::string>& environment = {},
                       const TimeLimits& limits = {});

}
