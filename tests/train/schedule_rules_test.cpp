// Learning rates of the published recipes at the epochs where an index could be off by one.
#include "engine/optimizer/schedule.h"

#include <doctest/doctest.h>

namespace bkd {
namespace {

constexpr std::int64_t steps = 97;

double rate(const Schedule& schedule, std::int64_t epoch_from_0, std::int64_t index_base = 0) {
    return schedule.at(epoch_from_0 + index_base, epoch_from_0 * steps);
}

}

// paper: section 5.1
TEST_CASE("the recipe of LDAM-DRW and BKD has its rates at epochs 1, 5, 160, 161, 180, 181 and 200") {
    const Schedule s{.kind = Schedule::Kind::multistep,
                     .base = 0.1,
                     .gamma = 0.01,
                     .milestones = {160, 180},
                     .warmup_epochs = 5,
                     .epochs = 200,
                     .steps_per_epoch = steps};
    const std::pair<int, double> expected[] = {{1, 0.02},    {5, 0.1},     {6, 0.1},    {119, 0.1},
                                               {120, 0.1},   {121, 0.1},   {159, 0.1},  {160, 0.1},
                                               {161, 0.001}, {180, 0.001}, {181, 1e-5}, {200, 1e-5}};
    for (const auto& [epoch, value] : expected) CHECK(rate(s, epoch - 1) == doctest::Approx(value).epsilon(1e-12));
}

TEST_CASE("the recipe of BBN warms up from a third and counts its epochs from 1") {
    const Schedule s{.kind = Schedule::Kind::multistep,
                     .base = 0.1,
                     .gamma = 0.01,
                     .milestones = {119, 159},
                     .warmup_epochs = 5,
                     .warmup_from = 1.0 / 3,
                     .epochs = 200,
                     .steps_per_epoch = steps};
    const std::pair<int, double> expected[] = {{1, 0.0466666666667}, {4, 0.0866666666667}, {5, 0.1},
                                               {119, 0.1},           {120, 0.001},         {160, 1e-5}};
    for (const auto& [epoch, value] : expected) CHECK(rate(s, epoch - 1) == doctest::Approx(value).epsilon(1e-11));
}

TEST_CASE("a cosine whose scheduler steps before the epoch ends at a rate of 0, else above it") {
    const Schedule s{.kind = Schedule::Kind::cosine, .base = 0.2, .epochs = 90, .steps_per_epoch = steps};
    CHECK(rate(s, 0) == doctest::Approx(0.2));
    CHECK(rate(s, 45) == doctest::Approx(0.1));
    CHECK(rate(s, 89) == doctest::Approx(6.09172980904e-05).epsilon(1e-10));
    CHECK(rate(s, 0, 1) == doctest::Approx(0.199939082702).epsilon(1e-11));
    CHECK(rate(s, 89, 1) == doctest::Approx(0).epsilon(1e-15));
}

}
