#include "data/dataset.h"

#include "kernels/error.h"

#include <array>

namespace bkd {

#define BKD_DATASET(name, title)                             \
    ImageSet describe_##name(const DatasetOptions& options); \
    ImageSet open_##name(const DatasetOptions& options, Split split);
#include "data/list.inc"
#undef BKD_DATASET

std::span<const DatasetEntry> datasets() {
#define BKD_DATASET(name, title) DatasetEntry{#name, title, describe_##name, open_##name},
    static constexpr std::array entries{
#include "data/list.inc"
    };
#undef BKD_DATASET
    return entries;
}

namespace {

const DatasetEntry& dataset_named(std::string_view name) {
    std::string names;
    for (const DatasetEntry& entry : datasets()) {
        if (entry.name == name) return entry;
        names += (names.empty() ? "" : ", ") + std::string(entry.name);
    }
    throw InputError({.id = 304,
                      .what = fmt::format("unknown data set \"{}\"", printable(name)),
                      .at = "data.name",
                      .try_ = "one of: " + names});
}

}

ImageSet describe_dataset(std::string_view name, const DatasetOptions& options) {
    return dataset_named(name).describe(options);
}

ImageSet open_dataset(std::string_view name, const DatasetOptions& options, Split split) {
    return dataset_named(name).open(options, split);
}

ImageSet open_dataset(std::string_view name, const std::filesystem::path& root, Split split) {
    return open_dataset(name, DatasetOptions{.root = root}, split);
}

Split parse_split(std::string_view text) {
    if (text == "train") return Split::train;
    if (text == "test") return Split::test;
    throw InputError(
        {.id = 304, .what = fmt::format("unknown split \"{}\"", printable(text)), .try_ = "one of: train, test"});
}

std::string_view name_of(Split split) { return split == Split::train ? "train" : "test"; }

}
