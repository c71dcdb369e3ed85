// Metrics counted by hand, and what holds between them.
#include "train/metrics.h"

#include "engine/rng.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace bkd {
namespace {

struct Samples {
    std::vector<float> logits{};  // [n, 8]
    std::vector<std::int32_t> labels{};
};

// per_class[c] samples of class c; about half of them are predicted right, fewer of the later classes.
Samples some_samples(const std::vector<int>& per_class) {
    Samples samples;
    const PhiloxKey key = philox_key(1, "metrics");
    for (std::size_t c = 0; c < 8; ++c)
        for (int i = 0; i < per_class[c]; ++i) {
            for (std::uint32_t k = 0; k < 8; ++k) {
                const double noise = uniform_from(philox_draw(key, samples.labels.size(), k)[0]);
                samples.logits.push_back(static_cast<float>(noise + (k == c ? 0.6 - 0.06 * k : 0)));
            }
            samples.labels.push_back(static_cast<std::int32_t>(c));
        }
    return samples;
}

Metrics metrics_of(const Samples& samples, const std::vector<std::int64_t>& training) {
    MetricCounter counter(8);
    counter.add(samples.logits, samples.labels);
    return counter.metrics(shot_groups(training));
}

}

TEST_CASE("top-1, per class, confusion and loss are those counted by hand, and ties go to the lower class") {
    MetricCounter counter(3);
    counter.add(std::vector<float>{2, 1, 0, 1, 1, 0, 0, 3, 3}, std::vector<std::int32_t>{0, 1, 1});
    counter.add(std::vector<float>{0, 0, 5}, std::vector<std::int32_t>{2});
    const ShotGroups groups = shot_groups(std::vector<std::int64_t>{500, 100, 5});
    const Metrics m = counter.metrics(groups);
    CHECK(m.count == 4);
    CHECK(m.top1 == 75);
    CHECK_FALSE(m.top5);
    CHECK(m.per_class == std::vector<double>{100, 50, 100});
    CHECK(m.confusion == std::vector<std::int64_t>{1, 0, 0, 1, 1, 0, 0, 0, 1});
    CHECK(m.balanced == doctest::Approx(250.0 / 3));
    CHECK(m.macro_f1 == doctest::Approx((200.0 / 3 + 200.0 / 3 + 100) / 3));
    CHECK(m.shot(Shot::many) == 100);
    CHECK(m.shot(Shot::medium) == 50);
    const double loss = std::log(1 + std::exp(-1) + std::exp(-2)) + std::log(2 + std::exp(-1)) +
                        std::log(2 + std::exp(-3)) + std::log(1 + 2 * std::exp(-5));
    CHECK(m.loss == doctest::Approx(loss / 4).epsilon(1e-12));
}

TEST_CASE("an empty group has no accuracy, and top-5 needs more than five classes") {
    MetricCounter counter(6);
    counter.add(std::vector<float>{6, 5, 4, 3, 2, 1, 6, 5, 4, 3, 2, 1}, std::vector<std::int32_t>{4, 5});
    const Metrics m = counter.metrics(shot_groups(std::vector<std::int64_t>{200, 200, 200, 200, 200, 200}));
    CHECK(m.top5 == 50);
    CHECK(m.top1 == 0);
    CHECK_FALSE(m.shot(Shot::few));
    CHECK(std::isnan(m.per_class[0]));
}

TEST_CASE("logits that are not numbers are wrong, counted, and spoil the loss") {
    MetricCounter counter(2);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    counter.add(std::vector<float>{nan, 0, 1, 0}, std::vector<std::int32_t>{0, 0});
    const Metrics m = counter.metrics({});
    CHECK(m.nonfinite == 1);
    CHECK(m.top1 == 50);
    CHECK(std::isnan(m.loss));
}

TEST_CASE(
    "top-1 is the mean of the classes by their samples, on a balanced test that of the groups by their size") {  // 20
    const std::vector<std::int64_t> training = {900, 300, 101, 100, 50, 20, 19, 3};
    const Samples uneven = some_samples({11, 7, 5, 3, 2, 13, 1, 0}), even = some_samples(std::vector<int>(8, 6));
    const Metrics m = metrics_of(uneven, training);
    double by_class = 0;
    for (std::size_t c = 0; c < 7; ++c)
        by_class += m.per_class[c] * static_cast<double>(m.class_samples[c]) / static_cast<double>(m.count);
    CHECK(m.class_samples == std::vector<std::int64_t>{11, 7, 5, 3, 2, 13, 1, 0});
    CHECK(m.top1 == doctest::Approx(by_class).epsilon(1e-14));
    CHECK(std::abs(m.top1 - m.balanced) > 1);

    const Metrics balanced = metrics_of(even, training);
    const double by_group =
        (3 * *balanced.shot(Shot::many) + 3 * *balanced.shot(Shot::medium) + 2 * *balanced.shot(Shot::few)) / 8;
    CHECK(balanced.top1 == doctest::Approx(by_group).epsilon(1e-14));
    CHECK(balanced.top1 == doctest::Approx(balanced.balanced).epsilon(1e-14));
    CHECK(*balanced.shot(Shot::many) != *balanced.shot(Shot::few));
}

TEST_CASE("metrics do not depend on the order of the samples") {  // 19
    const std::vector<std::int64_t> training(8, 50);
    const Samples samples = some_samples({11, 7, 5, 3, 2, 13, 1, 4});
    Samples backwards;
    for (std::size_t i = samples.labels.size(); i-- > 0;) {
        backwards.labels.push_back(samples.labels[i]);
        const auto row = samples.logits.begin() + static_cast<std::ptrdiff_t>(8 * i);
        backwards.logits.insert(backwards.logits.end(), row, row + 8);
    }
    const Metrics forth = metrics_of(samples, training), back = metrics_of(backwards, training);
    CHECK(forth.confusion == back.confusion);
    CHECK(forth.top1 == back.top1);
    CHECK(forth.top5 == back.top5);
    CHECK(forth.macro_f1 == back.macro_f1);
    CHECK(forth.loss == doctest::Approx(back.loss).epsilon(1e-13));
}

TEST_CASE("the calibration error is that counted by hand: samples by confidence in fifteen bins") {
    MetricCounter counter(2);
    const auto logit = [](double p) { return static_cast<float>(std::log(p / (1 - p))); };  // softmax {z, 0} gives p
    const float a = logit(0.91), b = logit(0.93), c = logit(0.62), nan = std::numeric_limits<float>::quiet_NaN();
    counter.add(std::vector<float>{a, 0, b, 0, c, 0, 0, c, 0, 0, nan, 0}, std::vector<std::int32_t>{0, 1, 0, 1, 0, 0});
    const Metrics m = counter.metrics({});
    REQUIRE(m.calibration.size() == confidence_bins);
    // 0.91 and 0.93 lie in (13/15, 14/15], 0.62 twice in (9/15, 10/15], the even one in (7/15, 8/15]; NaN nowhere.
    const auto check = [&](std::size_t bin, std::int64_t samples, std::int64_t hits, double confidence) {
        CAPTURE(bin);
        CHECK(m.calibration[bin].samples == samples);
        CHECK(m.calibration[bin].hits == hits);
        CHECK(m.calibration[bin].confidence == doctest::Approx(confidence).epsilon(1e-6));
    };
    check(13, 2, 1, 0.92);
    check(9, 2, 2, 0.62);
    check(7, 1, 1, 0.5);
    CHECK(std::isnan(m.calibration[0].confidence));
    const double error = (2 * std::abs(0.5 - 0.92) + 2 * std::abs(1 - 0.62) + std::abs(1 - 0.5)) / 5;
    CHECK(expected_calibration_error(m.calibration) == doctest::Approx(100 * error).epsilon(1e-6));
    CHECK(std::isnan(expected_calibration_error({})));
}

TEST_CASE("a confidence of one lies in the last bin, and bins hold their upper edge") {
    MetricCounter counter(5);
    // 1 / 5 = 3 / 15 in f64 is the edge of the third bin.
    counter.add(std::vector<float>{1000, 0, 0, 0, 0, 0, 0, 0, 0, 0}, std::vector<std::int32_t>{1, 0});
    const Metrics m = counter.metrics({});
    CHECK(m.calibration.back().samples == 1);
    CHECK(m.calibration[2].samples == 1);
    CHECK(expected_calibration_error(m.calibration) == doctest::Approx(100 * (1 + 0.8) / 2));
}

TEST_CASE("a Wilson interval has the published ends, holds the share and stays within 0 to 100 percent") {
    const auto check = [](double hits, std::int64_t samples, double low, double high) {
        const Interval interval = wilson_interval(hits, samples);
        CAPTURE(hits);
        CHECK(interval.low == doctest::Approx(low).epsilon(1e-4));
        CHECK(interval.high == doctest::Approx(high).epsilon(1e-4));
    };
    check(8, 10, 49.0162, 94.3318);
    check(0, 10, 0, 27.7533);
    check(10, 10, 72.2467, 100);
    check(81, 263, 25.52885, 36.62096);
    CHECK(wilson_interval(0, 1).low == 0);
    CHECK(wilson_interval(1, 1).high == 100);
    CHECK(std::isnan(wilson_interval(0, 0).low));
}

}
