// What holds of the sources of the CUDA kernels.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

template <class Visit>
void for_each_source(Visit visit) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(BKD_SOURCE_DIR "/kernels/cuda")) {
        const std::string extension = entry.path().extension().string();
        if (extension == ".cu" || extension == ".cuh" || extension == ".cpp" || extension == ".h")
            visit(entry.path(), text_of(entry.path()));
    }
}

}

TEST_CASE("kernels are launched in one place") {
    std::vector<std::string> places;
    for_each_source([&](const fs::path& path, const std::string& text) {
        for (std::size_t at = text.find("<<<grid"); at != std::string::npos; at = text.find("<<<grid", at + 1))
            places.push_back(path.filename().string());
    });
    CHECK(places == std::vector<std::string>{"launch.cuh"});
}

TEST_CASE("a kernel's body is the same on the device and on the host: no conditional compilation in a .cu file") {
    int files = 0;
    for_each_source([&](const fs::path& path, const std::string& text) {
        if (path.extension() != ".cu") return;
        ++files;
        CAPTURE(path.string());
        CHECK(text.find("\n#if") == std::string::npos);
    });
    CHECK(files >= 14);
}

TEST_CASE("kernels add no floats atomically, use no fast mathematics, and print nothing") {
    const std::regex forbidden("atomicAdd\\(\\s*&?\\w*(sum|loss|grad)|__expf|__logf|__fdividef|\\bprintf\\(");
    for_each_source([&](const fs::path& path, const std::string& text) {
        if (path.extension() != ".cu" && path.extension() != ".cuh") return;
        CAPTURE(path.string());
        CHECK_FALSE(std::regex_search(text, forbidden));
    });
}
