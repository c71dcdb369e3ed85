#pragma once
// A PNG whose checksums a fuzzer's change has broken, set right: else no change would get past the first chunk.
#include "engine/crc32.h"
#include "tests/fuzz/targets.h"

#include <vector>

namespace bkd::fuzz {

// Of each chunk that is whole; empty for what is no PNG.
inline std::vector<std::byte> with_right_checksums(Bytes file) {
    constexpr std::size_t signature = 8, around = 12;
    if (file.size() < signature || file[1] != std::byte{'P'}) return {};
    std::vector<std::byte> bytes(file.begin(), file.end());
    for (std::size_t at = signature; at + around <= bytes.size();) {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) length = length << 8 | std::to_integer<std::size_t>(bytes[at + i]);
        if (length > bytes.size() - at - around) break;
        const std::uint32_t sum = crc32(Bytes(bytes).subspan(at + 4, 4 + length));
        for (std::size_t i = 0; i < 4; ++i)
            bytes[at + 8 + length + i] = static_cast<std::byte>(sum >> (24 - 8 * i) & 255);
        at += around + length;
    }
    return bytes;
}

}
