// The golden file: reference numbers by an independent implementation, on every backend that computes, and a file of
// other shapes where the generator and PyTorch are at hand.
#include "tools/check/golden.h"
#include "tests/golden/wild_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

using namespace bkd;
using bkd::test::shared_folder;

namespace {

struct Tally {
    std::map<std::string, int> passed{};  // by dtype
    int failed = 0, skipped = 0;
    std::set<std::string> ops;
};

Tally run_file(const GoldenFile& file, Device device) {
    Runtime runtime(device, {.threads = 2});
    Tally tally;
    for (const GoldenCase& c : file.cases) {
        const GoldenResult result = run_golden(file, c, runtime);
        CAPTURE(result.name);
        CAPTURE(result.detail);
        CAPTURE(result.worst_ratio);
        CHECK(result.status != GoldenResult::Status::fail);
        switch (result.status) {
            case GoldenResult::Status::pass:
                ++tally.passed[c.dtype];
                tally.ops.insert(c.op);
                break;
            case GoldenResult::Status::fail:
                ++tally.failed;
                break;
            case GoldenResult::Status::skipped:
                ++tally.skipped;
                break;
        }
    }
    return tally;
}

}

// paper: Algorithm 1, lines 9, 10, 11, 12
TEST_CASE("all 573 cases of the golden file pass, 306 in f32 and 267 in bf16, models included, none of them skipped") {
    const GoldenFile file = GoldenFile::read(BKD_SOURCE_DIR "/tests/golden/ops.safetensors");
    for (const DeviceKind kind : {DeviceKind::reference, DeviceKind::cpu}) {
        Tally tally = run_file(file, {kind, 0});
        CHECK(tally.passed == std::map<std::string, int>{{"bf16", 267}, {"f32", 306}});
        CHECK(tally.failed == 0);
        CHECK(tally.skipped == 0);
        CHECK(tally.ops.size() == 45);
    }
}

TEST_CASE("the networks compute what they do in PyTorch: logits, and losses of steps of SGD") {
    const GoldenFile file = GoldenFile::read(BKD_SOURCE_DIR "/tests/golden/networks.safetensors");
    Tally tally = run_file(file, {DeviceKind::cpu, 0});
    CHECK(tally.passed == std::map<std::string, int>{{"f32", 31}});
    CHECK(tally.failed == 0);
    CHECK(tally.skipped == 0);
}

TEST_CASE("the cases of a golden file with other shapes and another seed pass") {
    bkd::test::with_wild_file([](const GoldenFile& file) {
        for (const DeviceKind kind : {DeviceKind::reference, DeviceKind::cpu}) {
            Tally tally = run_file(file, {kind, 0});
            CHECK(tally.failed == 0);
            CHECK(tally.skipped == 0);
            for (const char* dtype : {"f32", "bf16"}) CHECK(tally.passed[dtype] > 50);
        }
    });
}

TEST_CASE("a bf16 case is computed in bf16: its roundings are seen, half of the two allowed") {
    const GoldenFile file = GoldenFile::read(BKD_SOURCE_DIR "/tests/golden/ops.safetensors");
    for (const DeviceKind kind : {DeviceKind::reference, DeviceKind::cpu}) {
        Runtime runtime(Device{kind, 0}, {.threads = 2});
        std::map<std::string, double> worst;
        for (const GoldenCase& c : file.cases)
            if (c.op == "conv2d" || c.op == "image_normalize" || c.op == "resnet_cifar_eval")
                worst[c.op + " " + c.dtype] =
                    std::max(worst[c.op + " " + c.dtype], run_golden(file, c, runtime).worst_ratio);
        for (const char* op : {"conv2d bf16", "image_normalize bf16"}) {
            CAPTURE(op);
            CHECK(worst[op] > 0.25);
            CHECK(worst[op] < 0.6);
        }
        CHECK(worst["resnet_cifar_eval bf16"] > 0.05);  // the file's author measured 0.29 or less
        CHECK(worst["resnet_cifar_eval bf16"] < 0.5);
    }
}

TEST_CASE("an op nobody knows is skipped, a wrong number fails, and a file without a manifest is refused") {
    GoldenFile file = GoldenFile::read(BKD_SOURCE_DIR "/tests/golden/ops.safetensors");
    Runtime runtime(Device{DeviceKind::reference, 0});
    GoldenCase relu = *std::find_if(file.cases.begin(), file.cases.end(),
                                    [](const GoldenCase& c) { return c.op == "relu" && c.dtype == "f32"; });
    CHECK(run_golden(file, relu, runtime).status == GoldenResult::Status::pass);
    relu.op = "exp";  // the numbers of relu
    CHECK(run_golden(file, relu, runtime).status == GoldenResult::Status::fail);
    relu.op = "no_such_op";
    CHECK(run_golden(file, relu, runtime).status == GoldenResult::Status::skipped);
    const std::filesystem::path weights = shared_folder() / "data/cifar10-resnet20.safetensors";
    if (std::filesystem::exists(weights)) CHECK_THROWS_AS(GoldenFile::read(weights), InputError);
}
