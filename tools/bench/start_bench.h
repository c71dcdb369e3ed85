#pragma once
// From the start of the process to the first prediction: `bkd predict MODEL IMAGES --batch 1`, several times.
#include <cstdint>
#include <string>

namespace bkd {

struct StartBench {
    int exit_code = 0;   // of the first start that failed: then there are no times
    std::string said{};  // by that one
    int starts = 0;
    double first_ms = 0, first_most_ms = 0;  // to the first byte of the first record: median, most
    double total_ms = 0;                     // to the end: median
    double peak_mib = 0;                     // resident: most
};

// `threads`: 0 as many as allowed.
StartBench bench_start(const std::string& model, const std::string& images, std::int64_t threads, int starts = 11);

}
