#pragma once
// What a data set, or a cut of it, consists of: counts, ratio, shot groups, fingerprints; as a struct and as text.
#include "data/imbalance.h"
#include "data/shot_groups.h"

#include <string>

namespace bkd {

struct DataStats {
    std::string name{};
    Split split = Split::train;
    std::vector<std::string> class_names{};
    std::vector<std::int64_t> counts{};  // [classes]
    std::int64_t total = 0, largest = 0, smallest = 0;
    std::optional<double> ratio{};  // largest / smallest; none if a class is empty
    ShotGroups groups{};
    std::string index_fingerprint{}, position_fingerprint{}, byte_fingerprint{};
    std::vector<FileFact> files{};
};
DataStats stats_of(const ImageSet& set, std::span<const std::int32_t> selection, const ShotThresholds& thresholds = {});

struct StatsText {
    int columns = 80;  // of the terminal
    std::int64_t rows =
        40;             // of the bar chart; more classes are shown as this many runs of the counts in falling order
    bool utf8 = false;  // bars of eighth blocks; else of '#'
};
// Lines of text, each ended by a newline, none longer than `columns` (from 60 on).
std::string text_of(const DataStats& stats, const StatsText& options = {});

}
