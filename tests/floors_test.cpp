// Who may include whom, as docs/architecture.md draws it: an include goes down, never up or sideways. And what else is
// read off the sources: their length, and what stands above a CUDA kernel.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace fs = std::filesystem;

namespace {

const std::map<std::string, std::set<std::string>> floors = {
    {"kernels", {"kernels"}},
    {"engine", {"kernels", "engine"}},
    {"models", {"kernels", "engine", "models"}},
    {"data", {"kernels", "engine", "data"}},
    {"train", {"kernels", "engine", "models", "data", "train"}},
    {"tools", {"kernels", "engine", "models", "data", "train", "tools"}},
    {"tests", {"kernels", "engine", "models", "data", "train", "tools", "tests"}},
};
// Above the engine only the words of kernels/ are seen: what calls a kernel past the engine has no gradient.
const std::set<std::string> families = {"activation", "convolution", "elementwise",   "embedding", "image",
                                        "loss",       "matmul",      "normalization", "optimizer", "pooling",
                                        "random",     "reduction",   "sequence"};
// Third parties, each behind one door.
const std::map<std::string, std::string> third_party = {
    {"dnnl", "kernels/cpu/"},
    {"oneapi/", "kernels/cpu/"},
    {"toml++", "train/recipe_toml.cpp"},
    {"CLI/", "tools/"},
    {"nlohmann/", "engine/json"},
    {"jpeglib.h", "data/decode_jpeg.cpp"},
    {"lzma.h", "data/decompress"},
    {"stb/", "data/decode.cpp"},
    {"zlib.h", "data/decompress"},
    {"doctest", "tests/"},
    {"omp.h", "kernels/cpu/"},
    {"cuda", "kernels/cuda/"},
    {"cublas", "kernels/cuda/"},
    {"cudnn", "kernels/cuda/"},
};

bool is_source(const fs::path& path) {
    const std::string extension = path.extension().string();
    return extension == ".cpp" || extension == ".h" || extension == ".cu" || extension == ".cuh";
}

std::string first_part(const std::string& path) { return path.substr(0, path.find('/')); }

template <class Visit>
int for_each_include(Visit visit) {
    const fs::path root = BKD_SOURCE_DIR;
    int files = 0;
    for (const auto& [floor, allowed] : floors)
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / floor)) {
            if (!is_source(entry.path())) continue;
            ++files;
            std::ifstream file(entry.path());
            for (std::string line; std::getline(file, line);) {
                if (!line.starts_with("#include")) continue;
                const std::size_t from = line.find_first_of("\"<");
                const std::size_t to = line.find_first_of("\">", from + 1);
                REQUIRE(to != std::string::npos);
                visit(fs::relative(entry.path(), root).string(), line[from] == '"',
                      line.substr(from + 1, to - from - 1));
            }
        }
    return files;
}

}

TEST_CASE("an include goes down the floors, never up or sideways") {
    const int files = for_each_include([](const std::string& file, bool quoted, const std::string& included) {
        if (!quoted) return;
        CAPTURE(file);
        CAPTURE(included);
        CHECK(included.find('/') != std::string::npos);  // written from the root: says its floor
        CHECK(floors.at(first_part(file)).contains(first_part(included)));
    });
    CHECK(files > 100);
}

TEST_CASE("models and the train floor call ops, never a kernel family past the engine") {
    for_each_include([](const std::string& file, bool quoted, const std::string& included) {
        if (!quoted || (first_part(file) != "models" && first_part(file) != "train")) return;
        CAPTURE(file);
        CAPTURE(included);
        for (const std::string& family : families) CHECK(included != "kernels/" + family + ".h");
    });
}

TEST_CASE("a third-party header is included behind one door") {
    for_each_include([](const std::string& file, bool, const std::string& included) {
        for (const auto& [header, door] : third_party) {
            if (!included.starts_with(header) || first_part(file) == "tests") continue;
            CAPTURE(file);
            CAPTURE(included);
            CHECK(file.starts_with(door));
        }
    });
}

TEST_CASE("no own source file is longer than 500 lines") {
    const fs::path root = BKD_SOURCE_DIR;
    for (const auto& [floor, allowed] : floors)
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / floor)) {
            if (!is_source(entry.path())) continue;
            const std::string file = fs::relative(entry.path(), root).string();
            if (file.starts_with("kernels/cases/")) continue;  // a table may be long
            std::ifstream in(entry.path());
            int lines = 0;
            for (std::string line; std::getline(in, line);) ++lines;
            CAPTURE(file);
            CHECK(lines <= 500);
        }
}

TEST_CASE("every CUDA kernel has its formula, shapes, thread mapping and bytes in the comment directly above it") {
    int kernels = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(BKD_SOURCE_DIR) / "kernels/cuda")) {
        const fs::path extension = entry.path().extension();
        if (extension != ".cu" && extension != ".cuh") continue;
        const std::string file = entry.path().filename().string();
        std::ifstream in(entry.path());
        std::string comment;  // that stands directly above `line`
        int number = 0;
        for (std::string line; std::getline(in, line);) {
            ++number;
            if (line.starts_with("//")) {
                comment += line + "\n";
                continue;
            }
            if (line.find("__global__") != std::string::npos) {
                ++kernels;
                CAPTURE(file);
                CAPTURE(number);
                for (const std::string word : {"Formula", "Shapes", "Mapping", "Bytes"}) {
                    CAPTURE(word);
                    CHECK(comment.find("// " + word + std::string(10 - word.size(), ' ')) != std::string::npos);
                }
            }
            const bool belongs_to_next = line.starts_with("template") || line.starts_with("__launch_bounds__");
            if (!belongs_to_next) comment.clear();
        }
    }
    CHECK(kernels > 50);
}
