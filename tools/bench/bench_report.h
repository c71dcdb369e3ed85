#pragma once
// What `bkd bench` prints: a table to read, or one JSON document.
#include "tools/bench/ceilings.h"
#include "tools/bench/inference_bench.h"
#include "tools/bench/peer.h"
#include "tools/bench/start_bench.h"
#include "tools/bench/step_bench.h"

namespace bkd {

// Each op beside `ceilings`: its GB/s as a share of a copy's.
void print_step(const StepBenchOptions& options, const StepBench& bench, const Ceilings& ceilings);
void print_inference(const TrainingStepOptions& options, const InferenceBench& bench);
void print_start(const StartBench& bench);
void print_peer(const PeerOptions& options, const PeerBench& bench, const Ceilings& before, const Ceilings& after);

Json to_json(const StepBenchOptions& options, const StepBench& bench);
Json to_json(const TrainingStepOptions& options, const InferenceBench& bench);
Json to_json(const StartBench& bench);
Json to_json(const PeerOptions& options, const PeerBench& bench, const Ceilings& before, const Ceilings& after);

}
