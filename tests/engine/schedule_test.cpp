#include "engine/optimizer/schedule.h"

#include <doctest/doctest.h>

using namespace bkd;
using doctest::Approx;

TEST_CASE("the CIFAR schedule warms up over five epochs and falls twice by a hundred") {
    const Schedule s{.kind = Schedule::Kind::multistep,
                     .base = 0.1,
                     .gamma = 0.01,
                     .milestones = {160, 180},
                     .warmup_epochs = 5,
                     .epochs = 200};
    const double expected[][2] = {{0, 0.02},  {1, 0.04},    {2, 0.06},    {3, 0.08},   {4, 0.1},
                                  {159, 0.1}, {160, 0.001}, {179, 0.001}, {180, 1e-5}, {199, 1e-5}};
    for (const auto& [epoch, rate] : expected)
        CHECK(s.at(static_cast<std::int64_t>(epoch), 0) == Approx(rate).epsilon(1e-12));
}

TEST_CASE("the cosine schedule passes through the published points, per epoch and with an offset of one") {
    Schedule s{.kind = Schedule::Kind::cosine, .base = 0.2, .epochs = 90};
    const double expected[][2] = {
        {0, 0.2},  {1, 0.199939082702},   {2, 0.199756405026},    {10, 0.193969262079},    {22, 0.171933980034},
        {45, 0.1}, {67, 0.0305341629541}, {80, 0.00603073792141}, {88, 0.000243594974018}, {89, 6.09172980904e-05}};
    for (const auto& [epoch, rate] : expected)
        CHECK(s.at(static_cast<std::int64_t>(epoch), 0) == Approx(rate).epsilon(1e-10));
    s.epochs = 200;
    CHECK(s.at(1, 0) == Approx(0.199987663248).epsilon(1e-11));
    CHECK(s.at(50, 0) == Approx(0.170710678119).epsilon(1e-11));
    CHECK(s.at(100, 0) == Approx(0.1).epsilon(1e-11));
    CHECK(s.at(150, 0) == Approx(0.0292893218813).epsilon(1e-11));
    CHECK(s.at(199, 0) == Approx(1.23367518339e-05).epsilon(1e-9));
    s.cosine_offset = 1;
    CHECK(s.at(198, 0) == Approx(1.23367518339e-05).epsilon(1e-9));
    CHECK(s.at(199, 0) == Approx(0).epsilon(1e-15));
}

TEST_CASE("the AG News schedule falls twice by a hundred without a warm-up") {
    const Schedule s{
        .kind = Schedule::Kind::multistep, .base = 0.1, .gamma = 0.01, .milestones = {20, 25}, .epochs = 30};
    const double expected[][2] = {{0, 0.1}, {19, 0.1}, {20, 0.001}, {24, 0.001}, {25, 1e-5}, {29, 1e-5}};
    for (const auto& [epoch, rate] : expected)
        CHECK(s.at(static_cast<std::int64_t>(epoch), 0) == Approx(rate).epsilon(1e-12));
}

TEST_CASE("the step schedule falls at each multiple, the one by step follows the global step") {
    const Schedule places{.kind = Schedule::Kind::step, .base = 0.1, .gamma = 0.1, .step_epochs = 10};
    CHECK(places.at(9, 0) == Approx(0.1));
    CHECK(places.at(10, 0) == Approx(0.01));
    CHECK(places.at(29, 0) == Approx(0.001));
    const Schedule by_step{.kind = Schedule::Kind::cosine_step, .base = 1, .epochs = 2, .steps_per_epoch = 50};
    CHECK(by_step.at(0, 0) == Approx(1));
    CHECK(by_step.at(0, 25) == Approx(0.8535533906));
    CHECK(by_step.at(1, 50) == Approx(0.5));
}

TEST_CASE("half an epoch of warm-up rises by step: 58 steps of 117") {
    const Schedule s{.kind = Schedule::Kind::multistep,
                     .base = 0.1,
                     .gamma = 0.01,
                     .milestones = {8, 9},
                     .warmup_epochs = 0.5,
                     .epochs = 10,
                     .steps_per_epoch = 117};
    CHECK(s.at(0, 0) == Approx(0.1 / 58));
    CHECK(s.at(0, 28) == Approx(0.1 * 29 / 58));
    CHECK(s.at(0, 57) == Approx(0.1));
    CHECK(s.at(0, 116) == Approx(0.1));
    CHECK(s.at(8, 936) == Approx(0.001));
}

TEST_CASE("after the warm-up no schedule rises") {
    for (const auto kind : {Schedule::Kind::constant, Schedule::Kind::step, Schedule::Kind::multistep,
                            Schedule::Kind::cosine, Schedule::Kind::cosine_step}) {
        const Schedule s{.kind = kind,
                         .base = 0.1,
                         .step_epochs = 7,
                         .milestones = {10, 20},
                         .warmup_epochs = 3,
                         .epochs = 30,
                         .steps_per_epoch = 4};
        for (std::int64_t epoch = 3; epoch < 30; ++epoch)
            CHECK(s.at(epoch, 4 * epoch) <= s.at(epoch - 1, 4 * (epoch - 1)) + 1e-15);
    }
}
