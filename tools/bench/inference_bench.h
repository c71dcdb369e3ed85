#pragma once
// Times a network's inference form, batch norms folded, on random images: batch from bytes to logits.
#include "tools/bench/training_step.h"

#include <vector>

namespace bkd {

struct InferenceBench {
    std::string description;  // of the device
    double min_ms = 0, quartile_ms = 0, median_ms = 0;
    std::vector<double> logits;        // five of the first image: two programs that do the same work agree on them
    std::int64_t pool_bytes = 0;       // the most that tensors and scratch took at once
    std::int64_t steady_requests = 0;  // memory the timed batches asked the system for: 0
};

// `options` as for a training step, of the same weights and images; `batches` are timed after three.
InferenceBench bench_inference(const TrainingStepOptions& options, std::int64_t batches);

}
