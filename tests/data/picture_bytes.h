#pragma once
// Pictures byte by byte: the small ones of the fuzzers' corpus, and what makes them wrong.
#include "engine/file.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd::test {

using Content = std::vector<std::byte>;

// encoded_pictures.py: "jpeg_420", "png_rgb_8", ...
inline Content small_picture(const std::string& name) {
    return read_file(std::filesystem::path(BKD_SOURCE_DIR "/tests/fuzz/corpus/picture") / ("read_" + name), 1 << 16);
}

inline Content content_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}
inline Content operator+(Content a, const Content& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
inline Content big_endian(std::uint64_t value, int count) {
    Content bytes;
    for (int i = count - 1; i >= 0; --i) bytes.push_back(static_cast<std::byte>(value >> 8 * i & 255));
    return bytes;
}
inline Content cut(Content bytes, std::size_t size) {
    bytes.resize(size);
    return bytes;
}
inline Content with(Content bytes, std::size_t at, int value) {
    bytes.at(at) = static_cast<std::byte>(value);
    return bytes;
}
inline Content inserted(Content bytes, std::size_t at, const Content& more) {
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), more.begin(), more.end());
    return bytes;
}
inline Content without(Content bytes, std::size_t at, std::size_t count) {
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    bytes.erase(from, from + static_cast<std::ptrdiff_t>(count));
    return bytes;
}

// JPEG. Where the first marker FF `marker` stands, of those before and after the first scan's header.
inline std::size_t marker_at(const Content& jpeg, int marker, std::size_t from = 2) {
    for (std::size_t at = from; at + 1 < jpeg.size(); ++at)
        if (jpeg[at] == std::byte{0xff} && jpeg[at + 1] == static_cast<std::byte>(marker)) return at;
    FAIL("no such marker: ", marker);
    return 0;
}
inline Content segment(int marker, const Content& data) {
    return Content{std::byte{0xff}, static_cast<std::byte>(marker)} + big_endian(data.size() + 2, 2) + data;
}
inline std::size_t segment_bytes(const Content& jpeg, std::size_t at) {  // with its marker
    return 2 + std::to_integer<std::size_t>(jpeg.at(at + 2)) * 256 + std::to_integer<std::size_t>(jpeg.at(at + 3));
}
inline Content without_segment(const Content& jpeg, int marker) {
    const std::size_t at = marker_at(jpeg, marker);
    return without(jpeg, at, segment_bytes(jpeg, at));
}

// PNG.
inline Content chunk(std::string_view name, const Content& data) {
    const Content named = content_of(name) + data;
    const auto sum = ::crc32(0, reinterpret_cast<const Bytef*>(named.data()), static_cast<uInt>(named.size()));
    return big_endian(data.size(), 4) + named + big_endian(sum, 4);
}
inline Content zlib_of(const Content& raw) {
    uLongf size = compressBound(static_cast<uLong>(raw.size()));
    Content packed(size);
    REQUIRE(compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
                      static_cast<uLong>(raw.size()), Z_BEST_SPEED) == Z_OK);
    packed.resize(size);
    return packed;
}
inline Content png_signature() { return content_of("\x89PNG\r\n\x1a\n"); }
inline Content png_header(std::uint64_t width, std::uint64_t height, int depth, int colour, int interlace = 0) {
    return chunk("IHDR", big_endian(width, 4) + big_endian(height, 4) + big_endian(static_cast<unsigned>(depth), 1) +
                             big_endian(static_cast<unsigned>(colour), 1) +
                             big_endian(static_cast<unsigned>(interlace), 3));
}
inline Content png_end() { return chunk("IEND", {}); }
// Rows of zeros, `raw_bytes` of them.
inline Content png_data(std::size_t raw_bytes) { return chunk("IDAT", zlib_of(Content(raw_bytes))); }
inline Content grey_png(std::uint64_t width, std::uint64_t height, std::size_t raw_bytes) {
    return png_signature() + png_header(width, height, 8, 0) + png_data(raw_bytes) + png_end();
}

}
