#pragma once
// Where installed recipes lie: beside the installed program (share/bkd/recipes), or in the checkout it was built in.
#include <filesystem>
#include <vector>

namespace bkd {

std::vector<std::filesystem::path> recipe_folders();

}
