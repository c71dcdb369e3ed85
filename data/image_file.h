#pragma once
// Images of one file, whatever kind of file it is, for a model to look at. The kind is told by name and first bytes:
//
//   IDX              two zero bytes, type 08: [n, height, width] or [n, height, width, channels]
//   CIFAR records    3,073 bytes each (CIFAR-10) or 3,074 (CIFAR-100)
//   "*.res"          the packed cifar10_lt100 (packed_cifar.cpp)
//
// Each as it is, or as .gz or .xz. Labels beside the pixels are checked and left out.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace bkd {

struct ImageFile {
    std::string path{};  // as messages show it
    std::int64_t height = 0, width = 0, channels = 0;
    std::vector<std::uint8_t> images{};  // [n, height, width, channels], row-major

    std::int64_t image_bytes() const { return height * width * channels; }
    std::int64_t size() const { return static_cast<std::int64_t>(images.size()) / image_bytes(); }
};

// At least one image. E0434 for a file of another kind, with what it seems to be; E0430 for an empty one; E0407 for
// records of more than 256 MiB; of the readers E04nn, E0501 .. E0504.
ImageFile read_image_file(const std::filesystem::path& path);

}
