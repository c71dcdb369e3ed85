#include "train/metrics.h"

#include "kernels/error.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bkd {
namespace {

double percent(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? std::numeric_limits<double>::quiet_NaN()
                      : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// softmax(z)[c] = exp(z[c] - largest) / sum
struct SoftmaxSum {
    double largest, sum;
    double cross_entropy(double z) const { return largest + std::log(sum) - z; }  // of the class whose logit is z
    double confidence() const { return 1 / sum; }
};

SoftmaxSum softmax_of(std::span<const float> z) {
    SoftmaxSum softmax{*std::max_element(z.begin(), z.end()), 0};
    for (const float value : z) softmax.sum += std::exp(static_cast<double>(value) - softmax.largest);
    return softmax;
}

std::size_t bin_of(double confidence) {
    const auto bin = static_cast<std::size_t>(std::ceil(confidence * static_cast<double>(confidence_bins)));
    return std::clamp<std::size_t>(bin, 1, confidence_bins) - 1;
}

}

Interval wilson_interval(double hits, std::int64_t samples) {
    constexpr double z = 1.959963984540054;
    if (samples == 0) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
    const auto n = static_cast<double>(samples);
    const double p = hits / n, scale = 100 / (1 + z * z / n), middle = p + z * z / (2 * n);
    const double reach = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    // No hits begin at 0 and all hits end at 100, whatever the rounding.
    return {hits <= 0 ? 0 : scale * (middle - reach), hits >= n ? 100 : scale * (middle + reach)};
}

double expected_calibration_error(std::span<const ConfidenceBin> bins) {
    double sum = 0, n = 0;
    for (const ConfidenceBin& bin : bins) {
        if (bin.samples == 0) continue;
        const auto samples = static_cast<double>(bin.samples);
        n += samples;
        sum += samples * std::abs(static_cast<double>(bin.hits) / samples - bin.confidence);
    }
    return n > 0 ? 100 * sum / n : std::numeric_limits<double>::quiet_NaN();
}

MetricCounter::MetricCounter(std::int64_t classes) : classes_(static_cast<std::size_t>(classes)) {
    counts_.class_samples.resize(classes_);
    counts_.class_hits.resize(classes_);
    counts_.confusion.resize(classes_ * classes_);
    counts_.calibration.resize(confidence_bins);
}

void MetricCounter::add(std::span<const float> logits, std::span<const std::int32_t> labels) {
    BKD_CHECK(logits.size() == labels.size() * classes_, "{} logits for {} labels of {} classes", logits.size(),
              labels.size(), classes_);
    for (std::size_t n = 0; n < labels.size(); ++n) add_row(logits.subspan(n * classes_, classes_), labels[n]);
}

void MetricCounter::add_row(std::span<const float> z, std::int32_t label) {
    const auto y = static_cast<std::size_t>(label);
    BKD_CHECK(label >= 0 && y < classes_, "label {} of {} classes", label, classes_);
    ++counts_.count;
    ++counts_.class_samples[y];
    if (!std::all_of(z.begin(), z.end(), [](float value) { return std::isfinite(value); })) {
        ++counts_.nonfinite;
        loss_ = std::numeric_limits<double>::quiet_NaN();
        return;
    }
    const SoftmaxSum softmax = softmax_of(z);
    loss_ += softmax.cross_entropy(static_cast<double>(z[y]));
    std::size_t rank = 0;  // how many classes come before the label
    for (std::size_t i = 0; i < classes_; ++i) rank += z[i] > z[y] || (z[i] == z[y] && i < y);
    const auto predicted = static_cast<std::size_t>(std::max_element(z.begin(), z.end()) - z.begin());
    ++counts_.confusion[y * classes_ + predicted];
    counts_.class_hits[y] += rank == 0;
    top5_ += rank < 5;
    ConfidenceBin& bin = counts_.calibration[bin_of(softmax.confidence())];
    ++bin.samples;
    bin.hits += rank == 0;
    bin.confidence += softmax.confidence();
}

Metrics MetricCounter::metrics(const ShotGroups& groups) const {
    Metrics m = counts_;
    std::int64_t hits = 0, present = 0;
    for (std::size_t c = 0; c < classes_; ++c) {
        hits += m.class_hits[c];
        m.per_class.push_back(percent(m.class_hits[c], m.class_samples[c]));
        if (m.class_samples[c] == 0) continue;
        ++present;
        m.balanced += m.per_class.back();
        std::int64_t predicted = 0;
        for (std::size_t t = 0; t < classes_; ++t) predicted += m.confusion[t * classes_ + c];
        m.macro_f1 += percent(2 * m.class_hits[c], predicted + m.class_samples[c]);
    }
    for (ConfidenceBin& bin : m.calibration) bin.confidence /= static_cast<double>(bin.samples);  // 0 / 0: NaN
    m.loss = loss_ / static_cast<double>(m.count);
    m.top1 = percent(hits, m.count);
    if (classes_ > 5) m.top5 = percent(top5_, m.count);
    m.balanced /= static_cast<double>(present);
    m.macro_f1 /= static_cast<double>(present);
    for (const Shot shot : all_shots) m.shots[static_cast<std::size_t>(shot)] = groups.mean(shot, m.per_class);
    return m;
}

}
