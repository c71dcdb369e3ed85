#include "train/recipe.h"

#include "train/schema_nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace bkd {
namespace {

// The program's order of causes: of several errors the first in it decides the exit code.
std::size_t rank(const InputError& error) {
    static constexpr std::array<int, 10> order = {2, 3, 10, 5, 4, 8, 7, 6, 9, 11};
    return static_cast<std::size_t>(std::find(order.begin(), order.end(), error.exit_code()) - order.begin());
}

const InputError& leading(const std::vector<InputError>& errors) {
    BKD_CHECK(!errors.empty(), "no error to throw");
    return *std::min_element(errors.begin(), errors.end(),
                             [](const InputError& a, const InputError& b) { return rank(a) < rank(b); });
}

}

RecipeErrors::RecipeErrors(std::vector<InputError> errors) : InputError(leading(errors)), errors_(std::move(errors)) {}

Recipe::Recipe(std::string name, Leaves leaves)
    : name_(std::move(name)),
      leaves_(std::move(leaves)),
      // What the loader itself acts on is used.
      reads_(std::make_shared<std::set<std::string, std::less<>>>(
          std::set<std::string, std::less<>>{"recipe", "preset", "data.name", "model.name", "method.name"})) {}

const Leaf* Recipe::find(std::string_view path) const {
    const auto found = leaves_.find(path);
    return found == leaves_.end() ? nullptr : &found->second;
}

const Leaf& Recipe::read(std::string_view path) const {
    const Leaf* leaf = find(path);
    BKD_CHECK(leaf != nullptr, "{} is read but neither set nor has a default", path);
    reads_->emplace(path);
    reads_->insert(leaf->path);
    return *leaf;
}

template <typename T>
const T& Recipe::typed(std::string_view path) const {
    const T* value = std::get_if<T>(&read(path).value);
    BKD_CHECK(value != nullptr, "{} is read as another type than its key has", path);
    return *value;
}

bool Recipe::boolean(std::string_view path) const { return typed<bool>(path); }
std::int64_t Recipe::integer(std::string_view path) const { return typed<std::int64_t>(path); }
double Recipe::number(std::string_view path) const { return typed<double>(path); }
std::string Recipe::text(std::string_view path) const { return typed<std::string>(path); }
std::vector<std::int64_t> Recipe::integers(std::string_view path) const {
    return typed<std::vector<std::int64_t>>(path);
}
std::vector<std::string> Recipe::texts(std::string_view path) const { return typed<std::vector<std::string>>(path); }

bool Recipe::is_set(std::string_view path) const {
    const std::string full = stage_.empty() ? std::string(path) : fmt::format("stages.{}.{}", stage_, path);
    BKD_CHECK(find_key(path) != nullptr || find_key(full) != nullptr, "{} is no key of a recipe", path);
    const Leaf* leaf = find(path);
    if (leaf != nullptr) {
        reads_->emplace(path);
        reads_->insert(leaf->path);
    }
    return leaf != nullptr;
}

Recipe Recipe::for_stage(std::string_view stage) const {
    Recipe view = *this;
    view.stage_ = stage;
    std::erase_if(view.leaves_, [](const auto& entry) { return entry.first.starts_with("stages."); });
    for (const auto& [path, leaf] : leaves_) {
        const StagePath parts = split_stage(path);
        if (parts.stage != stage) continue;
        view.leaves_.insert_or_assign(std::string(parts.rest), leaf);
        if (parts.rest == "epochs") view.leaves_.insert_or_assign("train.epochs", leaf);
    }
    return view;
}

std::vector<std::string> Recipe::stage_names() const {
    std::set<std::string> names;
    for (const auto& [path, leaf] : leaves_)
        if (const std::string_view stage = split_stage(path).stage; !stage.empty()) names.emplace(stage);
    return {names.begin(), names.end()};
}

std::string Recipe::at(std::string_view path) const {
    const Leaf* leaf = find(path);
    return leaf == nullptr ? std::string{} : leaf->value_at;
}

std::vector<InputError> Recipe::unused_keys() const {
    std::vector<InputError> errors;
    for (const auto& [path, leaf] : leaves_) {
        if (!leaf.is_explicit || leaf.key->effect != KeyEffect::result || reads_->contains(leaf.path)) continue;
        const Leaf* method = find("method.name");
        const std::string user = method == nullptr ? "nothing" : fmt::format("method {}", value_text(method->value));
        errors.push_back(
            InputError({.id = 305,
                        .what = fmt::format("{} = {} is set but has no effect", path, value_text(leaf.value)),
                        .at = leaf.provenance,
                        .source = leaf.source,
                        .why = fmt::format("{} with these settings does not read it", user),
                        .try_ = "remove it"}));
    }
    return errors;
}

void Recipe::refuse_unused_keys() const {
    if (std::vector<InputError> errors = unused_keys(); !errors.empty()) throw RecipeErrors(std::move(errors));
}

}
