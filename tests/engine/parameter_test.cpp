#include "engine/layers/conv.h"
#include "engine/layers/linear.h"
#include "engine/optimizer/sgd.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace bkd;

TEST_CASE("a layer starts with the deviation its formula gives, and a student otherwise than its teacher") {
    Runtime runtime(Device{DeviceKind::reference, 0});
    Context ctx(runtime);
    Parameters student, teacher;
    const Conv a(student, "conv1", {.in = 16, .out = 64, .kernel = 3}),
        b(teacher, "conv1", {.in = 16, .out = 64, .kernel = 3});
    student.materialise(ctx, 1, "student");
    teacher.materialise(ctx, 1, "teacher");
    const std::vector<float> w = student.read(ctx, student.all()[0]), v = teacher.read(ctx, teacher.all()[0]);
    double sum = 0, square = 0;
    for (const float x : w) {
        sum += x;
        square += static_cast<double>(x) * x;
    }
    const double n = static_cast<double>(w.size());
    CHECK(std::sqrt(square / n) == doctest::Approx(0.117851130198).epsilon(0.02));  // sqrt(2 / (9 * 16)), 9,216 draws
    CHECK(std::abs(sum / n) < 4 * 0.118 / std::sqrt(n));
    CHECK(w != v);
    Parameters again;
    const Conv c(again, "conv1", {.in = 16, .out = 64, .kernel = 3});
    again.materialise(ctx, 1, "student");
    CHECK(again.read(ctx, again.all()[0]) == w);
}

TEST_CASE("the rows of a cosine classifier start with length one") {
    Runtime runtime(Device{DeviceKind::reference, 0});
    Context ctx(runtime);
    Parameters parameters;
    const CosineLinear layer(parameters, "linear", 64, 10, 30);
    parameters.materialise(ctx, 1, "student");
    const std::vector<float> w = parameters.read(ctx, parameters.all()[0]);
    for (std::size_t row = 0; row < 10; ++row) {
        double square = 0;
        for (std::size_t i = 0; i < 64; ++i) square += static_cast<double>(w[row * 64 + i]) * w[row * 64 + i];
        CHECK(square == doctest::Approx(1).epsilon(1e-6));
    }
    CHECK(parameters.all()[0].file_shape() == Shape{64, 10});
}

TEST_CASE("SGD follows PyTorch's convention to the last digit of the published steps") {
    struct Row {
        double w[2];
    };
    const double gradients[3][2] = {{0.5, 1}, {-0.2, 0.3}, {0.1, -0.4}};
    const Row plain[3] = {{{0.94998, -2.09996}}, {{0.9249430004, -2.2198820008}}, {{0.8923912019, -2.28776740388}}};
    const Row nesterov[3] = {
        {{0.904962, -2.189924}}, {{0.902411411444, -2.32780838289}}, {{0.863097879426, -2.3488552894}}};
    for (const bool with_nesterov : {false, true}) {
        Runtime runtime(Device{DeviceKind::reference, 0});
        Context ctx(runtime);
        Parameters parameters;
        parameters.add({.name = "w", .shape = {2}});
        parameters.materialise(ctx, 0, "test");
        Parameter& w = parameters.all()[0];
        const double start[] = {1, -2}, rate[] = {0.1};
        ctx.assign(w.value, std::span<const double>(start));
        Sgd sgd(ctx, parameters, {.momentum = 0.9, .nesterov = with_nesterov, .weight_decay = 2e-4});
        const Tensor learning_rate = ctx.upload({1}, std::span<const double>(rate));
        const Tensor gradient = ctx.runtime().tensors.borrow(w.value.node()->gradient_home);
        for (int step = 0; step < 3; ++step) {
            ctx.assign(gradient, std::span<const double>(gradients[step]));
            sgd.step(ctx, learning_rate);
            const std::vector<double> now = ctx.download(w.value);
            for (std::size_t i = 0; i < 2; ++i)
                CHECK(now[i] == doctest::Approx((with_nesterov ? nesterov : plain)[step].w[i]).epsilon(1e-11));
        }
    }
}

TEST_CASE("a rate that falls takes the velocity along as it was") {  // G23b
    Runtime runtime(Device{DeviceKind::reference, 0});
    Context ctx(runtime);
    Parameters parameters;
    parameters.add({.name = "w", .shape = {1}, .init = Init::constant(1)});
    parameters.materialise(ctx, 0, "test");
    Sgd sgd(ctx, parameters, {.momentum = 0.9, .weight_decay = 2e-4});
    const Tensor gradient = ctx.runtime().tensors.borrow(parameters.all()[0].value.node()->gradient_home);
    const double steps[][2] = {{0.1, 0.94998}, {0.1, 0.8549430004}, {0.001, 0.853587496415}};
    for (const auto& [rate, expected] : steps) {
        ctx.assign(gradient, std::vector{0.5});
        sgd.step(ctx, ctx.upload({1}, std::vector{rate}));
        CHECK(ctx.download(parameters.all()[0].value)[0] == doctest::Approx(expected).epsilon(1e-11));
    }
}

TEST_CASE("frozen parameters are in no group, take no gradient and do not move") {
    Runtime runtime(Device{DeviceKind::cpu, 0}, {.threads = 1});
    Context ctx(runtime);
    Parameters parameters;
    for (const char* name : {"a", "b", "c"}) parameters.add({.name = name, .shape = {5}, .init = Init::constant(1)});
    parameters.find("b")->frozen = true;
    parameters.find("c")->decays = false;
    parameters.materialise(ctx, 0, "test");
    const auto groups = parameters.groups(0.5);
    REQUIRE(groups.size() == 2);
    CHECK(groups[0].begin == 0);
    CHECK(groups[0].end == 16);
    CHECK(groups[0].weight_decay == 0.5);
    CHECK(groups[1].begin == 32);
    CHECK(groups[1].weight_decay == 0);
    CHECK_FALSE(parameters.find("b")->value.takes_gradient());
    parameters.begin_step();
    parameters.complete_gradients(ctx);
    Sgd sgd(ctx, parameters, {.momentum = 0, .weight_decay = 0.5});
    const float rate[] = {0.1f};
    sgd.step(ctx, ctx.upload({1}, std::span<const float>(rate)));
    CHECK(ctx.download(parameters.find("a")->value)[0] == doctest::Approx(0.95));
    CHECK(ctx.download(parameters.find("b")->value)[0] == 1);
    CHECK(ctx.download(parameters.find("c")->value)[0] == 1);
}
