#pragma once
// What `bkd inspect` prints on standard output, one file for each kind of thing it is asked about.
#include "train/recipe.h"
#include "train/run_study.h"

namespace bkd {

struct SafeTensors;

// A model file, checkpoint or golden file: its facts and tensors; of one tensor also norm, mean, range, first values.
void inspect_tensors(const SafeTensors& file, bool as_json);
void inspect_tensor(const SafeTensors& file, const std::string& name, bool as_json);

// Every value of a recipe and where it came from. InputError as check_recipe (train/run_settings.h).
void inspect_recipe(const Recipe& recipe, bool as_json);

// The launches of one training step of each stage (train/step_tape.h).
void inspect_tape(const Recipe& recipe, bool as_json);

// What a run's loss and models do to each class, as tables; at least one of them.
struct RunTables {
    bool omega = false;          // class weights of the last epoch, beside those of other laws for the same counts
    bool teacher_probs = false;  // mean probabilities: teacher's, omega times the teacher's, student's
    bool gradients = false;      // what the loss sends to each class's logit over all training images
};
void inspect_run(const RunRecord& run, const RunTables& tables, const StudyOptions& options, bool as_json);

}
