#pragma once
// Learning-rate schedules: pure functions of the epoch e (from 0, set before the epoch) or the global step.
// Sources: the schedule table of the project's specification; warm-up and milestones as in LDAM-DRW and the BKD code.
#include <cstdint>
#include <vector>

namespace bkd {

struct Schedule {
    enum class Kind : std::uint8_t { constant, step, multistep, cosine, cosine_step };
    Kind kind = Kind::constant;
    double base = 0.1;                 // lr0
    double gamma = 0.1;                // step, multistep: factor of each decay
    double step_epochs = 30;           // step: epochs between decays
    std::vector<double> milestones{};  // multistep: epochs at which gamma applies once more
    double minimum = 0;                // cosine: lr at the end
    double cosine_offset = 0;          // cosine: 0, or 1 for schedulers that step before the epoch
    double warmup_epochs = 0;          // whole W: lr0 (e + 1) / W for e < W; else by step: min(1, (s + 1) / floor(W S))
    double warmup_from = 0;            // the factor rises from here: f + (1 - f) of the above
    double epochs = 1;                 // E
    std::int64_t steps_per_epoch = 1;  // S

    // Learning rate of global step s (from 0) in epoch e; in double.
    //   step       lr0 gamma^floor(e / step)          multistep  lr0 gamma^#{m : e >= m}
    //   cosine     min + (lr0 - min) (1 + cos(pi (e + offset) / E)) / 2        cosine_step  the same with s and E S
    double at(std::int64_t epoch, std::int64_t step) const;
};

}
