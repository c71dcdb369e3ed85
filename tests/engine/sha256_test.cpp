// Vectors of FIPS 180-4's examples (NIST, "SHA256.pdf") and of the empty message.
#include "engine/sha256.h"

#include <doctest/doctest.h>

#include <string>

using namespace bkd;

namespace {

std::string sha256_of(const std::string& text) { return sha256_hex(std::as_bytes(std::span(text))); }

}

TEST_CASE("SHA-256 gives the digests that FIPS 180-4 publishes") {
    CHECK(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256_of(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("bytes given in pieces of any size hash as the whole does") {
    std::string text;
    for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
    const std::string whole = sha256_of(text);
    for (const std::size_t piece : {1, 3, 55, 56, 63, 64, 65, 119, 128, 299}) {
        Sha256 hash;
        for (std::size_t at = 0; at < text.size(); at += piece)
            hash.update(text.data() + at, std::min(piece, text.size() - at));
        CHECK_MESSAGE(hash.hex() == whole, "piece of ", piece);
    }
}

TEST_CASE("asking for the digest half way leaves the hash as it was") {
    Sha256 hash;
    hash.update("ab", 2);
    CHECK(hash.hex() == "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603");
    hash.update("c", 1);
    CHECK(hash.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hash.digest()[0] == std::byte{0xba});
}
