#pragma once
// Weights: a network's numbers on the host, under PyTorch's names and in PyTorch's layout (convolutions O I H W). What
// stages hand on to each other, what model files and checkpoints hold.
#include "engine/model_file.h"
#include "engine/parameter.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bkd {

struct Weight {
    std::vector<std::int64_t> shape{};
    std::vector<float> numbers{};
    bool operator==(const Weight&) const = default;
};
using Weights = std::map<std::string, Weight, std::less<>>;

// A parameter's or buffer's numbers, or others that lie beside it in the same shape (its velocity).
Weight to_file(const Parameter& parameter, std::span<const float> memory);
std::vector<float> to_memory(const Parameter& parameter, const Weight& weight);  // shapes agree: fits()
bool fits(const Parameter& parameter, const Weight& weight);

Weights read_weights(const Context& ctx, const Parameters& parameters);
// Every parameter and buffer; LogicError if one is missing or has another shape.
void write_weights(const Context& ctx, Parameters& parameters, const Weights& weights);

// What a stage or a file gives to others.
struct StageResult {
    std::string name{};  // of the stage, or path of the file
    Weights weights{};
    std::vector<std::string> class_names{};    // empty: not known
    std::vector<std::int64_t> class_counts{};  // empty: not known
};

// Names of tensors that nobody takes from a file, so that it need not have them, or may have others.
using IsUnused = std::function<bool(std::string_view name)>;

// A model file as what stages start from and companions are. `expected`, if there are any, must fit but for those that
// are unused. InputError E0411 to E0415 (names, shapes, dtypes), E0425, E0426 (values); read_stage_result: and those of
// read_model_file.
StageResult stage_result_of(const ModelFile& file, const Parameters* expected, const IsUnused& is_unused = {});
StageResult read_stage_result(const std::filesystem::path& path, const Parameters* expected,
                              const std::string& asked_by, const IsUnused& is_unused = {});

}
