// The golden files through the CUDA backend executed on the host: convolutions and products through the stand-ins of the
// libraries, and by the kernels that run where those have nothing.
#include "tools/check/golden.h"
#include "kernels/cuda/host/libraries.h"
#include "kernels/cuda/host/runtime.h"

#include <doctest/doctest.h>

namespace bkd {
namespace {

void pass_all(simt::Offer offer) {
    const simt::OfferFor offered(offer);
    const GoldenFile file = GoldenFile::read(BKD_SOURCE_DIR "/tests/golden/ops.safetensors");
    Runtime runtime(Device{DeviceKind::cuda, 0});
    std::map<std::string, int> passed;
    for (const GoldenCase& c : file.cases) {
        const GoldenResult result = run_golden(file, c, runtime);
        CHECK_MESSAGE(result.status == GoldenResult::Status::pass, c.name << ": " << result.detail);
        passed[c.dtype] += result.status == GoldenResult::Status::pass;
    }
    CHECK(passed == std::map<std::string, int>{{"bf16", 267}, {"f32", 306}});
    CHECK(simt::tally().faults.empty());
}

}

TEST_CASE("all 573 cases of the golden file pass on the CUDA backend executed on the host") {
    pass_all(simt::Offer::everything);
}

TEST_CASE("all 573 cases of the golden file pass where the libraries have nothing") { pass_all(simt::Offer::nothing); }

}
