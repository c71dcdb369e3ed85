#pragma once
// What the program adds to a recipe, the same for every verb that reads one.
#include "train/recipe.h"

namespace bkd {

// Where installed recipes lie: beside the installed program (share/bkd/recipes), or in the checkout it was built in.
// Not all of them need be there: messages say where was looked.
std::vector<std::filesystem::path> recipe_folders();

// These folders, the user's own file ($XDG_CONFIG_HOME/bkd/config.toml), BKD_DATA, and the names of the data sets,
// networks and methods that there are.
RecipeOptions recipe_options();

// BKD_DATA, or "auto": where verbs without a recipe look for data that no option places.
std::string data_root_of_environment();

}
