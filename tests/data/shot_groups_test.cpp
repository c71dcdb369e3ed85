#include "data/shot_groups.h"

#include "data/imbalance.h"
#include "tests/data/fixtures.h"

using namespace bkd;
using namespace bkd::test;

namespace {

std::vector<std::size_t> sizes(Imbalance kind, double ratio, std::int64_t classes) {
    const ShotGroups groups = shot_groups(imbalanced_counts(kind, ratio, 50000 / classes, classes));
    return {groups.of(Shot::many).size(), groups.of(Shot::medium).size(), groups.of(Shot::few).size()};
}

}

TEST_CASE("more than 100 is many, 20 to 100 medium, fewer than 20 few") {
    const std::vector<std::int64_t> counts = {101, 100, 20, 19, 0};
    const ShotGroups groups = shot_groups(counts);
    CHECK(groups.of(Shot::many) == std::vector<std::int32_t>{0});
    CHECK(groups.of(Shot::medium) == std::vector<std::int32_t>{1, 2});
    CHECK(groups.of(Shot::few) == std::vector<std::int32_t>{3, 4});
}

// paper: section 5.4
TEST_CASE("the published subsets have the published groups") {
    using Sizes = std::vector<std::size_t>;
    CHECK(sizes(Imbalance::long_tailed, 10, 10) == Sizes{10, 0, 0});
    CHECK(sizes(Imbalance::long_tailed, 50, 10) == Sizes{9, 1, 0});
    CHECK(sizes(Imbalance::long_tailed, 100, 10) == Sizes{8, 2, 0});
    CHECK(sizes(Imbalance::step, 10, 10) == Sizes{10, 0, 0});
    CHECK(sizes(Imbalance::step, 50, 10) == Sizes{5, 5, 0});
    CHECK(sizes(Imbalance::step, 100, 10) == Sizes{5, 5, 0});
    CHECK(sizes(Imbalance::long_tailed, 10, 100) == Sizes{69, 31, 0});
    CHECK(sizes(Imbalance::long_tailed, 50, 100) == Sizes{41, 41, 18});
    CHECK(sizes(Imbalance::long_tailed, 100, 100) == Sizes{35, 35, 30});
    CHECK(sizes(Imbalance::step, 10, 100) == Sizes{50, 50, 0});
    CHECK(sizes(Imbalance::step, 50, 100) == Sizes{50, 0, 50});
    CHECK(sizes(Imbalance::step, 100, 100) == Sizes{50, 0, 50});
}

TEST_CASE("an empty group has no mean, which is not a mean of 0") {
    const std::vector<std::int64_t> counts = {500, 400, 5};
    const std::vector<double> accuracy = {0.75, 0.5, 0.0};
    const ShotGroups groups = shot_groups(counts);
    CHECK(groups.mean(Shot::many, accuracy) == 0.625);
    CHECK(groups.mean(Shot::medium, accuracy) == std::nullopt);
    CHECK(groups.mean(Shot::few, accuracy) == 0.0);
}

TEST_CASE("other thresholds move the groups, contradictory ones are refused") {
    const std::vector<std::int64_t> counts = {30, 10, 3};
    CHECK(shot_groups(counts, {.many = 20, .few = 5}).of(Shot::medium) == std::vector<std::int32_t>{1});
    CHECK(contains(error_of([&] { shot_groups(counts, {.many = 10, .few = 20}); }), "E0304 "));
}
