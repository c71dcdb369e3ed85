#include "tools/recipe_folders.h"

#include <system_error>

namespace bkd {

std::vector<std::filesystem::path> recipe_folders() {
    std::error_code no_proc;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", no_proc).parent_path();
    std::vector<std::filesystem::path> folders;
    for (const std::filesystem::path& candidate :
         {program / "../share/bkd/recipes", program / "../../train/recipes", std::filesystem::path("train/recipes")}) {
        std::error_code error;
        if (std::filesystem::is_directory(candidate, error)) folders.push_back(candidate.lexically_normal());
    }
    return folders;
}

}
