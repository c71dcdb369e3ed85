#include "train/recipe_check.h"

#include "train/schema_nearest.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkd {
namespace {

template <typename T>
const T* value_of(const Recipe& recipe, std::string_view path) {
    const Leaf* leaf = recipe.find(path);
    return leaf == nullptr ? nullptr : std::get_if<T>(&leaf->value);
}

InputError contradiction(const Recipe& recipe, std::string_view path, std::string what, std::string why = {}) {
    return InputError({.id = 305, .what = std::move(what), .at = recipe.at(path), .why = std::move(why)});
}

// "stage teacher: " in front of what concerns one stage only.
void check_one(const Recipe& recipe, const std::string& prefix, RecipeFindings& findings) {
    const auto& milestones = *value_of<std::vector<std::int64_t>>(recipe, "schedule.milestones");
    const std::int64_t epochs = *value_of<std::int64_t>(recipe, "train.epochs");
    if (epochs == 0) return;  // a stage that is left out
    const auto not_below = std::adjacent_find(milestones.begin(), milestones.end(), std::greater_equal<>());
    if (not_below != milestones.end())
        findings.errors.push_back(contradiction(recipe, "schedule.milestones",
                                                fmt::format("{}schedule.milestones must increase, got {} before {}",
                                                            prefix, *not_below, *(not_below + 1))));
    else if (*value_of<std::string>(recipe, "schedule.kind") == "multistep" && !milestones.empty() &&
             milestones.back() >= epochs)
        findings.warnings.push_back(fmt::format("{}milestone {} never comes: there are {} epochs, counted from 0 ({})",
                                                prefix, milestones.back(), epochs, recipe.at("schedule.milestones")));
    if (*value_of<double>(recipe, "optim.lr") == 0)
        findings.warnings.push_back(
            fmt::format("{}optim.lr = 0: nothing is learned ({})", prefix, recipe.at("optim.lr")));

    const std::string& method = *value_of<std::string>(recipe, "method.name");
    const bool uses_weights = method == "bkd" || method == "cb";
    const std::int64_t defer_until = *value_of<std::int64_t>(recipe, "weights.defer_until");
    if (uses_weights && defer_until >= epochs)
        findings.warnings.push_back(
            fmt::format("{}weights.defer_until = {} never comes: there are {} epochs, and {} has no class weights ({})",
                        prefix, defer_until, epochs, method, recipe.at("weights.defer_until")));
}

void check_groups(const Recipe& recipe, RecipeFindings& findings) {
    const auto& groups = *value_of<std::vector<std::int64_t>>(recipe, "eval.groups");
    if (groups.size() != 2)
        findings.errors.push_back(contradiction(recipe, "eval.groups",
                                                fmt::format("eval.groups takes two numbers, got {}", groups.size()),
                                                "many have more images than the first, few less than the second"));
    else if (groups[0] < groups[1])
        findings.errors.push_back(contradiction(
            recipe, "eval.groups", fmt::format("eval.groups: many starts at {}, below few at {}", groups[0], groups[1]),
            "many have more images than the first, few less than the second"));
}

void check_init_from(const Recipe& recipe, std::span<const std::string> stages, std::size_t index,
                     std::vector<InputError>& errors) {
    const std::string path = fmt::format("stages.{}.init_from", stages[index]);
    const std::string* from = value_of<std::string>(recipe, path);
    if (from == nullptr || is_model_file(*from)) return;
    const auto named = std::find(stages.begin(), stages.end(), *from);
    if (named == stages.end()) {
        errors.push_back(
            InputError({.id = 311,
                        .what = fmt::format("{} names stage \"{}\", which does not exist", path, printable(*from)),
                        .at = recipe.at(path),
                        .try_ = fmt::format("one of: {}", fmt::join(stages, ", "))}));
    } else if (static_cast<std::size_t>(named - stages.begin()) >= index) {
        errors.push_back(InputError(
            {.id = 311,
             .what = fmt::format("{} names stage \"{}\", which is not trained before {}", path, *from, stages[index]),
             .at = recipe.at(path),
             .why = fmt::format("the stages run in the order {}", fmt::join(stages, ", "))}));
    }
}

// Tensors start fresh wherever no file is named.
void check_init_fresh(const Recipe& recipe, RecipeFindings& findings) {
    const auto names_file = [](const auto& entry) { return entry.first.ends_with("init_from"); };
    for (const auto& [path, leaf] : recipe.leaves())
        if (path.ends_with("model.init_fresh") && std::ranges::none_of(recipe.leaves(), names_file))
            findings.errors.push_back(contradiction(recipe, path,
                                                    fmt::format("{} has no effect without model.init_from", path),
                                                    "without a file every tensor starts fresh"));
}

}

bool is_model_file(std::string_view init_from) { return init_from.find_first_of("/.") != std::string_view::npos; }

RecipeFindings check_contradictions(const Recipe& recipe) {
    RecipeFindings findings;
    check_one(recipe, "", findings);
    check_groups(recipe, findings);
    check_init_fresh(recipe, findings);
    for (const std::string& stage : recipe.stage_names()) {
        const std::string twice = fmt::format("stages.{}.train.epochs", stage);
        const std::string short_form = fmt::format("stages.{}.epochs", stage);
        if (recipe.find(twice) != nullptr && recipe.find(short_form) != nullptr)
            findings.errors.push_back(
                contradiction(recipe, twice, fmt::format("{} and {} say the same twice", short_form, twice)));
        // What holds for the whole recipe has been said above.
        const bool has_own = std::any_of(recipe.leaves().begin(), recipe.leaves().end(), [&](const auto& entry) {
            const StagePath parts = split_stage(entry.first);
            return parts.stage == stage && (parts.rest.starts_with("schedule.") || parts.rest.starts_with("optim.") ||
                                            parts.rest.ends_with("epochs"));
        });
        if (has_own) check_one(recipe.for_stage(stage), fmt::format("stage {}: ", stage), findings);
    }
    return findings;
}

void check_stages(const Recipe& recipe, std::span<const std::string> stages) {
    std::vector<InputError> errors;
    for (const auto& [path, leaf] : recipe.leaves()) {
        const std::string stage(split_stage(path).stage);
        if (stage.empty() || std::find(stages.begin(), stages.end(), stage) != stages.end()) continue;
        const std::string nearest = nearest_word(stage, stages);
        errors.push_back(
            InputError({.id = 302,
                        .what = fmt::format("unknown stage \"{}\" in {}", stage, path),
                        .at = leaf.provenance,
                        .source = leaf.source,
                        .try_ = nearest.empty() ? fmt::format("one of: {}", fmt::join(stages, ", "))
                                                : fmt::format("stages.{}.{}", nearest, split_stage(path).rest)}));
    }
    for (std::size_t i = 0; i < stages.size(); ++i) check_init_from(recipe, stages, i, errors);

    const std::int64_t* teacher_epochs = value_of<std::int64_t>(recipe, "stages.teacher.epochs");
    const bool has_teacher = std::find(stages.begin(), stages.end(), "teacher") != stages.end();
    if (has_teacher && teacher_epochs != nullptr && *teacher_epochs == 0 && recipe.find("teacher.file") == nullptr)
        errors.push_back(InputError(
            {.id = 305,
             .what = "the stage teacher is left out (stages.teacher.epochs = 0) and no teacher.file is given",
             .at = recipe.at("stages.teacher.epochs"),
             .why = fmt::format("method {} learns from a teacher", *value_of<std::string>(recipe, "method.name")),
             .try_ = "set teacher.file, or remove stages.teacher.epochs"}));
    if (!errors.empty()) throw RecipeErrors(std::move(errors));
}

void check_sizes(const Recipe& recipe, std::int64_t train_images, std::int64_t largest_class) {
    const double ratio = *value_of<double>(recipe, "data.imbalance_ratio");
    const bool is_cut = *value_of<std::string>(recipe, "data.imbalance") != "none";
    if (is_cut && ratio > static_cast<double>(largest_class))
        throw InputError(
            {.id = 304,
             .what = fmt::format("data.imbalance_ratio must be at most {}, got {}", largest_class, ratio),
             .at = recipe.at("data.imbalance_ratio"),
             .why = fmt::format("the largest class has {} images: the smallest would have none", largest_class)});
    const std::int64_t batch = *value_of<std::int64_t>(recipe, "batch.size");
    if (batch > train_images && *value_of<bool>(recipe, "batch.drop_last"))
        throw InputError(
            {.id = 305,
             .what = fmt::format("batch.size = {} is larger than the training set of {} images", batch, train_images),
             .at = recipe.at("batch.size"),
             .why = "batch.drop_last = true leaves out the only batch",
             .try_ = "batch.drop_last=false"});
}

}
