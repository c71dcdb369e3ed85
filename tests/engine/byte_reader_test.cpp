#include "engine/byte_reader.h"

#include <doctest/doctest.h>

#include <array>
#include <limits>

using namespace bkd;

namespace {

constexpr std::array<std::byte, 9> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},   std::byte{5},
                                         std::byte{6}, std::byte{7}, std::byte{8}, std::byte{0xff}};

}

TEST_CASE("fields are read in the byte order they ask for") {
    CHECK(ByteReader(bytes, "f").u32be() == 0x01020304u);
    CHECK(ByteReader(bytes, "f").u32le() == 0x04030201u);
    ByteReader reader(bytes, "f");
    CHECK(reader.u64le() == 0x0807060504030201u);
    CHECK(reader.u8() == 0xff);
    CHECK(reader.left() == 0);
    CHECK(reader.offset() == 9);
}

TEST_CASE("reading past the end is refused with the place, and any size up to 2^64 - 1 is past the end") {
    ByteReader reader(bytes, "dir/x.bin", 100);
    reader.skip(8);
    CHECK_THROWS_WITH_AS(reader.u32be(), "file ends too early: 4 bytes needed here, 1 left", InputError);
    try {
        reader.need(std::numeric_limits<std::uint64_t>::max());
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.id() == "E0402");
        CHECK(error.parts().at == "dir/x.bin @ byte 108");
    }
    CHECK(reader.left() == 1);
}
