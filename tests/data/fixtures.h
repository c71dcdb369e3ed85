#pragma once
// What the tests of data/ share: the folder of real data, a folder that vanishes, labels made by rule, and the id of an
// error.
#include "data/image_set.h"
#include "engine/file.h"
#include "kernels/error.h"
#include "tests/contains.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

namespace bkd::test {

inline std::filesystem::path shared_file(const std::string& name) {
    const char* shared = std::getenv("BKD_SHARED");
    return std::filesystem::path(shared ? shared : BKD_SOURCE_DIR "/../shared") / "data" / name;
}

// Leaves the test case where the real data is absent.
#define BKD_NEEDS_SHARED(name)                                      \
    if (!std::filesystem::exists(::bkd::test::shared_file(name))) { \
        MESSAGE("skipped: no " << ::bkd::test::shared_file(name));  \
        return;                                                     \
    }

class TemporaryFolder : public bkd_test::TemporaryFolder {
public:
    std::filesystem::path write(const std::string& name, std::span<const std::byte> bytes) const {
        std::filesystem::create_directories((path() / name).parent_path());
        write_file_atomically(path() / name, bytes, Overwrite::yes);
        return path() / name;
    }
};

inline std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
    std::vector<std::byte> bytes;
    for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

inline Dataset labelled(std::vector<std::int32_t> labels, std::int64_t classes) {
    Dataset set;
    set.labels = std::move(labels);
    for (std::int64_t c = 0; c < classes; ++c) set.class_names.push_back("class" + std::to_string(c));
    return set;
}

// counts[c] samples of class c, class after class.
inline Dataset with_counts(const std::vector<std::int64_t>& counts) {
    std::vector<std::int32_t> labels;
    for (std::size_t c = 0; c < counts.size(); ++c)
        labels.insert(labels.end(), static_cast<std::size_t>(counts[c]), static_cast<std::int32_t>(c));
    return labelled(std::move(labels), static_cast<std::int64_t>(counts.size()));
}

// The error that `action` ends in: "E0430 message"; empty if it ends well.
inline std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const InputError& error) { return error.id() + " " + error.message(); }
    return {};
}

}
