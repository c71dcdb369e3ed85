#pragma once
// A model file judged on a split of a data set: what the verb `eval` does.
#include "engine/model_file.h"
#include "train/evaluate.h"

#include <filesystem>
#include <optional>

namespace bkd {

struct EvaluateModelOptions {
    std::filesystem::path model{};
    std::string data{};  // empty: the one named in the file
    std::filesystem::path data_root = "auto";
    std::string split = "test";  // "test", "train": the whole set, not a cut of it
    std::int64_t batch_size = 100;
    Device device{};
    int threads = 0;
    // For files that do not say it (PyTorch's), or against what they say.
    std::optional<std::string> network{}, classifier{};
    std::optional<std::vector<float>> mean{}, deviation{};  // per channel, of values in 0..1
    ShotThresholds groups{};
    bool keeps_logits = false;
};

struct ModelEvaluation {
    Evaluation evaluation{};
    std::string network{}, data{};
    std::vector<std::string> class_names{};
    std::vector<std::int64_t> class_counts{};  // training samples; empty: not known, and so are the shot groups
    std::vector<std::string> warnings{};
};

// InputError E04nn of the file, E0304 for a network or data set that is not there or not told, E0305 where the model's
// classes or the size of its images are not those of the data, E0203 for a normalisation that fits no channel count.
ModelEvaluation evaluate_model(const EvaluateModelOptions& options);

}
