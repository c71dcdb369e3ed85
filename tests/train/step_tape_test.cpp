// The tape of a step: what it says of each launch, by numbers that hold for the network.
#include "train/step_tape.h"
#include "tests/train/recipe_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

namespace bkd::test {
namespace {

std::vector<StepTape> tapes(const std::vector<std::string>& overrides, const char* recipe = "toy_bkd") {
    return tapes_of(
        load_recipe(recipe, overrides, {.folders = {std::filesystem::path(BKD_SOURCE_DIR) / "train/recipes"}}));
}

double flops_of(const StepTape& tape, std::string_view part) {
    double sum = 0;
    for (const TapeLaunch& launch : tape.launches)
        if (launch.part == part) sum += launch.flops;
    return sum;
}

std::int64_t launches_of(const StepTape& tape, std::string_view part) {
    return std::ranges::count(tape.launches, part, &TapeLaunch::part);
}

// Multiplications and additions of a forward pass of ResNet-8, batch 64, images 16 x 16 x 1, ten classes.
double forward_flops() {
    const double at_16 = 16 * 16, at_8 = 8 * 8, at_4 = 4 * 4;
    const double products =
        at_16 * 9 * 16 * (1 + 16 + 16) + at_8 * 9 * 32 * (16 + 32) + at_4 * 9 * 64 * (32 + 64) + 64 * 10;
    return 2 * 64 * products;
}

}

TEST_CASE("a step of BKD is one batch, a forward of the teacher and of the student, one loss, backward, one update") {
    const std::vector<StepTape> both = tapes({});
    REQUIRE(both.size() == 2);
    CHECK(both[0].stage == "teacher");
    CHECK(both[0].method == "ce");
    CHECK(launches_of(both[0], "teacher") == 0);
    const StepTape& tape = both[1];
    CHECK(tape.stage == "student");
    CHECK(tape.method == "bkd");
    CHECK(tape.network == "resnet8");
    CHECK(tape.batch == 64);
    CHECK(tape.parameters == 75002);
    CHECK(launches_of(tape, "batch") == 1);
    CHECK(launches_of(tape, "loss") == 1);
    CHECK(launches_of(tape, "teacher") == launches_of(tape, "forward"));
    CHECK(launches_of(tape, "update") == 3);
    CHECK(flops_of(tape, "forward") == forward_flops());
    CHECK(flops_of(tape, "teacher") == forward_flops());
    // Each product twice, for its input and its weight; the images take no gradient.
    CHECK(flops_of(tape, "backward") == 2 * forward_flops() - 2.0 * 64 * 16 * 16 * 9 * 16);
    // What the student's forward writes waits for backward; weights, gradients and velocity, and the teacher's weights.
    std::int64_t kept = 4 * 4 * tape.parameters;
    for (const TapeLaunch& launch : tape.launches)
        if (launch.part == "forward") kept += launch.bytes_written;
    CHECK(tape.peak_bytes > kept);
    CHECK(static_cast<double>(tape.peak_bytes) < 1.15 * static_cast<double>(kept));
    CHECK(tape.flops() == flops_of(tape, "forward") + flops_of(tape, "teacher") + flops_of(tape, "backward"));
}

TEST_CASE("each launch says the layer whose parameters it takes, or the one it comes after, and its gradient's op") {
    const StepTape tape = tapes({}).at(1);
    std::map<std::string, int> layers;
    for (const TapeLaunch& launch : tape.launches) {
        if (launch.op == "conv2d_backward" && launch.gradient_of == "conv2d") ++layers[launch.layer];
        CHECK((launch.part == "backward") == !launch.gradient_of.empty());
        CHECK((launch.part == "batch") == launch.layer.empty());
    }
    CHECK(layers == std::map<std::string, int>{{"conv1", 1},
                                               {"layer1.0.conv1", 1},
                                               {"layer1.0.conv2", 1},
                                               {"layer2.0.conv1", 1},
                                               {"layer2.0.conv2", 1},
                                               {"layer3.0.conv1", 1},
                                               {"layer3.0.conv2", 1}});
    const TapeLaunch& first = tape.launches.at(1);
    CHECK(first.part == "teacher");
    CHECK(first.layer == "conv1");
    CHECK(first.tensors.at(1).name == "teacher.conv1.weight");
    CHECK(first.tensors.at(1).shape == Shape{16, 3, 3, 1});
    CHECK(first.bytes_read == 4 * (64 * 16 * 16 + 16 * 9));
    CHECK(first.bytes_written == 4 * 64 * 16 * 16 * 16);
    const auto loss = std::ranges::find(tape.launches, "distillation", &TapeLaunch::op);
    REQUIRE(loss != tape.launches.end());
    CHECK(loss->layer == "after linear");
    CHECK(tape.launches.back().op == "sgd_step");
    CHECK(tape.launches.back().layer == "all parameters");
}

TEST_CASE("in bf16 the activations take half the bytes, and the memory of a step is less") {
    const StepTape whole = tapes({}).at(1), half = tapes({"compute.dtype=bf16"}).at(1);
    CHECK(half.storage == DType::bf16);
    const TapeLaunch &conv = whole.launches.at(1), &narrow = half.launches.at(1);
    CHECK(narrow.op == conv.op);
    CHECK(2 * narrow.bytes_written == conv.bytes_written);
    CHECK(narrow.tensors.at(1).name == "teacher.conv1.weight");
    CHECK(half.peak_bytes < 0.7 * static_cast<double>(whole.peak_bytes));
    CHECK(half.flops() == whole.flops());
}

TEST_CASE("a tape needs neither data nor model files, and grows with the batch") {
    const StepTape small = tapes({"data.root=/nowhere"}, "cifar100_lt_100_bkd").at(1);
    CHECK(small.network == "resnet32");
    CHECK(small.parameters == 470004);
    const std::vector<StepTape> one = tapes({"teacher.file=none.safetensors"});
    REQUIRE(one.size() == 1);
    CHECK(one[0].launches.size() == tapes({}).at(1).launches.size());
    const StepTape twice = tapes({"data.root=/nowhere", "batch.size=256"}, "cifar100_lt_100_bkd").at(1);
    CHECK(twice.flops() == 2 * small.flops());
    CHECK(twice.peak_bytes > 1.9 * static_cast<double>(small.peak_bytes));
}

TEST_CASE("a key without effect is refused by a tape as by a training") {
    CHECK_THROWS_AS(tapes({"kd.temperature=3"}, "toy_ce"), RecipeErrors);
}

}
