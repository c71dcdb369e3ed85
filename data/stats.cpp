#include "data/stats.h"

#include "kernels/error.h"

#include <algorithm>
#include <numeric>

namespace bkd {

namespace {

// A row of the chart: one class, or a run of classes with neighbouring counts.
struct Bar {
    std::string label{};
    std::string value{};
    double count = 0;
};

std::vector<Bar> bars_of(const DataStats& stats, std::int64_t rows) {
    std::vector<Bar> bars;
    const auto classes = static_cast<std::int64_t>(stats.counts.size());
    if (classes <= rows) {
        for (std::size_t c = 0; c < stats.counts.size(); ++c)
            bars.push_back({fmt::format("{} {}", c, printable(stats.class_names[c])), std::to_string(stats.counts[c]),
                            static_cast<double>(stats.counts[c])});
        return bars;
    }
    std::vector<std::int64_t> falling = stats.counts;
    std::ranges::sort(falling, std::greater{});
    for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t first = row * classes / rows, end = (row + 1) * classes / rows;
        const auto begin = falling.begin() + first;
        const double mean = static_cast<double>(std::accumulate(begin, falling.begin() + end, std::int64_t{0})) /
                            static_cast<double>(end - first);
        const std::string range = *begin == falling[static_cast<std::size_t>(end - 1)]
                                      ? std::to_string(*begin)
                                      : fmt::format("{}..{}", *begin, falling[static_cast<std::size_t>(end - 1)]);
        bars.push_back(
            {end - first == 1 ? fmt::format("rank {}", first + 1) : fmt::format("ranks {}-{}", first + 1, end), range,
             mean});
    }
    return bars;
}

// The length of the bar is true to an eighth of a column (utf8) or a column; a class with samples shows at least the
// least.
std::string bar_of(double share, int columns, bool utf8) {
    constexpr const char* eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const int steps = utf8 ? 8 : 1;
    int length = static_cast<int>(share * columns * steps + 0.5);
    if (share > 0) length = std::max(length, 1);
    std::string bar;
    for (int i = 0; i < length / steps; ++i) bar += utf8 ? "█" : "#";
    return bar + (utf8 ? eighths[length % 8] : "");
}

std::string chart_of(const DataStats& stats, const StatsText& options) {
    const std::vector<Bar> bars = bars_of(stats, options.rows);
    std::size_t label_width = 0, value_width = 0;
    for (const Bar& bar : bars) {
        label_width = std::min<std::size_t>(std::max(label_width, bar.label.size()), 24);
        value_width = std::max(value_width, bar.value.size());
    }
    const int room = std::max(10, options.columns - static_cast<int>(label_width + value_width) - 4);
    std::string text;
    for (const Bar& bar : bars) {
        const double share = stats.largest == 0 ? 0 : bar.count / static_cast<double>(stats.largest);
        text += fmt::format("  {:<{}} {:>{}} {}\n", bar.label.substr(0, label_width), label_width, bar.value,
                            value_width, bar_of(share, room, options.utf8));
    }
    return text;
}

}

DataStats stats_of(const ImageSet& set, std::span<const std::int32_t> selection, const ShotThresholds& thresholds) {
    DataStats stats;
    stats.name = set.name;
    stats.split = set.split;
    stats.class_names = set.class_names;
    stats.files = set.files;
    stats.counts.resize(set.class_names.size());
    for (const std::int32_t index : selection)
        ++stats.counts[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(index)])];
    stats.total = static_cast<std::int64_t>(selection.size());
    stats.largest = std::ranges::max(stats.counts);
    stats.smallest = std::ranges::min(stats.counts);
    if (stats.smallest > 0) stats.ratio = static_cast<double>(stats.largest) / static_cast<double>(stats.smallest);
    stats.groups = shot_groups(stats.counts, thresholds);
    stats.index_fingerprint = index_fingerprint(selection);
    stats.position_fingerprint = position_fingerprint(set, selection);
    stats.byte_fingerprint = byte_fingerprint(set, selection);
    return stats;
}

std::string text_of(const DataStats& stats, const StatsText& options) {
    std::string text = fmt::format("{} {}: {} samples, {} classes\n", stats.name,
                                   stats.split == Split::train ? "train" : "test", stats.total, stats.counts.size());
    text += fmt::format("largest class {}, smallest {}, ratio {}\n", stats.largest, stats.smallest,
                        stats.ratio ? fmt::format("{:.4g}", *stats.ratio) : "-");
    text += "classes by training count:";
    for (const Shot shot : all_shots) text += fmt::format(" {} {}", name_of(shot), stats.groups.of(shot).size());
    text += "\n";
    text += chart_of(stats, options);
    text += "fingerprints (SHA-256)\n";
    text += fmt::format("  indices   {}\n  positions {}\n  bytes     {}\n", stats.index_fingerprint,
                        stats.position_fingerprint, stats.byte_fingerprint);
    text += "files\n";
    for (const FileFact& file : stats.files) {
        text += fmt::format("  {} ({} bytes, {} unpacked)\n    {}\n", file.path, file.stored_bytes, file.unpacked_bytes,
                            file.sha256);
        if (!file.note.empty()) text += "    note: " + file.note + "\n";
    }
    return text;
}

}
