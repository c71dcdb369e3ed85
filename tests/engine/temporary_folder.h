#pragma once
// What tests of files share: a folder that is gone after the test, and the id of the error a call throws.
#include "engine/file.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace bkd_test {

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "bkd_test_XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
        path_ = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name, std::ios::binary | std::ios::trunc) << text;
    }
    static std::string text(const std::filesystem::path& path) {
        const auto bytes = bkd::read_file(path, 1 << 30);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

private:
    std::filesystem::path path_;
};

// "E0413", or "accepted" if nothing was thrown.
template <class Call>
std::string id_of(Call call) {
    try {
        call();
    } catch (const bkd::InputError& error) { return error.id(); }
    return "accepted";
}

}
