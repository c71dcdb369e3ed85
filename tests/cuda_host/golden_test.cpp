// The golden files through the CUDA backend executed on the host.
#include "tools/check/golden.h"
#include "kernels/cuda/host/runtime.h"

#include <doctest/doctest.h>

namespace bkd {

TEST_CASE("all f32 cases of the golden file pass on the CUDA backend executed on the host") {
    const GoldenFile file = GoldenFile::read(BKD_SOURCE_DIR "/tests/golden/ops.safetensors");
    Runtime runtime(Device{DeviceKind::cuda, 0});
    int passed = 0;
    for (const GoldenCase& c : file.cases) {
        if (c.dtype != "f32") continue;
        const GoldenResult result = run_golden(file, c, runtime);
        CHECK_MESSAGE(result.status == GoldenResult::Status::pass, c.name << ": " << result.detail);
        passed += result.status == GoldenResult::Status::pass;
    }
    CHECK(passed == 306);
    CHECK(simt::tally().faults.empty());
}

}
