// The golden files through the CUDA backend executed on the host: convolutions and products through the stand-ins of the
// libraries, and by the kernels that run where those have nothing.
#include "tools/check/golden.h"
#include "kernels/cuda/host/libraries.h"
#include "kernels/cuda/host/runtime.h"
#include "tests/golden/wild_file.h"

#include <doctest/doctest.h>

namespace bkd {
namespace {

// Passed cases of a file, by dtype.
std::map<std::string, int> passed_of(const GoldenFile& file, simt::Offer offer) {
    const simt::OfferFor offered(offer);
    Runtime runtime(Device{DeviceKind::cuda, 0});
    std::map<std::string, int> passed;
    for (const GoldenCase& c : file.cases) {
        const GoldenResult result = run_golden(file, c, runtime);
        CHECK_MESSAGE(result.status == GoldenResult::Status::pass, c.name << ": " << result.detail);
        passed[c.dtype] += result.status == GoldenResult::Status::pass;
    }
    CHECK(simt::tally().faults.empty());
    return passed;
}
constexpr const char* ops = BKD_SOURCE_DIR "/tests/golden/ops.safetensors";
const std::map<std::string, int> all{{"bf16", 267}, {"f32", 306}};

}

TEST_CASE("all 573 cases of the golden file pass on the CUDA backend executed on the host") {
    CHECK(passed_of(GoldenFile::read(ops), simt::Offer::everything) == all);
}

TEST_CASE("all 573 cases of the golden file pass where the libraries have nothing") {
    CHECK(passed_of(GoldenFile::read(ops), simt::Offer::nothing) == all);
}

TEST_CASE("the cases of a golden file with other shapes and another seed pass on the executed CUDA backend") {
    bkd::test::with_wild_file([](const GoldenFile& file) {
        const auto passed = passed_of(file, simt::Offer::everything);
        CHECK(passed.at("f32") > 50);
        CHECK(passed.at("bf16") > 50);
    });
}

}
