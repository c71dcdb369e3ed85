#include "data/augment.h"

#include "data/draws.h"
#include "engine/rng.h"
#include "tests/data/fixtures.h"

#include <algorithm>
#include <numeric>
#include <random>

using namespace bkd;
using namespace bkd::test;

namespace {

const PhiloxKey key = philox_key(1, "student/main/crop");

struct Draws {
    std::vector<std::int32_t> offsets;
    std::vector<std::uint8_t> flips;
    bool operator==(const Draws&) const = default;
};
Draws draws_of(const std::vector<std::int32_t>& indices, std::uint64_t epoch = 0, std::int64_t position = 0) {
    Draws draws{std::vector<std::int32_t>(2 * indices.size()), std::vector<std::uint8_t>(indices.size())};
    draw_crops_and_flips(key, epoch, position, indices, {.padding = 4, .flip = true}, draws.offsets, draws.flips);
    return draws;
}

struct Moments {
    double mean = 0, variance = 0;
};
Moments moments_of_lambda(double alpha, int count) {
    const PhiloxKey mixup = philox_key(1, "student/main/mixup");
    double sum = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
        const double lambda = draw_mix_lambda(mixup, 0, i, alpha);
        REQUIRE(lambda >= 0);
        REQUIRE(lambda <= 1);
        sum += lambda, squares += lambda * lambda;
    }
    const double mean = sum / count;
    return {mean, squares / count - mean * mean};
}

std::function<double()> numpy_uniform(std::mt19937& generator) {
    return [&] {
        const auto high = static_cast<std::uint32_t>(generator()), low = static_cast<std::uint32_t>(generator());
        return uniform53(high, low);
    };
}

}

TEST_CASE("crops are uniform over 0..8 on both axes, independently, and half of the images are flipped") {
    std::vector<std::int32_t> indices(81'000);
    std::iota(indices.begin(), indices.end(), 0);
    const Draws draws = draws_of(indices);
    std::vector<int> seen(81);
    for (std::size_t i = 0; i < indices.size(); ++i) {
        REQUIRE(std::max(draws.offsets[2 * i], draws.offsets[2 * i + 1]) <= 8);
        ++seen[static_cast<std::size_t>(9 * draws.offsets[2 * i] + draws.offsets[2 * i + 1])];
    }
    for (const int n : seen) CHECK(std::abs(n - 1000) < 140);  // four and a half standard deviations
    CHECK(std::abs(std::accumulate(draws.flips.begin(), draws.flips.end(), 0) - 40'500) < 600);
}

TEST_CASE("a sample's draw depends on epoch, position and sample, not on the batch around it") {
    const Draws batch = draws_of({7, 8, 9, 7}, 2, 100);
    CHECK(draws_of({9}, 2, 102) == Draws{{batch.offsets[4], batch.offsets[5]}, {batch.flips[2]}});
    std::vector<std::int32_t> same(64, 7);
    const Draws repeated = draws_of(same);
    CHECK(std::ranges::count(repeated.flips, 1) > 10);  // a sample drawn again is cut another way
    CHECK(std::ranges::count(repeated.flips, 0) > 10);
    CHECK(draws_of(same) == repeated);
    CHECK(draws_of(same, 1) != repeated);
}

TEST_CASE("without flip nothing is flipped, and arrays that are not wanted may be empty") {
    const std::vector<std::int32_t> indices = {1, 2, 3};
    std::vector<std::uint8_t> flips(3, 9);
    draw_crops_and_flips(key, 0, 0, indices, {.padding = 4, .flip = false}, {}, flips);
    CHECK(flips == std::vector<std::uint8_t>(3, 0));
    CHECK_THROWS_AS(draw_crops_and_flips(key, 0, 0, indices, {}, {}, std::span(flips).first(2)), LogicError);
}

TEST_CASE("lambda has the moments of Beta(alpha, alpha)") {
    for (const double alpha : {0.1, 0.2, 0.4, 1.0, 2.0, 8.0}) {
        CAPTURE(alpha);
        const Moments moments = moments_of_lambda(alpha, 100'000);
        CHECK(moments.mean == doctest::Approx(0.5).epsilon(0.012));
        CHECK(moments.variance == doctest::Approx(1 / (4 * (2 * alpha + 1))).epsilon(0.03));
    }
}

TEST_CASE("no alpha is no mixing, and a tiny alpha gives 0 or 1 without an undefined number") {
    const PhiloxKey mixup = philox_key(1, "m");
    CHECK(draw_mix_lambda(mixup, 0, 0, 0) == 1);
    CHECK(draw_mix_lambda(mixup, 0, 0, -1) == 1);
    const Moments moments = moments_of_lambda(1e-4, 10'000);
    CHECK(moments.mean == doctest::Approx(0.5).epsilon(0.05));
    CHECK(moments.variance == doctest::Approx(0.25).epsilon(0.01));
}

TEST_CASE("uniform numbers and lambdas of NumPy's legacy stream come out of ours") {
    std::mt19937 generator(0);
    for (const double expected : {0.5488135039273248, 0.7151893663724195, 0.6027633760716439})
        CHECK(numpy_uniform(generator)() == expected);
    generator.seed(0);
    for (const double expected : {0.44912526447830964, 0.023707189032098733, 0.15599464004468885})
        CHECK(symmetric_beta(1, numpy_uniform(generator)) == doctest::Approx(expected).epsilon(1e-14));
    generator.seed(0);
    for (const double expected : {0.2101629681939601, 0.6235787973456928, 0.10826539004031885})
        CHECK(symmetric_beta(0.2, numpy_uniform(generator)) == doctest::Approx(expected).epsilon(1e-14));
}

TEST_CASE("partners are a permutation of the batch, another one each batch") {
    const PhiloxKey mixup = philox_key(1, "student/main/mixup");
    std::vector<std::int32_t> first(128), second(128), sorted(128);
    draw_mix_partner(mixup, 0, 0, first);
    draw_mix_partner(mixup, 0, 1, second);
    CHECK(first != second);
    sorted = first;
    std::ranges::sort(sorted);
    for (std::size_t i = 0; i < sorted.size(); ++i) CHECK(sorted[i] == static_cast<std::int32_t>(i));
    std::vector<std::int32_t> one(1, 5);
    draw_mix_partner(mixup, 0, 0, one);
    CHECK(one[0] == 0);
}

TEST_CASE("lambdas of single samples differ within a batch and do not depend on its size") {
    const PhiloxKey mixup = philox_key(1, "student/main/mixup");
    std::vector<float> many(64), few(8);
    draw_mix_lambdas(mixup, 3, 5, 1, many);
    draw_mix_lambdas(mixup, 3, 5, 1, few);
    CHECK(std::equal(few.begin(), few.end(), many.begin()));
    std::ranges::sort(many);
    CHECK(std::ranges::adjacent_find(many) == many.end());
    draw_mix_lambdas(mixup, 3, 5, 0, few);
    CHECK(few == std::vector<float>(8, 1));
}
