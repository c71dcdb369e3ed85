#pragma once
// A recipe: every value that decides a run, each with the place it came from.
//
//   Recipe recipe = load_recipe("cifar100_lt_100_bkd", {"train.epochs=20"}, {.folders = {"share/bkd/recipes"}});
//   recipe.number("kd.temperature")                 2.0
//   recipe.for_stage("teacher").number("optim.lr")  stages.teacher.optim.lr where set, else optim.lr
//
// Layers, lowest first: defaults (schema.h), the preset (recipe_preset.h), the chain of `base` files, the recipe, the
// user's own file and the environment (machine keys only), overrides, options. A later layer replaces single values.
// Every read is recorded, so that a value somebody set and nobody reads is found (unused_keys).
#include "kernels/error.h"
#include "train/recipe_value.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

// All errors of a recipe, at most 20. As an InputError it is the one that decides the exit code.
class RecipeErrors : public InputError {
public:
    explicit RecipeErrors(std::vector<InputError> errors);
    const std::vector<InputError>& errors() const { return errors_; }

private:
    std::vector<InputError> errors_;
};

struct Leaf {
    std::string path;  // "optim.lr", "stages.teacher.optim.lr"
    const Key* key = nullptr;
    Value value;
    std::string provenance;    // "default", "preset paper (D1)", "exp.toml:3:1", "override #2 "optim.lr=0.05""
    bool is_explicit = false;  // set by a file, an override, the environment or an option
    std::string source{};      // of a file: the line and a marker under the key
    std::string value_at{};    // of a file: where the value stands; else as provenance
};

class Recipe {
public:
    using Leaves = std::map<std::string, Leaf, std::less<>>;

    Recipe(std::string name, Leaves leaves);

    // The value of a key; a key without default must be set (is_set). A key that is not in the schema, or has another
    // type, is a LogicError.
    bool boolean(std::string_view path) const;
    std::int64_t integer(std::string_view path) const;
    double number(std::string_view path) const;
    std::string text(std::string_view path) const;
    std::vector<std::int64_t> integers(std::string_view path) const;
    std::vector<std::string> texts(std::string_view path) const;
    bool is_set(std::string_view path) const;

    // The same recipe as one stage sees it: stages.<name>.* laid over it. There "epochs" and "train.epochs" are one
    // key, and "init_from" and "freeze" are the stage's. What a stage reads counts as read here.
    Recipe for_stage(std::string_view stage) const;
    std::vector<std::string> stage_names() const;  // of all stages.<name> tables, sorted

    // For messages of the values' users: where a value came from ("exp.toml:3:8").
    std::string at(std::string_view path) const;
    const Leaf* find(std::string_view path) const;  // without recording a read

    // Explicit values that affect results and were not read so far: E0305 with place and advice, one each.
    std::vector<InputError> unused_keys() const;
    void refuse_unused_keys() const;  // throws RecipeErrors if there are any

    // TOML with the provenance of each line as a comment; reads back to the same values. Defaults that nobody has read
    // yet are printed as comments.
    std::string print() const;
    // SHA-256 over "path=value\n" of every value that affects results, sorted by path.
    std::string hash() const;

    const std::string& name() const { return name_; }  // file name without folder and ".toml"
    const Leaves& leaves() const { return leaves_; }
    std::vector<std::string> warnings{};  // legal but strange: lr = 0, a milestone that never comes
    std::vector<std::string> notes{};     // for -v: an override given twice

private:
    const Leaf& read(std::string_view path) const;
    template <typename T>
    const T& typed(std::string_view path) const;

    std::string name_;
    std::string stage_{};
    Leaves leaves_;
    // Shared, because the recipes of the stages report what they read to the one they came from.
    std::shared_ptr<std::set<std::string, std::less<>>> reads_;
};

// A value from outside the recipe's files: {"data.root", "/data", "env BKD_DATA"}, {"run.seed", "7", "option --seed"}.
struct RecipeSetting {
    std::string path, value, origin;
};

// Names that data.name, model.name and method.name may have; empty: not checked.
struct KnownNames {
    std::vector<std::string> data_sets{}, networks{}, methods{};
};

struct RecipeOptions {
    std::vector<std::filesystem::path> folders{};  // of installed recipes, searched after ./NAME.toml
    std::filesystem::path user_file{};             // empty or absent file: none
    std::vector<RecipeSetting> environment{}, options{};
    KnownNames names{};
};

// `name` is an installed recipe's name or a path (with a '/' or ".toml"). Errors: RecipeErrors E03nn, E0205 (override),
// E0440 (base outside), E0501 .. E0504 (file), E1006 (newer schema).
Recipe load_recipe(const std::string& name, const std::vector<std::string>& overrides = {},
                   const RecipeOptions& options = {});

struct InstalledRecipe {
    std::string name, about;  // about: the first comment line
};
std::vector<InstalledRecipe> installed_recipes(std::span<const std::filesystem::path> folders);  // sorted by name
std::string folder_list(std::span<const std::filesystem::path> folders);                         // "a, b", for messages

}
