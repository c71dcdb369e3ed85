#pragma once
// What no single value can show: values of a recipe that contradict each other, its stages, or the data.
#include "train/recipe.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bkd {

struct RecipeFindings {
    std::vector<InputError> errors;  // E0305
    std::vector<std::string> warnings;
};

// Milestones in order, groups in order, one number of epochs for a stage. Warnings: lr = 0, milestones or deferred
// weights that never come.
RecipeFindings check_contradictions(const Recipe& recipe);

// `stages`: those of the method, in the order they run. RecipeErrors: E0302 for stages.<name> that is none of them,
// E0311 for init_from naming a stage that does not exist or does not come earlier, E0305 for a teacher stage left out
// (epochs = 0) without a teacher.file.
void check_stages(const Recipe& recipe, std::span<const std::string> stages);

// Against the data before it is cut: `largest_class` images in its largest class; after it: `train_images`. E0304:
// ratio above the largest class; E0305: batch larger than the training set and the last batch dropped.
void check_sizes(const Recipe& recipe, std::int64_t train_images, std::int64_t largest_class);

// Whether init_from means a model file, not a stage.
bool is_model_file(std::string_view init_from);

}
