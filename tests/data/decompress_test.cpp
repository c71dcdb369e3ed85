#include "data/decompress.h"

#include "data/decompress_zlib.h"
#include "engine/crc32.h"
#include "tests/data/fixtures.h"
#include "tests/data/packing.h"
#include "tests/data/picture_bytes.h"

using namespace bkd;
using namespace bkd::test;

namespace {

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * i >> 7) & 255);
    return bytes;
}

std::vector<std::byte> unpack(std::vector<std::byte> stored, Packing packing, std::size_t most) {
    Unpacker file(std::move(stored), packing, "f");
    std::vector<std::byte> out(most);
    out.resize(file.read(out));
    return out;
}

}

TEST_CASE("what is packed comes out again, in pieces of any size") {
    const std::vector<std::byte> bytes = pattern(100'003);
    for (const Packing packing : {Packing::none, Packing::gzip, Packing::xz}) {
        Unpacker file(packing == Packing::gzip ? gzip_of(bytes)
                      : packing == Packing::xz ? xz_of(bytes)
                                               : bytes,
                      packing, "f");
        std::vector<std::byte> out(bytes.size() + 5);
        std::size_t filled = 0;
        for (std::size_t piece = 1; filled < bytes.size(); piece = piece * 3 + 1)
            filled += file.read(std::span(out).subspan(filled, std::min(piece, out.size() - filled)));
        CHECK(filled == bytes.size());
        CHECK(file.read(std::span(out).subspan(filled)) == 0);
        out.resize(filled);
        CHECK(out == bytes);
    }
}

TEST_CASE("members of a gzip file are one content, and bytes after the last are noted") {
    std::vector<std::byte> stored = gzip_of(pattern(10));
    const std::vector<std::byte> second = gzip_of(pattern(20));
    stored.insert(stored.end(), second.begin(), second.end());
    stored.insert(stored.end(), 3, std::byte{'x'});
    Unpacker file(stored, Packing::gzip, "f");
    std::vector<std::byte> out(100);
    CHECK(file.read(out) == 30);
    CHECK(file.note() == "3 bytes after the compressed data are ignored");
}

TEST_CASE("a cut, damaged or misnamed file is refused with its id") {
    const std::vector<std::byte> bytes = pattern(50'000);
    for (const Packing packing : {Packing::gzip, Packing::xz}) {
        const std::vector<std::byte> stored = packing == Packing::gzip ? gzip_of(bytes) : xz_of(bytes);
        for (const std::size_t kept :
             {std::size_t{0}, std::size_t{1}, std::size_t{11}, stored.size() / 2, stored.size() - 1}) {
            const std::vector<std::byte> cut(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(kept));
            CHECK(contains(error_of([&] { unpack(cut, packing, 60'000); }), "E0430 "));
        }
        std::vector<std::byte> damaged = stored;
        damaged[stored.size() / 2] ^= std::byte{0x10};
        CHECK(contains(error_of([&] { unpack(damaged, packing, 60'000); }), "E0421 "));
        CHECK(contains(error_of([&] { unpack(pattern(1000), packing, 60'000); }), "E0404 "));
    }
}

TEST_CASE("an expanding file gives no more than is asked for") {
    const std::vector<std::byte> zeros(std::size_t{64} << 20);
    Unpacker file(gzip_of(zeros), Packing::gzip, "bomb");
    CHECK(file.stored_bytes() < 70'000);
    std::vector<std::byte> out(100);
    CHECK(file.read(out) == 100);
    CHECK(file.most_unpacked_bytes() >= zeros.size());
    CHECK(file.most_unpacked_bytes() < zeros.size() + (1 << 20));
}

TEST_CASE("a zlib stream in pieces of any size comes out again, and its flaw is told") {
    CHECK(crc32(std::as_bytes(std::span(std::string_view("123456789")))) == 0xcbf43926);
    const std::vector<std::byte> bytes = pattern(20'011), packed = zlib_of(bytes);
    const auto reader_of = [](std::span<const std::byte> stored, std::size_t piece) {
        return ZlibReader([stored, piece]() mutable {
            const auto taken = stored.first(std::min(piece, stored.size()));
            stored = stored.subspan(taken.size());
            return taken;
        });
    };
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, packed.size()}) {
        ZlibReader reader = reader_of(packed, piece);
        std::vector<std::byte> out(bytes.size() + 1);
        CHECK(reader.read(std::span(out).first(100)) == 100);
        CHECK_FALSE(reader.is_whole());
        CHECK(reader.read(std::span(out).subspan(100)) == bytes.size() - 100);
        CHECK(reader.is_whole());
        CHECK(reader.flaw().empty());
        CHECK(reader.read(std::span(out).first(1)) == 0);
        out.resize(bytes.size());
        CHECK(out == bytes);
    }
    const auto flaw_of = [&](const std::vector<std::byte>& stored) {
        ZlibReader reader = reader_of(stored, 1000);
        std::vector<std::byte> out(bytes.size() + 1);
        reader.read(out);
        CHECK_FALSE(reader.is_whole());
        return reader.flaw();
    };
    CHECK(flaw_of({}) == "cut off");
    CHECK(flaw_of(cut(packed, packed.size() - 1)) == "cut off");
    CHECK(flaw_of(with(packed, packed.size() - 1, std::to_integer<int>(packed.back()) ^ 1)) == "incorrect data check");
    CHECK(flaw_of(with(packed, 0, 0)) == "incorrect header check");
    CHECK(flaw_of(bytes_of({0x78, 0xbb, 0, 0, 0, 0})) == "it asks for a dictionary");
}
