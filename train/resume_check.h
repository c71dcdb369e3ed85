#pragma once
// What must agree before a run is taken up again. All errors are InputError E1005.
#include "engine/json.h"
#include "train/checkpoint.h"
#include "train/recipe.h"
#include "train/stage.h"

#include <span>

namespace bkd {

// Nothing that decides results may change, but for more epochs of stages (check_epochs) and the keys in `allowed`, and not
// where the run lies. E0201 for an allowed key that is none, E0208 for one that does not change.
void check_changes(const Recipe& then, const Recipe& now, const std::vector<std::string>& allowed = {});

// Every key whose value differs, for the record: {"optim.lr": [0.1, 0.05]}, as they are written in a recipe.
Json changed_values(const Recipe& then, const Recipe& now);

// With keys allowed to change: no stage from `from` on gives its best epoch, which another recipe may have trained.
void check_no_stage_selects_best(std::span<const Stage> stages, const Checkpoint* from);

// `stages`: those of `now`, complete; `from`: where training goes on, null for the start. A stage takes more epochs
// only if its learning rate does not depend on their number, and if it has not handed its result on yet.
void check_epochs(const Recipe& then, const Recipe& now, std::span<const Stage> stages, const Checkpoint* from);

// Whether the checkpoint is of this run (its id in run.json), this seed and these stages. `is_chosen`: by --from.
void check_checkpoint(const Checkpoint& checkpoint, const std::string& run, std::uint64_t seed,
                      std::span<const Stage> stages, bool is_chosen);

}
