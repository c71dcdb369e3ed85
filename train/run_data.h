#pragma once
// The data of a run, as its recipe says: opened, cut to its long tail, a validation part held out.
#include "data/dataset.h"
#include "data/imbalance.h"
#include "engine/json.h"
#include "train/recipe.h"

#include <optional>

namespace bkd {

// The keys data.*, as they are written.
struct DataSettings {
    std::string name{};
    DatasetOptions set{};
    SubsetOptions cut{};
    double held_out = 0;  // data.split: fraction of each class
    std::uint64_t seed = 1;
    bool normalises = true;
};
DataSettings read_data_settings(const Recipe& recipe);

struct RunData {
    ImageSet train, test;
    std::optional<ImageSet> validation{};    // data.split > 0
    std::vector<float> mean{}, deviation{};  // data.normalize
    std::string fingerprint{};               // SHA-256 of the labels and pixels trained on
    std::string description{};               // "cifar100 long_tailed ratio 100 subset seed 0: 10847 train / ..."

    std::vector<std::int64_t> counts() const { return class_counts(train.labels, train.classes()); }
    Json facts() const;  // for run.json and the log
};

RunData open_run_data(const Recipe& recipe);

}
