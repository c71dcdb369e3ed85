#pragma once
// Where public weights, data sets and the generator of golden files lie: beside the source tree, or in $BKD_SHARED.
// They are too large to be part of it; tests that need them say so and pass where they are absent.
#include <cstdlib>
#include <filesystem>

namespace bkd::test {

inline std::filesystem::path shared_folder() {
    const char* from = std::getenv("BKD_SHARED");
    return from != nullptr ? from : BKD_SOURCE_DIR "/../shared";
}

}
