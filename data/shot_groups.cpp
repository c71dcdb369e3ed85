#include "data/shot_groups.h"

#include "kernels/error.h"

namespace bkd {

std::string_view name_of(Shot shot) {
    constexpr std::string_view names[] = {"many", "medium", "few"};
    return names[static_cast<std::size_t>(shot)];
}

Shot shot_of(std::int64_t count, const ShotThresholds& thresholds) {
    if (count > thresholds.many) return Shot::many;
    return count < thresholds.few ? Shot::few : Shot::medium;
}

std::optional<double> ShotGroups::mean(Shot shot, std::span<const double> values) const {
    double sum = 0;
    for (const std::int32_t c : of(shot)) {
        BKD_CHECK(static_cast<std::size_t>(c) < values.size(), "class {} of {} values", c, values.size());
        sum += values[static_cast<std::size_t>(c)];
    }
    if (of(shot).empty()) return std::nullopt;
    return sum / static_cast<double>(of(shot).size());
}

// paper: section 5.4
ShotGroups shot_groups(std::span<const std::int64_t> training_counts, const ShotThresholds& thresholds) {
    if (thresholds.few < 0 || thresholds.few > thresholds.many + 1)
        throw InputError({.id = 304,
                          .what = fmt::format("eval.groups must be [many, few] with 0 <= few <= many + 1, got "
                                              "[{}, {}]",
                                              thresholds.many, thresholds.few),
                          .try_ = "eval.groups = [100, 20]"});
    ShotGroups groups;
    for (std::size_t c = 0; c < training_counts.size(); ++c)
        groups.classes[static_cast<std::size_t>(shot_of(training_counts[c], thresholds))].push_back(
            static_cast<std::int32_t>(c));
    return groups;
}

}
