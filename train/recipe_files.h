#pragma once
// The files of a recipe: found by name or path, read, and followed along their `base` chain.
#include "train/recipe_toml.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

// "exp/my.toml" as it is; "cifar100_lt_100_bkd": ./NAME.toml, then NAME.toml in each folder. E0501 with the nearest
// name.
std::filesystem::path find_recipe_file(const std::string& name, std::span<const std::filesystem::path> folders);

// E0501, E0502, E0503 (cannot read), E0306 (too large), E0301 (no TOML). `asked_by`: "exp.toml:2:8" of a base.
TomlDocument read_recipe_file(const std::filesystem::path& file, std::string_view asked_by);

// The recipe and its bases, the lowest first. A base is relative to the file that names it, else to the installed
// recipes. E0307: a cycle, or more than 8; E0440: a base outside the recipe's folder and the installed recipes.
std::vector<TomlDocument> read_base_chain(const std::filesystem::path& file,
                                          std::span<const std::filesystem::path> folders);

}
