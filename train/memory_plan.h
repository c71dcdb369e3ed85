#pragma once
// How much memory of a device the stages of a training take, found by planning a step of each without computing it, and
// what is said when that is more than there is.
#include "train/trainer.h"

namespace bkd {

struct StageMemory {
    std::string stage{};
    std::int64_t batch = 0;  // images
    std::int64_t bytes =
        0;  // the most that data set, networks, activations and gradients take at once, kernels' scratch not counted
};

// A training to be planned. `make_method` gives the method of a stage, a new one: planning runs its loss.
struct PlannedTraining {
    const Training& training;
    std::map<std::string, const ImageSet*> sets;  // by split, on the device already or not
    const std::vector<Stage>& stages;
    std::function<std::unique_ptr<Method>(const Stage&)> make_method;
    FindResult read_file;  // results that stages and companions take from files
};

// Opens every stage on a device that executes nothing, in order, and hands it over with the device where its next step
// is to be made; with `batch` for stages that have the batch size of the first.
void plan_stages(const PlannedTraining& planned, std::int64_t batch,
                 const std::function<void(StageRun&, Runtime&)>& make_step);

// One step of every stage, in order; with `batch` for stages that have the batch size of the first.
std::vector<StageMemory> plan_memory(const PlannedTraining& planned, std::int64_t batch = 0);

// E0702 if the device has less memory than a stage takes: says which, how much, and the largest batch that fits.
// Nothing where the device does not say what it has.
void check_memory(const PlannedTraining& planned);

// E0701 of an allocation that failed, with the plan's numbers.
InputError with_plan(const InputError& error, const PlannedTraining& planned);

}
