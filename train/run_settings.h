#pragma once
// What a recipe says of a run beside its data and its stages, read in one place: so that who opens the run (train_run),
// plans a step of it (step_tape) or only looks for keys without effect reads the same keys.
#include "data/image_set.h"
#include "models/network.h"
#include "train/checkpoint_cadence.h"
#include "train/method.h"

namespace bkd {

struct RunSettings {
    NetworkOptions network{};  // but for classes and channels, which are the data's: network_for()
    DType storage = DType::f32;
    bool is_strict = false, winograd = true, tf32 = false;
    CheckpointCadence cadence{};

    std::uint64_t seed = 1;
    std::int64_t loader_threads = 1, log_every = 50, eval_every = 1, eval_batch = 100;
    std::string eval_split = "test";
    ShotThresholds groups{};
    bool skips_nonfinite = false;
    std::optional<double> divergence_above{};
    std::int64_t divergence_steps = 100;

    NetworkOptions network_for(const ImageSet& set) const;
    void apply(Training& training) const;
};

// InputError E0304 and E0308 with the place of the value.
RunSettings read_run_settings(const Recipe& recipe);

// Stages of the recipe's method, complete. Refuses what `train` refuses of a recipe before it opens any file: unknown
// methods and stages, and a key that is set and has no effect (E0305, RecipeErrors).
std::vector<Stage> check_recipe(const Recipe& recipe);

}
