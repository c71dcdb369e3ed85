#pragma once
// PyTorch's weights as a model file: what the verb `convert` does. Every tensor is held against the network first.
#include "engine/file.h"

#include <string>
#include <utility>
#include <vector>

namespace bkd {

struct ImportModel {
    std::filesystem::path from{}, to{};
    std::string network{};              // empty: what the file says
    std::string classifier = "linear";  // or "cosine"
    std::string data{};                 // whose class names and normalisation the file gets; empty: none
    std::string commit = "unknown";
    Overwrite overwrite = Overwrite::no;
};

struct ImportedModel {
    std::string network{};
    std::int64_t tensors = 0, parameters = 0;
    std::vector<std::pair<std::string, std::string>> renamed{};  // "module.conv1.weight" -> "conv1.weight"
};

// InputError E04nn for what does not fit the network, E0304 for a network that is not there or not told, E0607 if `to`
// exists.
ImportedModel import_model(const ImportModel& options);

}
