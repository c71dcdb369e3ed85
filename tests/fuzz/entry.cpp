// libFuzzer's entry: one executable for each BKD_FUZZ_TARGET.
#include "tests/fuzz/targets.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bkd::fuzz::BKD_FUZZ_TARGET(std::as_bytes(std::span(data, size)));
    return 0;
}
