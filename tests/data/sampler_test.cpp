#include "data/sampler.h"

#include "engine/rng.h"
#include "tests/data/fixtures.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

using namespace bkd;
using namespace bkd::test;

namespace {

const PhiloxKey key = philox_key(1, "student/main/order");

std::vector<std::int32_t> epoch_of(const Sampler& sampler, std::uint64_t epoch) {
    std::vector<std::int32_t> order(static_cast<std::size_t>(sampler.length()));
    Sampler::Scratch scratch;
    sampler.fill(epoch, order, scratch);
    return order;
}

std::vector<double> class_shares(const Dataset& set, const SamplerOptions& options) {
    const std::vector<std::int32_t> order = epoch_of(Sampler(set, options, key), 0);
    std::vector<double> shares(set.class_names.size());
    for (const std::int32_t i : order)
        shares[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(i)])] +=
            1.0 / static_cast<double>(order.size());
    return shares;
}

// Four standard deviations of a share p of 200,000 draws: at most 0.0045.
void check_shares(const std::vector<double>& shares, const std::vector<double>& expected) {
    for (std::size_t c = 0; c < expected.size(); ++c) CHECK(std::abs(shares[c] - expected[c]) < 0.0045);
}

std::string refusal(SamplerOptions options, const Dataset& set = with_counts({3, 2})) {
    return error_of([&] { Sampler(set, std::move(options), key); });
}

}

TEST_CASE("an epoch is a permutation, another one each epoch, the same each time it is asked for") {
    const Dataset set = with_counts({50, 30, 20});
    const Sampler sampler(set, {}, key);
    std::vector<std::int32_t> first = epoch_of(sampler, 0), second = epoch_of(sampler, 1);
    CHECK(first != second);
    CHECK(first == epoch_of(Sampler(set, {}, key), 0));
    CHECK(first != epoch_of(Sampler(set, {}, philox_key(1, "teacher/main/order")), 0));
    CHECK(first != epoch_of(Sampler(set, {}, philox_key(2, "student/main/order")), 0));
    std::ranges::sort(first);
    std::vector<std::int32_t> all(100);
    std::iota(all.begin(), all.end(), 0);
    CHECK(first == all);
}

TEST_CASE("samples in order are the same in every epoch, of whatever classes; one that is not there is refused") {
    const Dataset set = with_counts({2, 0, 1});
    const Sampler sampler(set, {.rule = InOrder{{2, 0, 2}}}, key);
    CHECK(epoch_of(sampler, 0) == std::vector<std::int32_t>{2, 0, 2});
    CHECK(epoch_of(sampler, 7) == epoch_of(sampler, 0));
    CHECK_THROWS_AS(Sampler(set, {.rule = InOrder{{3}}}, key), InputError);
}

TEST_CASE("every position of a permutation is equally likely to hold every sample") {
    const Sampler sampler(with_counts({5}), {}, key);
    std::vector<int> seen(25);
    for (std::uint64_t epoch = 0; epoch < 50'000; ++epoch) {
        const std::vector<std::int32_t> order = epoch_of(sampler, epoch);
        for (std::size_t k = 0; k < 5; ++k) ++seen[5 * k + static_cast<std::size_t>(order[k])];
    }
    for (const int n : seen) CHECK(std::abs(n - 10'000) < 360);  // four standard deviations
}

TEST_CASE("the laws of the published samplers are met by their draws") {
    const std::vector<std::int64_t> counts = {500, 120, 40, 5};
    const Dataset set = with_counts(counts);
    const std::vector<double> reversed = reversed_law(counts);
    const double expected[] = {0.008498583569, 0.035410764873, 0.106232294618, 0.849858356941};
    for (std::size_t c = 0; c < 4; ++c) CHECK(reversed[c] == doctest::Approx(expected[c]).epsilon(1e-11));
    check_shares(class_shares(set, {.rule = ByClass{}, .length = 200'000}), {0.25, 0.25, 0.25, 0.25});
    check_shares(class_shares(set, {.rule = ByClass{.law = reversed}, .length = 200'000}), reversed);
    check_shares(class_shares(set, {.rule = ByClass{.samples = Take::cycle}, .length = 200'000}),
                 {0.25, 0.25, 0.25, 0.25});
    const std::vector<double> class_weights = {1, 2, 3, 100};  // shares 500, 240, 120, 500 of 1360
    check_shares(class_shares(set, {.rule = ByImage{image_weights(set.labels, class_weights)}, .length = 200'000}),
                 {500.0 / 1360, 240.0 / 1360, 120.0 / 1360, 500.0 / 1360});
}

TEST_CASE("a draw within a class is uniform over its samples") {
    const Dataset set = with_counts({1000, 4});
    const std::vector<std::int32_t> order = epoch_of(Sampler(set, {.rule = ByClass{}, .length = 80'000}, key), 3);
    for (std::int32_t i = 1000; i < 1004; ++i)
        CHECK(std::abs(std::ranges::count(order, i) - 10'000) < 400);  // four standard deviations
}

TEST_CASE(
    "the class-aware cycle shows each class once a turn, four of its samples in a row, each sample once a cycle") {
    const Dataset set = with_counts({12, 8, 4});
    const Sampler sampler(
        set, {.rule = ByClass{.classes = Take::cycle, .samples = Take::cycle, .in_a_row = 4}, .length = 36}, key);
    const std::vector<std::int32_t> order = epoch_of(sampler, 0);
    std::vector<std::vector<std::int32_t>> shown(3);
    for (std::size_t turn = 0; turn < 3; ++turn) {
        std::set<std::int32_t> classes;
        for (std::size_t k = 12 * turn; k < 12 * (turn + 1); ++k) {
            const std::int32_t label = set.labels[static_cast<std::size_t>(order[k])];
            CHECK(label == set.labels[static_cast<std::size_t>(order[k - k % 4])]);
            classes.insert(label);
            shown[static_cast<std::size_t>(label)].push_back(order[k]);
        }
        CHECK(classes.size() == 3);
    }
    CHECK(std::set(shown[0].begin(), shown[0].end()).size() == 12);       // one cycle of 12
    CHECK(std::set(shown[1].begin(), shown[1].begin() + 8).size() == 8);  // one of 8, and half of the next
    for (int turn = 0; turn < 3; ++turn)                                  // three cycles of 4
        CHECK(std::set(shown[2].begin() + 4 * turn, shown[2].begin() + 4 * turn + 4).size() == 4);
}

TEST_CASE("a feed of some classes shows only these, with labels numbered in its order") {
    const Dataset set = with_counts({5, 6, 7, 8});
    for (const auto& rule :
         {SamplerRule(ByImage{}), SamplerRule(ByClass{}), SamplerRule(ByImage{std::vector<double>(26, 1)})}) {
        const Sampler sampler(set, {.rule = rule, .classes = {3, 1}}, key);
        CHECK(sampler.length() == 14);
        CHECK(sampler.classes() == 2);
        CHECK(sampler.feed_label(3) == 0);
        CHECK(sampler.feed_label(1) == 1);
        CHECK(sampler.feed_label(0) == -1);
        for (const std::int32_t i : epoch_of(sampler, 0))
            CHECK(sampler.feed_label(set.labels[static_cast<std::size_t>(i)]) >= 0);
    }
}

TEST_CASE("a weight of 0 is never drawn") {
    const Dataset set = with_counts({2, 2, 2});
    for (const std::int32_t i : epoch_of(Sampler(set, {.rule = ByClass{.law = {0, 1, 0}}, .length = 1000}, key), 0))
        CHECK(set.labels[static_cast<std::size_t>(i)] == 1);
    for (const std::int32_t i : epoch_of(Sampler(set, {.rule = ByImage{{0, 0, 0, 1, 0, 0}}, .length = 1000}, key), 0))
        CHECK(i == 3);
}

TEST_CASE("what no feed can be made of is refused") {
    CHECK(contains(refusal({}, with_counts({3, 0})), "E0439 "));
    CHECK(contains(refusal({}, with_counts({3, 0})), "class 1 (class1) has no samples"));
    CHECK(refusal({.classes = {0}}, with_counts({3, 0})).empty());
    CHECK(contains(refusal({.classes = {0, 2}}), "E0304 "));
    CHECK(contains(refusal({.classes = {1, 1}}), "listed twice"));
    CHECK(contains(refusal({.rule = ByImage{{1, 2}}}), "2 image weights for 5 samples"));
    CHECK(contains(refusal({.rule = ByClass{.law = {1}}}), "1 numbers for 2 classes"));
    CHECK(contains(refusal({.rule = ByClass{.law = {1, -1}}}), "E0304 "));
    CHECK(contains(refusal({.rule = ByClass{.law = {0, 0}}}), "E0304 "));
    CHECK(contains(refusal({.rule = ByClass{.law = {1, std::numeric_limits<double>::quiet_NaN()}}}), "E0304 "));
    CHECK(contains(refusal({.rule = ByClass{.in_a_row = 0}}), "E0304 "));
}
