// A recipe as text, and the fingerprint of what affects results: see recipe.h.
#include "engine/sha256.h"
#include "train/recipe.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkd {
namespace {

// "[optim]" and "lr" of "optim.lr"; "[stages.teacher.optim]" and "lr" of "stages.teacher.optim.lr".
std::pair<std::string, std::string> table_and_name(std::string_view path) {
    const auto [stage, rest] = split_stage(path);
    const std::size_t dot = rest.find('.');
    const std::string_view table = dot == std::string_view::npos ? std::string_view{} : rest.substr(0, dot);
    const std::string name(rest.substr(dot == std::string_view::npos ? 0 : dot + 1));
    if (stage.empty()) return {std::string(table), name};
    return {table.empty() ? fmt::format("stages.{}", stage) : fmt::format("stages.{}.{}", stage, table), name};
}

// Leaves in the order of the schema, those of the stages behind it, by stage.
std::vector<const Leaf*> in_order(const Recipe::Leaves& leaves) {
    std::vector<const Leaf*> sorted;
    for (const auto& [path, leaf] : leaves) sorted.push_back(&leaf);
    std::stable_sort(sorted.begin(), sorted.end(), [](const Leaf* a, const Leaf* b) {
        const std::string_view stage_a = split_stage(a->path).stage, stage_b = split_stage(b->path).stage;
        if (stage_a != stage_b) return stage_a < stage_b;
        // A stage's own keys come before its tables.
        const bool own_a = a->key->name.starts_with("stages."), own_b = b->key->name.starts_with("stages.");
        return own_a != own_b ? own_a : a->key < b->key;
    });
    return sorted;
}

}

std::string Recipe::print() const {
    constexpr std::size_t comment_column = 40;
    std::string page, table;
    for (const Leaf* leaf : in_order(leaves_)) {
        const auto [leaf_table, name] = table_and_name(leaf->path);
        if (leaf_table != table) page += fmt::format("\n[{}]\n", leaf_table);
        table = leaf_table;
        const bool is_live = leaf->is_explicit || reads_->contains(leaf->path);
        std::string line = fmt::format("{}{} = {}", is_live ? "" : "# ", name, value_text(leaf->value));
        line.resize(std::max(line.size(), comment_column), ' ');
        page += fmt::format("{} # {}\n", line, printable(leaf->provenance));
    }
    return page;
}

std::string Recipe::hash() const {
    Sha256 hash;
    for (const auto& [path, leaf] : leaves_) {
        if (leaf.key->effect != KeyEffect::result) continue;
        const std::string line = fmt::format("{}={}\n", path, value_text(leaf.value));
        hash.update(line.data(), line.size());
    }
    return hash.hex();
}

}
