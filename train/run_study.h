#pragma once
// What the models of a run's finished stages do class by class, for which the run's data must be here: what the loss
// sends to each logit, and how much probability each class is given.
#include "train/run_record.h"
#include "train/train_run.h"

namespace bkd {

// Mean probabilities over the evaluated split, in 0..1.
struct ClassProbabilities {
    std::vector<double> of_class{};  // [classes] over all images: what share the class is given
    std::vector<double> of_label{};  // [classes] over the class's own images; NaN without any
};

struct StageStudy {
    std::string stage{};
    // [classes] sums over the training images of what a step would add to z_c (encouraging: -dL/dz_c where that is
    // above 0) and take from it (discouraging); the stage's own loss at its last weights, without augmentation and
    // mixing. Of cross-entropy the first come from images of class c alone and the second from all others; a distilled
    // target may encourage c by others' images, too. Empty where the loss does not take the network's logits as they
    // are.                                                                             paper: section 3.1, Fig. 2b
    std::vector<double> encouraging{}, discouraging{};
    std::vector<double> encouraging_by_others{};  // [classes] the part of it from images of other classes
    std::vector<double> omega{};  // [classes] class weights of the last epoch; empty: the stage has none
    double temperature = 1;       // of all probabilities below; 1 without a teacher
    ClassProbabilities student{};
    std::optional<ClassProbabilities> teacher{}, balanced{};  // balanced: omega times the teacher's, normalised, Eq. 8
};

struct RunStudy {
    std::vector<StageStudy> stages{};
    std::vector<EvaluationRecord> evaluations{};  // of last models for which the run has none, or no calibration
    std::vector<std::string> missing{};           // what could not be studied, and why
};

// Which of them to compute.
struct StudyParts {
    bool gradients = true, probabilities = true;
};

struct StudyOptions {
    Device device{};
    int threads = 0;
    RecipeOptions recipes{};
    std::string data_root{};  // empty: the run's
    bool only_last_stage = false;
    StudyParts parts{};
    std::function<void(const std::string&)> say{};  // what is being computed
};

// Its numbers: those that `parts` leaves out are not among them.
Json::Object study_json(const StageStudy& study, const StudyParts& parts = {});

// Reads the run's models and data, writes nothing. InputError as open_run where they are not there or do not fit, E1005
// for data that is not the run's.
RunStudy study_run(const RunRecord& run, const StudyOptions& options);

}
