// From files, overrides and options to a Recipe: the layers of recipe.h, each value checked where its place is known.
#include "engine/file.h"
#include "train/recipe.h"
#include "train/recipe_check.h"
#include "train/recipe_files.h"
#include "train/recipe_override.h"
#include "train/recipe_preset.h"
#include "train/recipe_toml.h"
#include "train/schema_nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace bkd {
namespace {

enum class Layer { file, user_file, environment, override_, option };

struct Entry {
    std::string path;
    TomlValue value;
    std::string provenance, source{};        // of the key
    std::string value_at{}, value_source{};  // of the value; empty: as the key
    Layer layer = Layer::file;
};

class Loader {
public:
    explicit Loader(const RecipeOptions& options) : options_(options) {}

    void add_document(const TomlDocument& document, Layer layer) {
        for (const TomlLeaf& leaf : document.leaves)
            add({leaf.path, leaf.value, document.at(leaf.key_place), document.marked_line(leaf.key_place),
                 document.at(leaf.value_place), document.marked_line(leaf.value_place), layer});
    }

    void add_settings(const std::vector<RecipeSetting>& settings, Layer layer) {
        for (const RecipeSetting& setting : settings) {
            TomlValue text;
            text.kind = TomlValue::Kind::text;
            text.text = setting.value;
            const Key* key = find_key(setting.path);
            const bool takes_text = key != nullptr && (key->type == KeyType::text || key->type == KeyType::path ||
                                                       key->type == KeyType::choice);
            // An option's or variable's text needs no quotes, whatever it looks like.
            const TomlValue value = takes_text ? text : parse_toml_value(setting.value).value_or(text);
            add({.path = setting.path, .value = value, .provenance = setting.origin, .layer = layer});
        }
    }

    void add_override(std::size_t number, const std::string& text) {
        collect([&] {
            const Override change = parse_override(number, text);
            Entry entry{
                .path = change.path, .value = change.value, .provenance = change.provenance, .layer = Layer::override_};
            if (change.key != nullptr && change.action != Override::Action::set)
                entry.value = changed_list(change, current_value(change.path, *change.key));
            const Leaf* before = find(change.path);
            if (before != nullptr && change.action == Override::Action::set &&
                before->provenance.starts_with("override #"))
                notes_.push_back(fmt::format("{} replaces {}", change.provenance, before->provenance));
            add(entry);
        });
    }

    Recipe finish(const std::string& name, const std::string& file) {
        require_keys(file);
        if (!errors_.empty()) throw RecipeErrors(std::move(errors_));
        add_presets();
        for (const Key& key : schema())
            if (!key.standard.empty() && find(key.name) == nullptr) add_standing(key, key.standard, "default");
        Recipe recipe(name, std::move(leaves_));
        RecipeFindings findings = check_contradictions(recipe);
        if (!findings.errors.empty()) throw RecipeErrors(std::move(findings.errors));
        recipe.warnings = std::move(findings.warnings);
        recipe.notes = std::move(notes_);
        return recipe;
    }

private:
    // Runs `action`; what it refuses joins the other errors, up to 20.
    void collect(const std::function<void()>& action) {
        constexpr std::size_t error_limit = 20;
        try {
            action();
        } catch (const InputError& error) {
            errors_.push_back(error);
            if (errors_.size() >= error_limit) throw RecipeErrors(std::move(errors_));
        }
    }

    const Leaf* find(std::string_view path) const {
        const auto found = leaves_.find(path);
        return found == leaves_.end() ? nullptr : &found->second;
    }

    void add(const Entry& entry) {
        if (entry.path == "base" && entry.layer == Layer::file) return;  // acted on when the files were read
        collect([&] {
            const Key& key = known_key(entry);
            if (entry.value.kind == TomlValue::Kind::table && is_table(entry.path)) return;
            const std::string& at = entry.value_at.empty() ? entry.provenance : entry.value_at;
            try {
                Leaf leaf{entry.path,   &key, checked_value(key, entry.path, entry.value), entry.provenance, true,
                          entry.source, at};
                check_name(leaf);
                leaves_.insert_or_assign(entry.path, std::move(leaf));
            } catch (const InputError& error) {
                InputError::Parts parts = error.parts();
                parts.at = at;
                parts.source = entry.value_source;
                throw InputError(std::move(parts));
            }
        });
    }

    // Whether keys can stand under the path: an empty table of that name is nothing.
    static bool is_table(std::string_view path) {
        const auto [stage, rest] = split_stage(path);
        if (path == "stages" || (stage.empty() && path.starts_with("stages."))) return true;
        return std::any_of(schema().begin(), schema().end(),
                           [&](const Key& key) { return key.name.starts_with(fmt::format("{}.", rest)); });
    }

    const Key& known_key(const Entry& entry) const {
        const auto fail = [&](int id, std::string what, std::string why, std::string advice) {
            throw InputError({.id = id,
                              .what = std::move(what),
                              .at = entry.provenance,
                              .source = entry.source,
                              .why = std::move(why),
                              .try_ = std::move(advice)});
        };
        const Key* key = find_key(entry.path);
        static constexpr Key table{.name = "", .doc = "an empty table"};
        if (key == nullptr && entry.value.kind == TomlValue::Kind::table && is_table(entry.path)) return table;
        if (key == nullptr)
            fail(302, fmt::format("unknown key \"{}\"", printable(entry.path)), {}, suggest_key(entry.path));
        if (key->is_later)
            fail(308, fmt::format("{} is not in this version", entry.path), std::string(key->doc), "remove it");
        const bool is_private = entry.layer == Layer::user_file || entry.layer == Layer::environment;
        if (is_private && key->effect != KeyEffect::machine)
            fail(309, fmt::format("{} may not be set here", entry.path),
                 "only keys of this machine: a recipe, its overrides and the seed are the whole experiment",
                 fmt::format("the override {}=VALUE", entry.path));
        if (key->name == "base")
            fail(305, "base can be set in a recipe's file only", {}, "write a recipe with this base");
        return *key;
    }

    void check_name(const Leaf& leaf) const {
        const std::vector<std::string>* names = leaf.key->name == "data.name"    ? &options_.names.data_sets
                                                : leaf.key->name == "model.name" ? &options_.names.networks
                                                : leaf.key->name == "method.name" || leaf.key->name == "teacher.method"
                                                    ? &options_.names.methods
                                                    : nullptr;
        if (names == nullptr || names->empty()) return;
        const std::string& name = std::get<std::string>(leaf.value);
        if (std::find(names->begin(), names->end(), name) != names->end()) return;
        throw InputError({.id = 304,
                          .what = fmt::format("{} must be one of {}, got \"{}\"", leaf.path,
                                              words_nearest_first(name, *names), printable(name))});
    }

    std::optional<Value> current_value(const std::string& path, const Key& key) const {
        if (const Leaf* leaf = find(path)) return leaf->value;
        if (const Leaf* leaf = find(key.name)) return leaf->value;  // a stage starts from what holds for all
        if (key.standard.empty()) return std::nullopt;
        return checked_value(key, path, *parse_toml_value(key.standard));
    }

    void require_keys(const std::string& file) {
        std::vector<std::string_view> missing;
        for (const Key& key : schema())
            if (key.is_required && find(key.name) == nullptr) missing.insert(missing.begin(), key.name);
        // A value that was refused has been reported.
        if (missing.empty() || !errors_.empty()) return;
        errors_.push_back(InputError(
            {.id = 303,
             .what = fmt::format("{} {} required", fmt::join(missing, ", "), missing.size() == 1 ? "is" : "are"),
             .at = file,
             .try_ = "a [table] with name = \"...\" for each"}));
    }

    void add_standing(const Key& key, std::string_view value, std::string provenance) {
        const std::optional<TomlValue> parsed = parse_toml_value(value);
        BKD_CHECK(parsed.has_value(), "value {} of {} is no TOML", value, key.name);
        const std::string path(key.name);
        leaves_.emplace(path, Leaf{path, &key, checked_value(key, path, *parsed), provenance, false, {}, provenance});
    }

    void add_presets() {
        const auto text = [&](std::string_view path, std::string_view standard) {
            const Leaf* leaf = find(path);
            return leaf == nullptr ? std::string(standard) : std::get<std::string>(leaf->value);
        };
        const std::string preset = text("preset", "paper");
        for (const PresetValue* row : preset_values_for(preset, text("data.name", ""), text("method.name", "ce"))) {
            const Key* key = find_key(row->key);
            BKD_CHECK(key != nullptr, "preset sets {}, which is no key", row->key);
            if (find(row->key) == nullptr)
                add_standing(*key, row->value, fmt::format("preset {} ({})", preset, row->source));
        }
    }

    const RecipeOptions& options_;
    Recipe::Leaves leaves_;
    std::vector<InputError> errors_;
    std::vector<std::string> notes_;
};

}

Recipe load_recipe(const std::string& name, const std::vector<std::string>& overrides, const RecipeOptions& options) {
    const std::filesystem::path file = find_recipe_file(name, options.folders);
    const std::vector<TomlDocument> chain = read_base_chain(file, options.folders);
    Loader loader(options);
    for (const TomlDocument& document : chain) loader.add_document(document, Layer::file);
    if (!options.user_file.empty() && std::filesystem::exists(options.user_file))
        loader.add_document(read_recipe_file(options.user_file, {}), Layer::user_file);
    loader.add_settings(options.environment, Layer::environment);
    for (std::size_t i = 0; i < overrides.size(); ++i) loader.add_override(i + 1, overrides[i]);
    loader.add_settings(options.options, Layer::option);
    return loader.finish(file.stem().string(), chain.back().file);
}

}
