// The check value of the CRC catalogue and the vectors of RFC 3720, B.4.
#include "engine/crc32c.h"

#include <doctest/doctest.h>

#include <string>

using namespace bkd;

namespace {

std::uint32_t crc_of(const std::string& text, std::uint32_t start = 0) {
    return crc32c(std::as_bytes(std::span(text)), start);
}

}

TEST_CASE("CRC-32C gives the values that RFC 3720 publishes") {
    CHECK(crc_of("") == 0u);
    CHECK(crc_of("123456789") == 0xE3069283u);
    CHECK(crc_of(std::string(32, '\0')) == 0x8A9136AAu);
    CHECK(crc_of(std::string(32, '\xff')) == 0x62A8AB43u);
    std::string ascending;
    for (char c = 0; c < 32; ++c) ascending += c;
    CHECK(crc_of(ascending) == 0x46DD794Eu);
}

TEST_CASE("a CRC goes on from the value of the bytes before") {
    const std::string text = "the quick brown fox jumps over the lazy dog";
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
        CHECK(crc_of(text.substr(cut), crc_of(text.substr(0, cut))) == crc_of(text));
}
