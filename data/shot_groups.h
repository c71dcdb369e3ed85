#pragma once
// Classes in three groups by their TRAINING count n: many n > 100, medium 20 <= n <= 100, few n < 20 (the paper's "over
// 100, 20~100, under 20"). A group's accuracy is the mean of its classes' accuracies; an empty group
// has none.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bkd {

struct ShotThresholds {
    std::int64_t many = 100, few = 20;  // eval.groups = [many, few]
};

enum class Shot { many, medium, few };
inline constexpr std::array all_shots = {Shot::many, Shot::medium, Shot::few};
std::string_view name_of(Shot shot);
Shot shot_of(std::int64_t count, const ShotThresholds& thresholds);

struct ShotGroups {
    std::array<std::vector<std::int32_t>, 3> classes{};  // of many, medium, few, ascending

    const std::vector<std::int32_t>& of(Shot shot) const { return classes[static_cast<std::size_t>(shot)]; }
    // Mean of values[c] over the group's classes; no value for an empty group, printed as "-".
    std::optional<double> mean(Shot shot, std::span<const double> values) const;
};

// E0304 unless 0 <= few <= many + 1 (else a class would be in two groups).
ShotGroups shot_groups(std::span<const std::int64_t> training_counts, const ShotThresholds& thresholds = {});

}
