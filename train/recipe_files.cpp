#include "train/recipe_files.h"

#include "engine/file.h"
#include "kernels/error.h"
#include "train/recipe.h"
#include "train/schema_nearest.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t base_limit = 8;
constexpr std::uint64_t byte_limit = 1 << 20;

// Both without symbolic links, so that a link does not lead out of the folder.
bool is_under(const fs::path& file, const fs::path& folder) {
    // weakly_canonical leaves a relative path of which nothing exists as it is.
    const fs::path inner = fs::weakly_canonical(fs::absolute(file));
    const fs::path outer = fs::weakly_canonical(fs::absolute(folder.empty() ? "." : folder));
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// `file` holds the leaf: a document's own name is one for messages.
fs::path find_base(const fs::path& file, const TomlLeaf& leaf, const fs::path& top_folder,
                   std::span<const fs::path> folders) {
    const std::string name = std::get<std::string>(checked_value(*find_key("base"), "base", leaf.value));
    std::vector<fs::path> roots = {top_folder};
    roots.insert(roots.end(), folders.begin(), folders.end());
    const fs::path beside = (file.parent_path() / name).lexically_normal();
    if (std::none_of(roots.begin(), roots.end(), [&](const fs::path& root) { return is_under(beside, root); }))
        throw InputError({.id = 440,
                          .what = fmt::format("base \"{}\" lies outside the recipe's folder", printable(name)),
                          .why = "a base lies under the recipe's folder or is an installed recipe"});
    if (fs::exists(beside)) return beside;
    for (const fs::path& folder : folders)
        if (fs::exists(folder / name) && is_under(folder / name, folder)) return folder / name;
    for (const fs::path& folder : roots)
        if (fs::exists(folder / (name + ".toml")))
            throw InputError({.id = 304,
                              .what = fmt::format("base \"{}\" is no file", printable(name)),
                              .try_ = fmt::format("base = \"{}.toml\"", printable(name))});
    return beside;
}

const TomlLeaf* base_of(const TomlDocument& document) {
    const auto found = std::find_if(document.leaves.begin(), document.leaves.end(),
                                    [](const TomlLeaf& leaf) { return leaf.path == "base"; });
    return found == document.leaves.end() ? nullptr : &*found;
}

[[noreturn]] void rethrow_at(const TomlDocument& document, const TomlLeaf& leaf, const InputError& error) {
    InputError::Parts parts = error.parts();
    parts.at = document.at(leaf.value_place);
    parts.source = document.marked_line(leaf.value_place);
    throw InputError(std::move(parts));
}

std::string first_comment(const fs::path& file) {
    const std::vector<std::byte> bytes = read_file(file, byte_limit);
    std::string_view line(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    line = line.substr(0, line.find('\n'));
    if (!line.starts_with('#')) return {};
    line.remove_prefix(std::min(line.find_first_not_of("# "), line.size()));
    return printable(line);
}

}

std::string folder_list(std::span<const fs::path> folders) {
    std::string list;
    for (const fs::path& folder : folders) list += (list.empty() ? "" : ", ") + printable(folder.string());
    return list;
}

fs::path find_recipe_file(const std::string& name, std::span<const fs::path> folders) {
    if (name.find('/') != std::string::npos || name.ends_with(".toml")) return name;
    const std::string file = fmt::format("{}.toml", name);
    if (fs::exists(file)) return file;
    for (const fs::path& folder : folders)
        if (fs::exists(folder / file)) return folder / file;
    std::vector<std::string> known;
    for (const InstalledRecipe& recipe : installed_recipes(folders)) known.push_back(recipe.name);
    const std::string nearest = nearest_word(name, known);
    throw InputError(
        {.id = 501,
         .what = fmt::format("no recipe \"{}\"", printable(name)),
         .why = known.empty() ? "no recipe is installed; looked in the working folder, " + folder_list(folders)
                              : std::string(),
         .try_ = nearest.empty() ? "bkd help recipes lists them; a file is named with its .toml" : nearest});
}

TomlDocument read_recipe_file(const fs::path& file, std::string_view asked_by) {
    std::vector<std::byte> bytes;
    try {
        bytes = read_file(file, byte_limit, asked_by);
    } catch (const InputError& error) {
        if (error.parts().id != 407) throw;
        InputError::Parts parts = error.parts();
        parts.id = 306;
        parts.why = fmt::format("a recipe has at most {} bytes", byte_limit);
        throw InputError(std::move(parts));
    }
    return parse_toml(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), file.string());
}

std::vector<TomlDocument> read_base_chain(const fs::path& file, std::span<const fs::path> folders) {
    std::vector<TomlDocument> chain;
    std::vector<fs::path> seen = {fs::weakly_canonical(file)};
    fs::path front = file;
    chain.push_back(read_recipe_file(front, {}));
    while (const TomlLeaf* leaf = base_of(chain.front())) {
        const TomlDocument& document = chain.front();
        fs::path base;
        try {
            base = find_base(front, *leaf, file.parent_path(), folders);
            const fs::path canonical = fs::weakly_canonical(base);
            if (std::find(seen.begin(), seen.end(), canonical) != seen.end())
                throw InputError({.id = 307,
                                  .what = fmt::format("base \"{}\" comes back to a recipe that it is the base of",
                                                      printable(leaf->value.text))});
            if (seen.size() > base_limit)
                throw InputError(
                    {.id = 307,
                     .what = fmt::format("base \"{}\" is base number {}", printable(leaf->value.text), base_limit + 1),
                     .why = fmt::format("a chain has at most {}", base_limit)});
            seen.push_back(canonical);
        } catch (const InputError& error) { rethrow_at(document, *leaf, error); }
        TomlDocument read = read_recipe_file(base, document.at(leaf->value_place));
        chain.insert(chain.begin(), std::move(read));
        front = base;
    }
    return chain;
}

std::vector<InstalledRecipe> installed_recipes(std::span<const fs::path> folders) {
    std::vector<InstalledRecipe> recipes;
    for (const fs::path& folder : folders) {
        std::error_code ignored;  // an absent folder has no recipes
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
            if (entry.path().extension() == ".toml" &&
                std::ranges::find(recipes, entry.path().stem().string(), &InstalledRecipe::name) == recipes.end())
                recipes.push_back({entry.path().stem().string(), first_comment(entry.path())});
    }
    std::sort(recipes.begin(), recipes.end(),
              [](const InstalledRecipe& a, const InstalledRecipe& b) { return a.name < b.name; });
    return recipes;
}

}
