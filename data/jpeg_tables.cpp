#include "data/jpeg_tables.h"

#include "kernels/error.h"

#include <algorithm>

namespace bkd {
namespace {

[[noreturn]] void refuse(const PictureFile& file, std::uint64_t at, std::string what, std::string why = {}) {
    file.refuse(437, std::move(what), at, std::move(why));
}

}

void JpegTables::take_quantization(const PictureFile& file, ByteReader data) {
    while (data.left() > 0) {
        const int head = data.u8(), precision = head >> 4, table = head & 15;
        if (precision > 1 || table > 3)
            refuse(file, data.offset() - 1, fmt::format("JPEG quantization table {} of precision {}", table, precision),
                   "tables are 0..3, of precision 0 or 1");
        const std::uint64_t size = precision == 0 ? jpeg_coefficients : 2 * jpeg_coefficients;
        if (data.left() < size)
            refuse(file, data.offset(),
                   fmt::format("JPEG quantization table has {} bytes, must have {}", data.left(), size));
        data.skip(size);
        quantization[static_cast<std::size_t>(table)] = true;
    }
}

// A table that claims more codes than there are writes past the arrays of decoders that trust it.
void JpegTables::take_huffman(const PictureFile& file, ByteReader data) {
    constexpr std::uint64_t head_bytes = 17;
    while (data.left() > 0) {
        const std::uint64_t begin = data.offset();
        if (data.left() < head_bytes) refuse(file, begin, "JPEG Huffman table is shorter than its head of 17 bytes");
        const int head = data.u8(), kind = head >> 4, table = head & 15;
        if (kind > 1 || table > 3)
            refuse(file, begin, fmt::format("JPEG Huffman table {} of class {}", table, kind),
                   "tables are 0..3, of class 0 or 1");
        int symbols = 0, code = 0;
        bool is_over_full = false;
        for (int length = 1; length <= 16; ++length) {
            const int count = data.u8();
            symbols += count, code += count;
            is_over_full |= count > 0 && code >= 1 << length;  // the code of all ones is left free
            code = std::min(code << 1, 1 << 20);
        }
        if (is_over_full || symbols > 256)
            refuse(file, begin, fmt::format("JPEG Huffman table is over-full: {} codes", symbols),
                   "no code begins another, none is all ones, at most 256");
        if (data.left() < static_cast<std::uint64_t>(symbols))
            refuse(file, data.offset(), fmt::format("JPEG Huffman table has {} of {} symbols", data.left(), symbols));
        for (int i = 0; i < symbols; ++i)
            if (const int symbol = data.u8(); kind == 0 && symbol > 15)
                refuse(file, data.offset() - 1, fmt::format("JPEG DC table has a difference of {} bits", symbol),
                       "at most 15");
        (kind == 0 ? dc : ac)[static_cast<std::size_t>(table)] = true;
    }
}

}
