#pragma once
// Packs bytes as the tests of readers need them: .gz and .xz.
#include <doctest/doctest.h>
#include <lzma.h>
#include <zlib.h>

#include <cstddef>
#include <span>
#include <vector>

namespace bkd::test {

inline std::vector<std::byte> gzip_of(std::span<const std::byte> bytes) {
    z_stream stream{};
    constexpr int gzip_window = 15 + 16, memory_level = 8;
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, gzip_window, memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
    std::vector<std::byte> packed(deflateBound(&stream, bytes.size()));
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

inline std::vector<std::byte> xz_of(std::span<const std::byte> bytes) {
    std::vector<std::byte> packed(lzma_stream_buffer_bound(bytes.size()));
    std::size_t size = 0;
    constexpr std::uint32_t fast = 1;
    REQUIRE(lzma_easy_buffer_encode(fast, LZMA_CHECK_CRC64, nullptr,
                                    reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                                    reinterpret_cast<std::uint8_t*>(packed.data()), &size, packed.size()) == LZMA_OK);
    packed.resize(size);
    return packed;
}

}
