#include "train/schema.h"

#include "kernels/error.h"
#include "train/schema_nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace bkd {
namespace {

constexpr std::string_view stage_keys = "stages.<name>.";

std::string_view table_of(std::string_view name) {
    const std::size_t dot = name.find('.');
    return dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
}

// Which tables one stage may have for itself: what is computed, not where it runs or what is shown of it.
bool may_differ_by_stage(std::string_view name) {
    static constexpr std::array<std::string_view, 8> common = {"",     "run", "eval",       "compute",
                                                               "dist", "log", "checkpoint", "stages"};
    return std::find(common.begin(), common.end(), table_of(name)) == common.end();
}

const Key* find_row(std::string_view name) {
    for (const Key& key : schema())
        if (key.name == name) return &key;
    return nullptr;
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('.') + 1); }

// A key that others know under this name, in the same table if the path has one.
std::string_view key_with_alias(std::string_view path) {
    for (const bool same_table : {true, false})
        for (const Key& key : schema()) {
            if (same_table && table_of(key.name) != table_of(path)) continue;
            for (const std::string& alias : split_words(key.aliases))
                if (lower_case(alias) == lower_case(last_part(path))) return key.name;
        }
    return {};
}

// The same last part in other tables: "lr" or "train.lr" for "optim.lr".
std::vector<std::string> keys_in_other_tables(std::string_view path) {
    std::vector<std::string> found;
    for (const Key& key : schema())
        if (last_part(key.name) == lower_case(last_part(path)) && !key.name.starts_with(stage_keys))
            found.emplace_back(key.name);
    return found;
}

// Keys that begin with "optim." for a path "optim.x"; the tables, if there is no such table.
std::string keys_at_level(std::string_view path) {
    std::vector<std::string> names;
    const std::string_view table = table_of(path);
    for (const Key& key : schema())
        if (!table.empty() && table_of(key.name) == table && !key.is_later) names.emplace_back(key.name);
    if (!names.empty()) return fmt::format("one of: {}", fmt::join(names, ", "));
    for (const Key& key : schema()) {
        const std::string name =
            table_of(key.name).empty() ? std::string(key.name) : fmt::format("[{}]", table_of(key.name));
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return fmt::format("one of: {}", fmt::join(names, ", "));
}

std::string suggest_row(std::string_view path) {
    std::vector<std::string> names;
    for (const Key& key : schema()) names.emplace_back(key.name);
    // A table's name alone, as in `optim = 3`: its keys are what can be set.
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return table_of(name) == path; }))
        return keys_at_level(fmt::format("{}.", path));
    const std::string lower = lower_case(path);
    if (find_row(lower) != nullptr) return lower;
    if (const std::string_view alias = key_with_alias(path); !alias.empty()) return std::string(alias);
    if (const std::string nearest = nearest_word(path, names); !nearest.empty()) return nearest;
    const std::vector<std::string> elsewhere = keys_in_other_tables(path);
    if (!elsewhere.empty()) return fmt::format("{}", fmt::join(elsewhere, " or "));
    return keys_at_level(path);
}

std::string_view effect_name(KeyEffect effect) {
    switch (effect) {
        case KeyEffect::result:
            return "affects results";
        case KeyEffect::machine:
            return "this machine only";
        case KeyEffect::output:
            return "output only";
    }
    return {};
}

std::string_view resume_name(KeyResume resume) {
    switch (resume) {
        case KeyResume::fixed:
            return "may not change";
        case KeyResume::free:
            return "may change";
        case KeyResume::upwards:
            return "may grow";
    }
    return {};
}

std::string values_of(const Key& key) {
    if (!key.choices.empty()) return fmt::format("{}", fmt::join(split_words(key.choices), " / "));
    return key.range.empty() ? std::string(type_name(key.type))
                             : fmt::format("{} in {}", type_name(key.type), key.range);
}

}

std::string_view type_name(KeyType type) {
    switch (type) {
        case KeyType::boolean:
            return "true or false";
        case KeyType::integer:
            return "a whole number";
        case KeyType::number:
            return "a number";
        case KeyType::text:
            return "a text";
        case KeyType::choice:
            return "a text";
        case KeyType::path:
            return "a path";
        case KeyType::integers:
            return "a list of whole numbers";
        case KeyType::texts:
            return "a list of texts";
    }
    return {};
}

std::vector<std::string> split_words(std::string_view words) {
    std::vector<std::string> parts;
    while (!words.empty()) {
        const std::size_t end = std::min(words.find(' '), words.size());
        if (end > 0) parts.emplace_back(words.substr(0, end));
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return parts;
}

StagePath split_stage(std::string_view path) {
    constexpr std::string_view table = "stages.";
    if (!path.starts_with(table)) return {{}, path};
    const std::string_view rest = path.substr(table.size());
    const std::size_t dot = rest.find('.');
    if (dot == 0 || dot == std::string_view::npos) return {{}, path};
    return {rest.substr(0, dot), rest.substr(dot + 1)};
}

const Key* find_key(std::string_view path) {
    const auto [stage, rest] = split_stage(path);
    if (stage.empty()) return path.starts_with("stages.") ? nullptr : find_row(path);
    if (const Key* key = find_row(fmt::format("{}{}", stage_keys, rest))) return key;
    return may_differ_by_stage(rest) ? find_row(rest) : nullptr;
}

std::string suggest_key(std::string_view path) {
    const auto [stage, rest] = split_stage(path);
    if (stage.empty()) return suggest_row(path);
    // Within a stage the nearest of its own three keys, else of the tables it may have.
    const std::vector<std::string> own = {"epochs", "init_from", "freeze"};
    const std::string nearest = rest.find('.') == std::string_view::npos ? nearest_word(rest, own) : suggest_row(rest);
    if (nearest.empty())
        return fmt::format("one of: epochs, init_from, freeze, or a key such as stages.{}.optim.lr", stage);
    const std::string within = fmt::format("stages.{}.{}", stage, nearest);
    return find_key(within) == nullptr ? nearest : within;  // some keys are the same for all stages
}

std::vector<std::string> keys_meant_by(std::string_view word) {
    std::string name = lower_case(word);
    std::replace(name.begin(), name.end(), '-', '_');
    if (find_key(name) != nullptr) return {name};
    if (const std::string_view alias = key_with_alias(name); !alias.empty()) return {std::string(alias)};
    std::vector<std::string> found = keys_in_other_tables(name);
    // Short words are near too many.
    if (found.empty() && name.size() >= 4) {
        std::vector<std::string> parts;
        for (const Key& key : schema()) parts.emplace_back(last_part(key.name));
        if (const std::string nearest = nearest_word(name, parts); !nearest.empty())
            found = keys_in_other_tables(nearest);
    }
    std::erase_if(found, [](const std::string& key) { return find_row(key)->is_later; });
    return found;
}

std::string key_help(std::string_view path) {
    const Key* key = find_row(path);
    if (key == nullptr) key = find_key(path);
    if (key == nullptr)
        throw InputError({.id = 201, .what = fmt::format("no key \"{}\"", printable(path)), .try_ = suggest_key(path)});
    std::string help = fmt::format("{}\n  {}\n  value:   {}\n", key->name, key->doc, values_of(*key));
    if (key->is_later) return help + "  this version does not have it yet\n";
    help += fmt::format("  default: {}\n",
                        key->standard.empty() ? (key->is_required ? "none: it must be set" : "unset") : key->standard);
    if (!key->source.empty()) help += fmt::format("  from:    {}\n", key->source);
    if (!key->why.empty()) help += fmt::format("  why:     {}\n", key->why);
    return help + fmt::format("  {}; on resume it {}\n", effect_name(key->effect), resume_name(key->resume));
}

std::string schema_markdown() {
    std::string page = "| key | value | default | meaning | from | effect | on resume |\n";
    page += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (const Key& key : schema()) {
        const std::string standard = key.standard.empty() ? std::string{} : fmt::format("`{}`", key.standard);
        page += fmt::format("| `{}` | {} | {} | {}{} | {} | {} | {} |\n", key.name, values_of(key), standard, key.doc,
                            key.is_later ? " (not in this version)" : "", key.source, effect_name(key.effect),
                            resume_name(key.resume));
    }
    return page;
}

}
