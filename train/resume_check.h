#pragma once
// What must agree before a run is taken up again. All errors are InputError E1005.
#include "train/checkpoint.h"
#include "train/recipe.h"
#include "train/stage.h"

#include <span>

namespace bkd {

// Nothing that decides results may change, but for more epochs of stages (check_epochs), and not where the run lies.
void check_changes(const Recipe& then, const Recipe& now);

// `stages`: those of `now`, complete; `from`: where training goes on, null for the start. A stage takes more epochs
// only if its learning rate does not depend on their number, and if it has not handed its result on yet.
void check_epochs(const Recipe& then, const Recipe& now, std::span<const Stage> stages, const Checkpoint* from);

// Whether the checkpoint is of this run (its id in run.json), this seed and these stages.
void check_checkpoint(const Checkpoint& checkpoint, const std::string& run, std::uint64_t seed,
                      std::span<const Stage> stages);

}
