#pragma once
// Data sets by name. A set is one file beside this one, which defines `describe_<name>` and `open_<name>`, and its line
// in list.inc.
#include "data/image_set.h"
#include "data/picture_transform.h"

#include <filesystem>
#include <string_view>

namespace bkd {

struct DatasetOptions {
    // The folder that holds the set's files or the folder they are usually unpacked to; "auto" looks in ./data and where
    // Debian's packages put them.
    std::filesystem::path root = "auto";
    // Of sets of pictures in files:
    PictureTransform pictures{};
    bool allows_empty = false;  // classes without training pictures
    std::int64_t max_bad = 0;   // left out as unreadable; above 0 all are tried when the set is opened
};

struct DatasetEntry {
    std::string_view name;
    std::string_view title;
    ImageSet (*describe)(const DatasetOptions& options);
    ImageSet (*open)(const DatasetOptions& options, Split split);
};

std::span<const DatasetEntry> datasets();  // sorted by name

// What is known of a set without any file: class names (of published sets in memory), extents of an image,
// normalisation; no samples. E0304 likewise.
ImageSet describe_dataset(std::string_view name, const DatasetOptions& options = {});

// Reads and checks a whole split; of pictures in files their list. E0304 for a name that is not in the list.
ImageSet open_dataset(std::string_view name, const DatasetOptions& options, Split split);
ImageSet open_dataset(std::string_view name, const std::filesystem::path& root, Split split);

Split parse_split(std::string_view text);  // "train", "test"; E0304
std::string_view name_of(Split split);

}
