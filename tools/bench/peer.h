#pragma once
// The work of `bkd bench` beside the same work in PyTorch (tools/peer_torch.py), as ratios: every configuration in a
// process of its own, one after another, round by round. A time counts where both programs' losses, or logits, agree.
#include "engine/json.h"
#include "tools/bench/training_step.h"

#include <string>
#include <vector>

namespace bkd {

struct PeerOptions {
    TrainingStepOptions work;  // device: cpu
    bool infers = false;       // else training steps, by cross-entropy and by BKD
    std::int64_t steps = 12;   // timed in each process
    int rounds = 5;
    std::string python = "python3";
};

// One configuration over all rounds.
struct PeerTimes {
    std::string group, name;  // "ce", "bkd", "batch 1"; "bkd" or PyTorch's modes
    bool is_ours = false;
    double best_ms = 0, quartile_ms = 0;  // over all rounds: the least, and the median of the quartiles
    double peak_mib = 0;                  // resident, median
    std::vector<double> quartiles{};      // of each round; 0 where it was disturbed: its median lies 1.3 times above
    std::string failure{};                // why there are no times: other losses, no PyTorch
};

struct PeerRatio {
    std::string what;  // "ce: bkd / eager channels_last tcmalloc"
    int rounds = 0;    // in which neither was disturbed
    double median = 0, least = 0, most = 0;
};

struct PeerBench {
    double load_before = 0;  // of the machine, processes that run; a quiet one has less than 0.3
    std::string peer;        // "PyTorch 2.15.0", or empty: none was found
    std::vector<PeerTimes> times;
    std::vector<PeerRatio> ratios;  // ours to the best of the peers in each group, and BKD to CE
    bool is_whole = false;          // each group has its ratio to a peer
};

// InputError E0801 where PyTorch is not to be found.
PeerBench bench_beside_torch(const PeerOptions& options);

}
