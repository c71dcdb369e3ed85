#pragma once
// Data sets by name. A set is one file beside this one, which defines `describe_<name>` and `open_<name>`, and its line
// in list.inc.
#include "data/image_set.h"

#include <filesystem>
#include <string_view>

namespace bkd {

struct DatasetEntry {
    std::string_view name;
    std::string_view title;
    ImageSet (*describe)();
    ImageSet (*open)(const std::filesystem::path& root, Split split);
};

std::span<const DatasetEntry> datasets();  // sorted by name

// What is known of a set without any file: class names, extents of an image, normalisation; no samples. E0304 likewise.
ImageSet describe_dataset(std::string_view name);

// Reads and checks a whole split. `root` is the folder that holds the set's files or the folder they are usually
// unpacked to; "auto" looks in ./data and where Debian's packages put them. E0304 for a name that is not in the list.
ImageSet open_dataset(std::string_view name, const std::filesystem::path& root, Split split);

Split parse_split(std::string_view text);  // "train", "test"; E0304
std::string_view name_of(Split split);

}
