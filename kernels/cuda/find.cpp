#include "kernels/cuda/find.h"

#include "kernels/cuda/entry.h"

#include <unistd.h>

#include <filesystem>

namespace bkd::kernels::cuda {

namespace fs = std::filesystem;

std::vector<std::string> backend_paths() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (error) return {};
    const fs::path folder = program.parent_path();
    return {(folder / object_name).string(), (folder.parent_path() / "lib" / "bkd" / object_name).string()};
}

std::string backend_path() {
    for (std::string& path : backend_paths())
        if (std::error_code error; fs::exists(path, error)) return std::move(path);
    return {};
}

std::string plan_table_path() {
    const fs::path backend = backend_path();
    return backend.empty() ? std::string() : (backend.parent_path() / "cuda-plans.txt").string();
}

bool has_driver() { return access("/dev/nvidiactl", F_OK) == 0; }

}
