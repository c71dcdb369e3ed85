// A network's inference form: batch norms folded into the convolutions before them.
#include "models/network.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

using namespace bkd;

namespace {

std::vector<double> drawn(std::size_t count, std::string_view name) {
    std::vector<double> numbers(count);
    for (std::size_t i = 0; i < count; ++i) {
        const PhiloxCounter word = philox_draw(philox_key(11, name), i);
        numbers[i] = normals_from(word[0], word[1]).first;
    }
    return numbers;
}

// A network whose batch norms have seen something: statistics and factors that are not those of the start.
std::unique_ptr<Network> experienced(const Context& ctx, const NetworkOptions& options) {
    std::unique_ptr<Network> network = make_network(options);
    network->parameters().materialise(ctx, 3, "student");
    for (Parameter& p : network->parameters().all()) {
        if (p.shape.rank() != 1 || p.name == "linear.bias") continue;
        std::vector<double> numbers = drawn(static_cast<std::size_t>(p.shape.count()), p.name);
        const bool is_var = p.name.ends_with("running_var"), is_gamma = p.name.ends_with(".weight");
        for (double& x : numbers) x = is_var ? 0.2 + x * x : is_gamma ? 1 + 0.3 * x : 0.4 * x;
        ctx.assign(p.value, std::span<const double>(numbers));
    }
    return network;
}

struct Ops final : LaunchObserver {
    std::map<std::string, int> count;
    void before(const Launch& launch) override { ++count[launch.op]; }
};

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

}

TEST_CASE("a folded network gives the logits of the network, in f64 to 1e-13 and in f32 and bf16 to their rounding") {
    struct Row {
        const char* device;
        DType storage;
        double bound;  // of the largest logit: some ten roundings on the way, each of 6e-8 in f32 and 2e-3 in bf16
    };
    for (const Row& row :
         {Row{"reference", DType::f64, 1e-13}, Row{"cpu", DType::f32, 2e-6}, Row{"cpu", DType::bf16, 0.04}})
        for (const char* classifier : {"linear", "cosine"}) {
            CAPTURE(row.device);
            CAPTURE(name_of(row.storage));
            Runtime runtime(Device::parse(row.device), {.threads = 1}, row.storage);
            Context ctx(runtime);
            const auto network = experienced(ctx, {.name = "resnet8", .classifier = classifier, .width = 4});
            const Tensor x = ctx.upload({3, 9, 7, 3}, drawn(3 * 9 * 7 * 3, "images"), ctx.storage());
            const std::vector<double> before = ctx.download((*network)(ctx, x));
            network->fold(ctx);
            const double difference = largest_difference(ctx.download((*network)(ctx, x)), before);
            const double largest = std::abs(
                *std::ranges::max_element(before, [](double a, double b) { return std::abs(a) < std::abs(b); }));
            CAPTURE(difference / largest);
            CHECK(difference <= row.bound * largest);
            CHECK(difference > 0);  // another computation, not the same one again
        }
}

TEST_CASE("a folded network has no batch norm and no copy of an activation: a ReLU stands behind each convolution") {
    Runtime runtime(Device{}, {.threads = 1});
    Context ctx(runtime);
    const auto network = experienced(ctx, {.name = "resnet8", .width = 4});
    network->fold(ctx);
    const Tensor x = ctx.full({1, 8, 8, 3}, 0.5);
    Ops ops;
    runtime.stream->observer = &ops;
    (*network)(ctx, x);
    runtime.stream->observer = nullptr;
    CHECK(ops.count["conv2d_forward"] == 7);
    CHECK(ops.count["relu_forward"] == 4);
    CHECK(ops.count["add_relu_forward"] == 3);
    CHECK(ops.count["batch_norm_inference"] == 0);
    CHECK(ops.count["batch_norm_forward"] == 0);
}

TEST_CASE("weights written after folding count from the next folding on, and a folded network does not train") {
    Runtime runtime(Device{}, {.threads = 1});
    Context ctx(runtime);
    const auto network = experienced(ctx, {.name = "resnet8", .width = 4});
    const Tensor x = ctx.upload({2, 8, 8, 3}, drawn(2 * 8 * 8 * 3, "images"));
    network->fold(ctx);
    const std::vector<double> first = ctx.download((*network)(ctx, x));
    Parameter& mean = *network->parameters().find("bn1.running_mean");
    ctx.assign(mean.value, std::span<const double>(drawn(4, "another")));
    CHECK(ctx.download((*network)(ctx, x)) == first);
    network->fold(ctx);
    CHECK(largest_difference(ctx.download((*network)(ctx, x)), first) > 1e-3);

    Context training(runtime, nullptr, /*training=*/true);
    CHECK_THROWS_AS((*network)(training, x), LogicError);
    Tape tape;
    Context recorded(runtime, &tape);
    CHECK_THROWS_AS((*network)(recorded, x), LogicError);
    tape.clear();
}

TEST_CASE("a text network has nothing to fold and stays as it is") {
    Runtime runtime(Device{}, {.threads = 1});
    Context ctx(runtime);
    const auto network =
        make_network({.name = "text_cnn", .classes = 3, .vocabulary = 9, .embedding = 4, .filters = 2});
    network->parameters().materialise(ctx, 1, "student");
    const std::int32_t words[] = {1, 2, 3, 4, 5, 6};
    const Tensor tokens = ctx.upload({1, 6}, words);
    const std::vector<double> before = ctx.download((*network)(ctx, tokens));
    network->fold(ctx);
    CHECK(ctx.download((*network)(ctx, tokens)) == before);
}
