// Eight tables, so that eight bytes take one step: the CRC of weights costs about as much as copying them.
#include "engine/crc32.h"

#include <array>

namespace bkd {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b]: what byte b does to the value when k more bytes follow it.
constexpr Tables tables = [] {
    Tables made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0u);
        made[0][i] = value;
    }
    for (std::size_t k = 1; k < made.size(); ++k)
        for (std::size_t i = 0; i < 256; ++i) made[k][i] = made[k - 1][i] >> 8 ^ made[0][made[k - 1][i] & 255];
    return made;
}();

}

std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t start) {
    std::uint32_t crc = ~start;
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        std::uint32_t next = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            const auto before = i < 4 ? crc >> (8 * i) & 255 : 0u;
            next ^= tables[7 - i][before ^ std::to_integer<std::uint32_t>(bytes[i])];
        }
        crc = next;
    }
    for (const std::byte b : bytes) crc = crc >> 8 ^ tables[0][(crc ^ std::to_integer<std::uint32_t>(b)) & 255];
    return ~crc;
}

}
