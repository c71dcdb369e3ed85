// Bounds are compared by subtraction: a hostile count near 2^64 cannot wrap.
#include "engine/byte_reader.h"

namespace bkd {

void ByteReader::need(std::uint64_t count) const {
    if (count > left()) fail(402, fmt::format("file ends too early: {} bytes needed here, {} left", count, left()));
}

std::span<const std::byte> ByteReader::bytes(std::uint64_t count) {
    need(count);
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += taken.size();
    return taken;
}

std::uint64_t ByteReader::little_endian(std::uint64_t count) {
    std::uint64_t value = 0;
    int shift = 0;
    for (const std::byte b : bytes(count)) {
        value |= std::to_integer<std::uint64_t>(b) << shift;
        shift += 8;
    }
    return value;
}

std::uint32_t ByteReader::big_endian(std::uint64_t count) {
    std::uint32_t value = 0;
    for (const std::byte b : bytes(count)) value = value << 8 | std::to_integer<std::uint32_t>(b);
    return value;
}

std::string ByteReader::at(std::uint64_t file_offset) const {
    return fmt::format("{} @ byte {}", printable(path_), file_offset);
}

void ByteReader::fail(int id, std::string what, std::string why) const {
    throw InputError({.id = id, .what = std::move(what), .at = at(), .why = std::move(why)});
}

}
