#include "tools/recipe_folders.h"

#include "data/dataset.h"
#include "models/network.h"
#include "train/method.h"

#include <cstdlib>
#include <system_error>

namespace bkd {

std::vector<std::filesystem::path> recipe_folders() {
    std::error_code no_proc;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", no_proc).parent_path();
    std::vector<std::filesystem::path> folders;
    for (const std::filesystem::path& candidate :
         {program / "../share/bkd/recipes", program / "../../train/recipes", std::filesystem::path("train/recipes")}) {
        std::error_code error;
        const std::filesystem::file_type type = std::filesystem::status(candidate, error).type();
        if (type == std::filesystem::file_type::directory || type == std::filesystem::file_type::not_found)
            folders.push_back(candidate.lexically_normal());
    }
    return folders;
}

std::string data_root_of_environment() {
    const char* data = std::getenv("BKD_DATA");
    return data != nullptr && *data != '\0' ? data : "auto";
}

RecipeOptions recipe_options() {
    RecipeOptions options{.folders = recipe_folders()};
    for (const DatasetEntry& entry : datasets()) options.names.data_sets.emplace_back(entry.name);
    for (const NetworkEntry& entry : network_list()) options.names.networks.emplace_back(entry.name);
    for (const MethodEntry& entry : method_list()) options.names.methods.emplace_back(entry.name);
    if (const std::string data = data_root_of_environment(); data != "auto")
        options.environment.push_back({"data.root", data, "env BKD_DATA"});
    if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder != '\0')
        options.user_file = std::filesystem::path(folder) / "bkd/config.toml";
    return options;
}

}
