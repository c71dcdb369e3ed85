#pragma once
// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), the checksum of tensors and headers in our files.
#include <cstddef>
#include <cstdint>
#include <span>

namespace bkd {

// Of "123456789": 0xE3069283. `start` is the value of the bytes before: crc32c(b, crc32c(a)) is that of a followed by
// b.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t start = 0);

}
