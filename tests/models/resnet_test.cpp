#include "models/network.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

using namespace bkd;

TEST_CASE("the CIFAR ResNets have the published numbers of parameters") {
    struct Row {
        const char* name;
        std::int64_t linear10, linear100, cosine10, cosine100, buffers;
    };
    const Row rows[] = {
        {"resnet8", 75290, 81140, 75280, 81040, 480},           {"resnet14", 172506, 178356, 172496, 178256, 928},
        {"resnet20", 269722, 275572, 269712, 275472, 1376},     {"resnet32", 464154, 470004, 464144, 469904, 2272},
        {"resnet44", 658586, 664436, 658576, 664336, 3168},     {"resnet56", 853018, 858868, 853008, 858768, 4064},
        {"resnet110", 1727962, 1733812, 1727952, 1733712, 8096}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto count = [&](std::int64_t classes, const char* classifier) {
            return make_network({.name = row.name, .classes = classes, .classifier = classifier})->parameters().count();
        };
        CHECK(count(10, "linear") == row.linear10);
        CHECK(count(100, "linear") == row.linear100);
        CHECK(count(10, "cosine") == row.cosine10);
        CHECK(count(100, "cosine") == row.cosine100);
        std::int64_t buffers = 0;
        const auto network = make_network({.name = row.name});
        for (const Parameter& p : network->parameters().all()) buffers += p.is_buffer ? p.shape.count() : 0;
        CHECK(buffers == row.buffers);
    }
}

// paper: Table 3, 4, 5
TEST_CASE("the ImageNet ResNets have torchvision's numbers of parameters") {
    const struct {
        const char* name;
        std::int64_t c10, c100, c365, c1000, c8142, buffers;
    } rows[] = {{"resnet10", 4910922, 4957092, 5093037, 5418792, 9082638, 5760},
                {"resnet18", 11181642, 11227812, 11363757, 11689512, 15353358, 9600},
                {"resnet34", 21289802, 21335972, 21471917, 21797672, 25461518, 17024},
                {"resnet50", 23528522, 23712932, 24255917, 25557032, 40190990, 53120},
                {"resnet101", 42520650, 42705060, 43248045, 44549160, 59183118, 105344},
                {"resnet152", 58164298, 58348708, 58891693, 60192808, 74826766, 151424},
                {"resnext50_32x4d", 23000394, 23184804, 23727789, 25028904, 39662862, 68224}};
    for (const auto& row : rows) {
        CAPTURE(row.name);
        const std::pair<std::int64_t, std::int64_t> counts[] = {
            {10, row.c10}, {100, row.c100}, {365, row.c365}, {1000, row.c1000}, {8142, row.c8142}};
        for (const auto& [classes, count] : counts)
            CHECK(make_network({.name = row.name, .classes = classes})->parameters().count() == count);
        std::int64_t buffers = 0;
        const auto network = make_network({.name = row.name});
        for (const Parameter& p : network->parameters().all()) buffers += p.is_buffer ? p.shape.count() : 0;
        CHECK(buffers == row.buffers);
        const auto small = make_network({.name = row.name, .stem = "small"});
        CHECK(network->parameters().count() - small->parameters().count() == 9408 - 1728);
    }
    CHECK_THROWS_AS(make_network({.name = "resnet10", .stem = "large"}), InputError);
}

// paper: Table 8
TEST_CASE("RIDE's ensembles have the numbers of parameters of its code") {
    const struct {
        std::int64_t experts, cosine100, linear100, full100, cosine10;
    } rows[] = {{1, 277168, 277268, 469904, 272848},
                {2, 530512, 530712, 915984, 521872},
                {3, 783856, 784156, 1362064, 770896},
                {4, 1037200, 1037600, 1808144, 1019920},
                {6, 1543888, 1544488, 2700304, 1517968}};
    for (const auto& row : rows) {
        const auto count = [&](std::int64_t classes, const char* classifier, bool reduces) {
            return make_network({.name = "ride_resnet32",
                                 .classes = classes,
                                 .classifier = classifier,
                                 .experts = row.experts,
                                 .reduces_width = reduces})
                ->parameters()
                .count();
        };
        CHECK(count(100, "cosine", true) == row.cosine100);
        CHECK(count(100, "linear", true) == row.linear100);
        CHECK(count(100, "cosine", false) == row.full100);
        CHECK(count(10, "cosine", true) == row.cosine10);
    }
    CHECK_THROWS_AS(make_network({.name = "ride_resnet32", .experts = 7}), InputError);
}

TEST_CASE("ResNet-32 has 95 parameter tensors under PyTorch's names") {
    const auto network = make_network({.name = "resnet32"});
    std::vector<std::string> names;
    for (const Parameter& p : network->parameters().all())
        if (!p.is_buffer) names.push_back(p.name);
    CHECK(names.size() == 95);
    CHECK(names[0] == "conv1.weight");
    CHECK(names[1] == "bn1.weight");
    CHECK(names[2] == "bn1.bias");
    CHECK(names[3] == "layer1.0.conv1.weight");
    CHECK(names[9] == "layer1.1.conv1.weight");
    CHECK(names[92] == "layer3.4.bn2.bias");
    CHECK(names[93] == "linear.weight");
    CHECK(names[94] == "linear.bias");
    CHECK(network->parameters().find("conv1.weight")->file_shape() == Shape{16, 3, 3, 3});
    CHECK(network->parameters().find("layer2.0.conv1.weight")->file_shape() == Shape{32, 16, 3, 3});
}

TEST_CASE(
    "ResNet-32 starts as published: He's deviation by fan-in, PyTorch's bias, batch norm as the identity") {  // G29
    Runtime runtime(Device{DeviceKind::cpu, 0}, {.threads = 1});
    const Context ctx(runtime);
    const auto network = make_network({.name = "resnet32"});
    network->parameters().materialise(ctx, 1, "student");
    struct Weights {
        double deviation;
        double square = 0, count = 0;
    };
    // By fan-in: 9 channels of the image, 16, 32, 64; and the linear layer's 64.
    std::map<std::int64_t, Weights> by_fan_in = {{27, {0.272165526976}},
                                                 {144, {0.117851130198}},
                                                 {288, {0.0833333333333}},
                                                 {576, {0.0589255650989}},
                                                 {64, {0.176776695297}}};
    for (const Parameter& p : network->parameters().all()) {
        CAPTURE(p.name);
        const std::vector<float> numbers = network->parameters().read(ctx, p);
        if (p.shape.rank() > 1) {
            Weights& of = by_fan_in.at(p.shape.count() / p.shape[0]);
            for (const float w : numbers) of.square += static_cast<double>(w) * w, ++of.count;
        } else if (p.name == "linear.bias") {
            for (const float b : numbers) CHECK(std::abs(b) <= 0.125F);
            CHECK(*std::ranges::max_element(numbers) - *std::ranges::min_element(numbers) > 0.1F);
        } else {
            const bool is_one = p.name.ends_with(".weight") || p.name.ends_with("running_var");
            CHECK(numbers == std::vector<float>(numbers.size(), is_one ? 1.0F : 0.0F));
        }
    }
    for (const auto& [fan_in, of] : by_fan_in) {
        CAPTURE(fan_in);
        CHECK(of.count >= 432);
        // Four deviations of a deviation estimated from as many normal numbers.
        CHECK(std::abs(std::sqrt(of.square / of.count) / of.deviation - 1) < 4 / std::sqrt(2 * of.count));
    }
}

TEST_CASE("a TextCNN has the published number of parameters beside its embedding") {
    const auto network =
        make_network({.name = "text_cnn", .classes = 4, .vocabulary = 1000, .embedding = 300, .filters = 100});
    CHECK(network->parameters().count() - 1000 * 300 == 361504);
    CHECK(make_network({.name = "text_cnn", .classes = 4, .vocabulary = 10, .embedding = 50})->parameters().count() -
              500 ==
          61504);
}

TEST_CASE("a network is built for its plan: every op of a forward is told its shapes and the multiplications add up") {
    struct Counter final : LaunchObserver {
        double flops = 0;
        void before(const Launch& launch) override { flops += launch.flops; }
    };
    const struct {
        const char* name;
        double macs;
    } rows[] = {{"resnet8", 12239488}, {"resnet20", 40551040}, {"resnet32", 68862592}, {"resnet56", 125485696}};
    for (const auto& row : rows) {
        CAPTURE(row.name);
        Runtime runtime(Device{DeviceKind::plan, 0});
        Context ctx(runtime);
        const auto network = make_network({.name = row.name});
        network->parameters().materialise(ctx, 1, "student");
        Counter counter;
        runtime.stream->observer = &counter;
        const Tensor logits = (*network)(ctx, ctx.empty({1, 32, 32, 3}));
        runtime.stream->observer = nullptr;
        CHECK(logits.shape() == Shape{1, 10});
        CHECK(counter.flops == doctest::Approx(2 * row.macs));
    }
}

TEST_CASE("an unknown network is refused with the list of those there are") {
    CHECK_THROWS_WITH_AS(make_network({.name = "resnet9"}), "no network is called \"resnet9\"", InputError);
    CHECK_THROWS_AS(make_network({.name = "resnet8", .classifier = "fancy"}), InputError);
}
