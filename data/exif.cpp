// Of EXIF only which way up the camera was held.
#include "data/picture_file.h"

namespace bkd {
namespace {

// Numbers of a TIFF file, in the order of bytes that it says.
class TiffReader {
public:
    TiffReader(std::span<const std::byte> bytes, bool is_big_endian) : bytes_(bytes), is_big_endian_(is_big_endian) {}

    bool has(std::uint64_t at, std::uint64_t count) const { return at <= bytes_.size() && count <= bytes_.size() - at; }
    std::uint32_t number(std::uint64_t at, std::uint64_t size) const {  // where has(at, size)
        std::uint32_t value = 0;
        for (std::uint64_t i = 0; i < size; ++i)
            value = value << 8 | std::to_integer<std::uint32_t>(bytes_[at + (is_big_endian_ ? i : size - 1 - i)]);
        return value;
    }

private:
    std::span<const std::byte> bytes_;
    bool is_big_endian_;
};

}

int exif_orientation(std::span<const std::byte> tiff) {
    constexpr std::uint64_t head = 8, entry = 12;
    constexpr std::uint32_t orientation_tag = 0x0112, type_short = 3;
    if (tiff.size() < head || tiff[0] != tiff[1]) return 1;
    if (tiff[0] != std::byte{'I'} && tiff[0] != std::byte{'M'}) return 1;
    const TiffReader reader(tiff, tiff[0] == std::byte{'M'});
    const std::uint64_t directory = reader.number(4, 4);
    if (reader.number(2, 2) != 42 || !reader.has(directory, 2)) return 1;
    const std::uint64_t entries = reader.number(directory, 2);
    for (std::uint64_t i = 0; i < entries; ++i) {
        const std::uint64_t at = directory + 2 + i * entry;
        if (!reader.has(at, entry)) return 1;
        if (reader.number(at, 2) != orientation_tag || reader.number(at + 2, 2) != type_short) continue;
        const std::uint32_t value = reader.number(at + 8, 2);
        return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
}

}
