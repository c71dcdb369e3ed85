// Every file of the corpus once more through its reader: seeds by what they are, and whatever a fuzzer once found.
#include "engine/file.h"
#include "tests/fuzz/targets.h"

#include <doctest/doctest.h>

#include <filesystem>

namespace bkd::fuzz {
namespace {

// Files whose names begin with "read_" are read, all others refused.
int replay(const char* folder, bool (*target)(Bytes)) {
    int files = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(BKD_SOURCE_DIR "/tests/fuzz/corpus") / folder)) {
        const std::string name = entry.path().filename().string();
        CAPTURE(name);
        CHECK(target(read_file(entry.path(), 1 << 20)) == name.starts_with("read_"));
        ++files;
    }
    return files;
}

}

TEST_CASE("readers take what is sound in the corpus of the fuzzers and refuse the rest") {
    CHECK(replay("safetensors", safetensors) >= 20);
    CHECK(replay("pth", pth) >= 20);
    CHECK(replay("idx", idx) >= 10);
    CHECK(replay("cifar", cifar) >= 5);
    CHECK(replay("recipe", recipe) >= 15);
    CHECK(replay("picture_header", picture_header) >= 20);
    CHECK(replay("picture", picture) >= 45);
    CHECK(replay("picture_list", picture_list) >= 15);
}

}
