// Metrics counted by hand.
#include "train/metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace bkd {

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

}
