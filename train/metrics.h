#pragma once
// Metrics of a classifier on one split, counted on the host in f64 and sample order: they depend on the logits alone,
// not on batches or threads. Ties go to the lower class. A row with a NaN or an infinity is wrong and counts as
// nonfinite.
#include "data/shot_groups.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace bkd {

// Samples by their confidence: the probability softmax(z) gives the predicted class. Bin m of M = 1..M holds those
// within ((m - 1) / M, m / M].
struct ConfidenceBin {
    std::int64_t samples = 0, hits = 0;
    double confidence = 0;  // mean over the samples, in 0..1; NaN without any
};
inline constexpr std::size_t confidence_bins = 15;

// Expected calibration error in percent: the sum over the bins of samples / n |hits / samples - confidence|, where n
// counts the samples of all bins; NaN where that is 0.                        Guo et al. 2017, section 2
double expected_calibration_error(std::span<const ConfidenceBin> bins);

// Shares are percent.
struct Metrics {
    std::int64_t count = 0, nonfinite = 0;
    double loss = 0;  // mean cross-entropy, whatever the method
    double top1 = 0;
    std::optional<double> top5{};                  // with more than 5 classes
    double balanced = 0, macro_f1 = 0;             // means over the classes that have samples
    std::array<std::optional<double>, 3> shots{};  // many, medium, few: means over classes; none for an empty group
    std::vector<double> per_class{};               // accuracy, [classes]; NaN without samples
    std::vector<std::int64_t> class_samples{}, class_hits{};  // [classes]
    std::vector<std::int64_t> confusion{};                    // [classes, classes]: [true][predicted]
    std::vector<ConfidenceBin> calibration{};  // [confidence_bins], without nonfinite rows; empty: not counted

    std::optional<double> shot(Shot which) const { return shots[static_cast<std::size_t>(which)]; }
};

// The 95 % Wilson score interval of hits / samples, in percent; NaN without samples. Wilson 1927: (p + z^2 / 2n +- z
// sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z = 1.959964.
struct Interval {
    double low = 0, high = 0;
};
Interval wilson_interval(double hits, std::int64_t samples);

class MetricCounter {
public:
    explicit MetricCounter(std::int64_t classes);
    // logits [n, classes], labels [n]
    void add(std::span<const float> logits, std::span<const std::int32_t> labels);
    // `groups` by training counts; empty groups where those are not known.
    Metrics metrics(const ShotGroups& groups) const;

private:
    void add_row(std::span<const float> z, std::int32_t label);

    std::size_t classes_;
    std::int64_t top5_ = 0;
    double loss_ = 0;
    Metrics counts_;
};

}
