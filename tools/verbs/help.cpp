// bkd help [KEY | RECIPE | recipes | keys]: what a recipe key means, which recipes are installed, and one of them.
// main.cpp, which has the verbs, answers `bkd help VERB`.
#include "tools/recipe_folders.h"
#include "train/recipe.h"
#include "train/schema.h"

#include <algorithm>
#include <cstdio>

namespace bkd {

int run_help(const std::vector<std::string>& arguments) {
    if (arguments.size() > 1)
        throw InputError({.id = 207,
                          .what = fmt::format("bkd help takes one word: \"{}\" is too much", printable(arguments[1])),
                          .try_ = "bkd help KEY"});
    const std::string word = arguments.empty() ? "" : arguments[0];
    const std::vector<std::filesystem::path> folders = recipe_folders();
    const std::vector<InstalledRecipe> recipes = installed_recipes(folders);
    if (word == "recipes") {
        if (recipes.empty())
            throw InputError({.id = 501,
                              .what = "no recipe is installed",
                              .why = "looked in " + folder_list(folders),
                              .try_ = "bkd train FILE.toml"});
        for (const InstalledRecipe& recipe : recipes) fmt::print("{}\n    {}\n", recipe.name, recipe.about);
    } else if (word == "keys") {
        for (const Key& key : schema()) fmt::print("{:<28} {}\n", key.name, key.doc);
    } else if (const auto named = std::ranges::find(recipes, word, &InstalledRecipe::name); named != recipes.end()) {
        fmt::print("{0}: {1}\n\n    bkd inspect {0}    every value of it and where it came from\n"
                   "    bkd train {0}\n",
                   named->name, named->about);
    } else {
        fmt::print("{}", key_help(word));
    }
    return 0;
}

}
