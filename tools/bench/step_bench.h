#pragma once
// Times a whole training step on synthetic images: batch from bytes, network, loss, backward, SGD. Once without
// looking, for the time of a step; where the device records, once more replayed; then with an observer on the stream,
// for the share of each op.
#include "tools/bench/training_step.h"

#include <string>
#include <vector>

namespace bkd {

struct StepBenchOptions : TrainingStepOptions {
    std::int64_t warmup = 3, steps = 12;
};

struct OpShare {
    std::string op;
    std::int64_t calls = 0;                         // a step
    double milliseconds = 0, flops = 0, bytes = 0;  // a step
};

struct StepBench {
    std::string description;  // of the device
    double min_ms = 0, quartile_ms = 0, median_ms = 0;
    double queued_ms = 0;              // a step, when all are queued before the device is waited for
    double replayed_ms = 0;            // a recorded step, likewise queued; 0 where the device records nothing
    double after_replay_loss = 0;      // of one more step: finite
    std::vector<double> losses;        // of the warm-up steps: two programs that do the same work agree on them
    std::vector<OpShare> ops;          // by falling time
    std::int64_t pool_bytes = 0;       // the most that tensors and scratch took at once
    std::int64_t steady_requests = 0;  // memory the timed steps asked the system for: 0
};

StepBench bench_step(const StepBenchOptions& options);

}
