#pragma once
// CRC-32 (reflected polynomial 0xEDB88320), the checksum of ZIP archives and of PNG. Sibling: crc32c.h (of our own files).
#include <cstddef>
#include <cstdint>
#include <span>

namespace bkd {

// Of "123456789": 0xCBF43926. `start` is the value of the bytes before: crc32(b, crc32(a)) is that of a followed by b.
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t start = 0);

}
