// The walk over strangers' pictures: what is refused, in which words and at what cost; what is noted.
#include "data/picture_header.h"
#include "data/decode.h"
#include "tests/child.h"
#include "tests/data/fixtures.h"
#include "tests/data/picture_bytes.h"

#include <doctest/doctest.h>

#include <memory>

namespace bkd::test {
namespace {

struct Refused {
    std::string row;  // of the design's table of pictures
    std::string name;
    Content bytes;
    std::string says;  // "E0433 words": id, and a part of what is wrong
};

void check_refused(const Refused& refused) {
    CAPTURE(refused.row);
    CAPTURE(refused.name);
    const std::string words = refused.says.substr(6);
    const Cost cost = cost_of([&] { decode_picture(refused.bytes, refused.name); });
    check_cost(cost, refused.bytes.size());
    CHECK(cost.id() == refused.says.substr(0, 5));
    CHECK(contains(cost.said, words));
    CHECK(contains(cost.said, refused.name));
    CHECK(contains(cost.said, "\n  try: "));
    // The header alone says the same.
    const std::string of_header = error_of([&] { read_picture_header(refused.bytes, refused.name); });
    CHECK(contains(of_header, words));
}

PictureNotes notes_of(const Content& bytes) {
    decode_picture(bytes, "read.jpg");
    return read_picture_header(bytes, "read.jpg").notes;
}

// One more scan of no bits: AC coefficients of a grey progressive picture, in one run of blocks without any.
Content scan_of(int component, int first, int last) {
    return segment(0xda, bytes_of({1, component, 0, first, last, 0})) + bytes_of({0});
}

// A DC table, so many of whose codes have one bit and two.
Content two_codes(int of_one_bit, int of_two_bits) {
    Content table = bytes_of({3, of_one_bit, of_two_bits});
    table.resize(17);
    return segment(0xc4, table + Content(static_cast<std::size_t>(of_one_bit + of_two_bits)));
}

}

TEST_CASE("a picture that is cut off is refused, wherever it ends") {
    const Content jpeg = small_picture("jpeg_420"), png = small_picture("png_rgb_8");
    const std::size_t scan = marker_at(jpeg, 0xda);
    const Refused files[] = {
        {"I1", "a.jpg", {}, "E0433 empty file"},
        {"I2", "a.jpg", bytes_of({0xff}), "E0433 JPEG of 1 bytes ends inside its first marker"},
        {"I2", "a.png", cut(png, 3), "E0433 PNG of 3 bytes ends inside its signature"},
        {"I3", "a.jpg", cut(jpeg, 2), "E0433 JPEG of 2 bytes ends before its first scan, without EOI"},
        {"I4", "a.jpg", cut(jpeg, scan + 100), "E0433 ends inside scan 1, without EOI"},
        {"I4", "a.jpg", cut(jpeg, jpeg.size() / 2), "E0433 image is cut off"},
        {"I5", "a.jpg", cut(jpeg, jpeg.size() - 2), "E0433 ends inside scan 1, without EOI"},
        {"I5", "a.jpg", cut(jpeg, jpeg.size() - 1), "E0433 ends inside scan 1, without EOI"},
        {"I7", "a.jpg", cut(jpeg, scan), "E0433 ends before its first scan, without EOI"},
        {"I7", "a.jpg", cut(jpeg, scan) + bytes_of({0xff, 0xd9}), "E0433 ends before its first scan"},
        {"I8", "a.png", cut(png, png.size() / 2), "E0433 ends inside chunk IDAT"},
        {"I9", "a.png", cut(png, png.size() - 12), "E0433 ends between chunks, without IEND"},
        {"I9", "a.png", cut(png, png.size() - 5), "E0433 ends inside the head of a chunk, without IEND"},
        {"", "a.png", cut(png, png.size() - 1), "E0433 ends inside chunk IEND of 0 bytes"},
        {"", "a.jpg", inserted(jpeg, 2, cut(segment(0xe5, Content(9)), 4)) + Content(),
         "E0437 where a marker must stand"},
        {"", "a.jpg", cut(jpeg, scan + 14) + bytes_of({1, 2, 0xff, 0xd9}),
         "E0433 has 2 bytes, its 36 blocks need 9 or more"},
    };
    for (const Refused& file : files) check_refused(file);
}

TEST_CASE("every beginning of a JPEG and of a PNG is refused as cut off") {
    for (const char* name : {"jpeg_420", "jpeg_progressive", "jpeg_restart", "png_rgb_8", "png_palette_4_interlaced"}) {
        CAPTURE(name);
        const Content whole = small_picture(name);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CAPTURE(size);
            REQUIRE(error_of([&] { decode_picture(std::span(whole).first(size), name); }).starts_with("E0433"));
        }
        CHECK(decode_picture(whole, name).width > 0);
    }
}

TEST_CASE("what is no JPEG or PNG is refused with what it is, whatever its name") {
    using namespace std::string_view_literals;
    const Refused files[] = {
        {"I13", "a.jpg", content_of("<!DOCTYPE HTML PUBLIC>\n<html>404"), "E0434 this is an HTML page"},
        {"I13", "a.jpg", content_of("\n <html><body>"), "E0434 this is an HTML page"},
        {"I13", "a.jpg", content_of("Not found, \xc3\xa4ndere the address\n"), "E0434 this is text"},
        {"I14", "a.jpg", content_of("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a"),
         "E0434 this is a Git LFS pointer"},
        {"I16", "a.jpg", content_of("GIF89a"), "E0434 this is a GIF picture"},
        {"I16", "a.png", content_of("BM\x8a\x10"), "E0434 this is a BMP picture"},
        {"I16", "a.jpg", content_of("RIFF\x10\0\0\0WEBPVP8 "sv), "E0434 this is a WebP picture"},
        {"I16", "a.jpg", content_of("II*\0\x08\0\0\0"sv), "E0434 this is a TIFF picture"},
        {"I16", "a.jpg", content_of("MM\0*\0\0\0\x08"sv), "E0434 this is a TIFF picture"},
        {"I16", "a.jpg",
         content_of("\0\0\0\x18"
                    "ftypheic\0\0\0\0"sv),
         "E0434 this is a HEIC picture"},
        {"I16", "a.jpg",
         content_of("\0\0\0\x18"
                    "ftypavif\0\0\0\0"sv),
         "E0434 this is an AVIF picture"},
        {"I16", "a.jpg", content_of("8BPS\0\1"sv), "E0434 this is a PSD picture"},
        {"I16", "a.jpg", content_of("P6 2 2 255\n\1\2\3"sv), "E0434 this is a PNM picture"},
        {"I16", "a.jpg", content_of("#?RADIANCE\n"), "E0434 this is an HDR picture"},
        {"", "a.jpg", content_of("PK\3\4"), "E0434 this is a zip archive"},
        {"", "a.jpg", Content(100), "E0434 this is no picture: it begins with bytes 00 00"},
        {"", "a.jpg", Content(1), "E0434 this is no picture: one byte, 00"},
    };
    for (const Refused& file : files) check_refused(file);
    CHECK(contains(error_of([] { decode_picture(content_of("version https://git-lfs"), "x"); }), "try: git lfs pull"));
    CHECK(contains(error_of([] { decode_picture({}, "a\n\x1b.jpg"); }), "a\\x0a\\x1b.jpg"));
}

TEST_CASE("I15: content goes before the name") {
    CHECK(read_picture_header(small_picture("png_rgb_8"), "a.jpg").kind == PictureKind::png);
    CHECK(read_picture_header(small_picture("jpeg_420"), "a.png").kind == PictureKind::jpeg);
}

TEST_CASE("a JPEG of a kind that decoders read wrongly or not at all is refused with its kind") {
    const Content jpeg = small_picture("jpeg_444");
    const std::size_t frame = marker_at(jpeg, 0xc0), sampling = frame + 11;
    const Refused files[] = {
        {"I18", "a.jpg", with(jpeg, frame + 9, 4), "E0434 four components (CMYK or YCCK)"},
        {"I29", "a.jpg", with(jpeg, frame + 4, 12), "E0434 JPEG of 12 bit"},
        {"I29", "a.jpg", with(jpeg, frame + 1, 0xc3), "E0434 JPEG is lossless"},
        {"I29", "a.jpg", with(jpeg, frame + 1, 0xf7), "E0434 JPEG is lossless"},
        {"I29", "a.jpg", with(jpeg, frame + 1, 0xc9), "E0434 JPEG is arithmetic coded"},
        {"", "a.jpg", with(jpeg, frame + 1, 0xc5), "E0434 JPEG is hierarchical"},
        {"I30", "a.jpg", with(jpeg, frame + 9, 2), "E0434 JPEG of 2 components"},
        {"I30", "a.jpg", with(jpeg, frame + 9, 5), "E0434 JPEG of 5 components"},
        {"I31", "a.jpg", with(with(jpeg, frame + 5, 0), frame + 6, 0), "E0434 does not give its height (0, for DNL)"},
        {"I31", "a.jpg", inserted(jpeg, jpeg.size() - 2, segment(0xdc, bytes_of({0, 27}))), "E0434 (DNL)"},
        {"", "a.jpg", with(with(jpeg, sampling, 0x31), sampling + 3, 0x21), "E0434 JPEG sampling 2 x 1 beside 3 x 1"},
    };
    for (const Refused& file : files) check_refused(file);
}

TEST_CASE("a JPEG that breaks its format is refused before a decoder sees it") {
    const Content jpeg = small_picture("jpeg_444"), progressive = small_picture("jpeg_progressive");
    const Content restart = small_picture("jpeg_restart");
    const std::size_t frame = marker_at(jpeg, 0xc0), codes = marker_at(jpeg, 0xc4), scan = marker_at(jpeg, 0xda);
    const std::size_t quantization = marker_at(jpeg, 0xdb), end = jpeg.size() - 2;
    const std::size_t second = marker_at(progressive, 0xda, marker_at(progressive, 0xda) + 2);
    const Content frame_segment(jpeg.begin() + static_cast<std::ptrdiff_t>(frame),
                                jpeg.begin() + static_cast<std::ptrdiff_t>(frame + segment_bytes(jpeg, frame)));
    const Content scan_and_data(jpeg.begin() + static_cast<std::ptrdiff_t>(scan),
                                jpeg.begin() + static_cast<std::ptrdiff_t>(end));
    const Refused files[] = {
        {"I28", "a.jpg", with(jpeg, codes + 5, 3), "E0437 JPEG Huffman table is over-full"},
        {"I28", "a.jpg", with(with(jpeg, codes + 19, 255), codes + 20, 255), "E0437 JPEG Huffman table is over-full"},
        {"I28", "a.jpg", inserted(jpeg, scan, two_codes(2, 0)), "E0437 JPEG Huffman table is over-full: 2 codes"},
        {"I28", "a.jpg", inserted(jpeg, scan, two_codes(0, 4)), "E0437 JPEG Huffman table is over-full: 4 codes"},
        {"I28", "a.jpg", inserted(jpeg, scan, two_codes(1, 2)), "E0437 JPEG Huffman table is over-full: 3 codes"},
        {"", "a.jpg", with(jpeg, codes + 4, 0x20), "E0437 Huffman table 0 of class 2"},
        {"", "a.jpg", with(jpeg, codes + 4, 4), "E0437 Huffman table 4 of class 0"},
        {"", "a.jpg", with(jpeg, codes + 21, 16), "E0437 JPEG DC table has a difference of 16 bits"},
        {"", "a.jpg", inserted(jpeg, scan, segment(0xc4, Content(5))), "E0437 Huffman table is shorter than its head"},
        {"", "a.jpg",
         inserted(jpeg, scan, segment(0xc4, bytes_of({0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}))),
         "E0437 Huffman table has 1 of 2 symbols"},
        {"", "a.jpg", with(jpeg, quantization + 4, 0x20), "E0437 quantization table 0 of precision 2"},
        {"", "a.jpg", with(jpeg, quantization + 4, 4), "E0437 quantization table 4 of precision 0"},
        {"", "a.jpg", inserted(jpeg, scan, segment(0xdb, Content(64))),
         "E0437 quantization table has 63 bytes, must have 64"},
        {"", "a.jpg", without_segment(jpeg, 0xdb), "E0437 uses quantization table 0, which is not defined"},
        {"", "a.jpg", without_segment(jpeg, 0xc4), "E0437 uses DC table 0, which is not defined"},
        {"", "a.jpg", with(jpeg, scan + 6, 0x02), "E0437 uses AC table 2, which is not defined"},
        {"", "a.jpg", inserted(jpeg, scan, segment(0xdd, Content(3))), "E0437 restart interval (DRI) of 3 bytes"},
        {"", "a.jpg", inserted(jpeg, scan, frame_segment), "E0437 second frame header (SOF)"},
        {"", "a.jpg", without_segment(jpeg, 0xc0), "E0437 scan before its frame header"},
        {"", "a.jpg", with(with(jpeg, frame + 7, 0), frame + 8, 0), "E0437 JPEG of width 0"},
        {"", "a.jpg", with(jpeg, frame + 3, 14), "E0437 JPEG frame header has 6 bytes for 3 components"},
        {"", "a.jpg", with(jpeg, frame + 11, 0x51), "E0437 sampling factors 5 x 1"},
        {"", "a.jpg", with(jpeg, frame + 11, 0x10), "E0437 sampling factors 1 x 0"},
        {"", "a.jpg", with(jpeg, frame + 11, 0x44), "E0437 scan with 18 blocks in an MCU"},
        {"", "a.jpg", with(jpeg, frame + 12, 4), "E0437 JPEG quantization table 4"},
        {"", "a.jpg", with(jpeg, frame + 13, 1), "E0437 component 1 twice"},
        {"", "a.jpg", with(jpeg, scan + 4, 0), "E0437 scan of 0 components"},
        {"", "a.jpg", with(jpeg, scan + 4, 2), "E0437 scan header of 9 bytes for 2 components"},
        {"", "a.jpg", with(jpeg, scan + 7, 1), "E0437 scan names component 1, which is not there or named before"},
        {"", "a.jpg", with(jpeg, scan + 12, 10), "E0437 JPEG scan of coefficients 0..10, bits 0..0"},
        {"", "a.jpg", inserted(jpeg, end, scan_and_data), "E0437 JPEG sends component 1 twice"},
        {"", "a.jpg", inserted(jpeg, 2, bytes_of({0})),
         "E0437 byte 00 before its first scan where a marker must stand"},
        {"", "a.jpg", inserted(jpeg, 2, bytes_of({0xff, 0xf0, 0, 2})),
         "E0437 marker FFF0 before its first scan is not known"},
        {"", "a.jpg", inserted(jpeg, 2, bytes_of({0xff, 0xe1, 0, 1})), "E0437 segment FFE1 has length 1"},
        {"", "a.jpg", inserted(jpeg, end, bytes_of({0xff, 0xd0})), "E0437 has 1 restart markers, must have 0"},
        {"", "a.jpg", without(restart, marker_at(restart, 0xd0), 2), "E0437 RST1 in scan 1 is out of order"},
        {"", "a.jpg", with(restart, marker_at(restart, 0xd2) + 1, 0xd5), "E0437 RST5 in scan 1 is out of order"},
        {"", "a.jpg", with(restart, marker_at(restart, 0xdd) + 5, 2), "E0437 has 5 restart markers, must have 2"},
        {"", "a.jpg", without(progressive, marker_at(progressive, 0xda), second - marker_at(progressive, 0xda)),
         "E0437 progressive scan of AC coefficients before those of DC"},
        {"", "a.jpg", inserted(progressive, progressive.size() - 2, scan_of(1, 1, 5)),
         "E0437 bits of coefficient 1 out of order"},
        {"", "a.jpg", inserted(progressive, progressive.size() - 2, scan_of(1, 0, 5)),
         "E0437 progressive scan of coefficients 0..5"},
    };
    for (const Refused& file : files) check_refused(file);
    for (const auto& [one, two] : {std::pair{1, 1}, {0, 3}, {1, 0}})  // the code of all ones is free
        CHECK(notes_of(inserted(jpeg, scan, two_codes(one, two))).orientation == 1);
}

TEST_CASE("a picture that is too large is refused before memory is taken for it") {
    const Content jpeg = small_picture("jpeg_444"), progressive = small_picture("jpeg_progressive_grey");
    const std::size_t extent = marker_at(jpeg, 0xc0) + 5;
    Content huge = jpeg;
    for (std::size_t i = 0; i < 4; ++i) huge[extent + i] = std::byte{0xff};
    Content scans = cut(progressive, progressive.size() - 2);
    for (int i = 0; i < 2010; ++i) scans = scans + scan_of(1, 1, 63);
    scans = scans + bytes_of({0xff, 0xd9});
    const std::uint64_t most = 0x7fffffff;
    const Refused files[] = {
        {"I27", "a.jpg", scans, "E0436 JPEG has more than 100 scans"},
        {"I32", "a.jpg", huge, "E0436 image of 65535 x 65535 pixels is too large"},
        {"I33", "a.png", grey_png(most, most, 100), "E0436 image of 2147483647 x 2147483647 pixels is too large"},
        {"I35", "a.png", grey_png(12000, 12000, 12001 * 12000), "E0436 at most 64 MPixel are read, these are 137.3"},
        {"", "a.png", grey_png(32769, 1, 32770), "E0436 a side has at most 32768 pixels"},
    };
    for (const Refused& file : files) check_refused(file);
    const std::unique_ptr<void, void (*)(void*)> zeros(std::calloc((256 << 20) + 1, 1), std::free);
    const std::span<const std::byte> file(static_cast<const std::byte*>(zeros.get()), (256 << 20) + 1);
    CHECK(error_of([&] { decode_picture(file, "x"); }).starts_with("E0436 error[E0436]: file of 268435457 bytes"));
    CHECK(error_of([&] { decode_picture(file.first(256 << 20), "x"); }).starts_with("E0434"));
}

TEST_CASE("a PNG that breaks its format is refused before a decoder sees it") {
    const Content start = png_signature(), header = png_header(2, 2, 8, 0), data = png_data(6), end = png_end();
    const Content packed = zlib_of(Content(6));
    const Content flipped = small_picture("png_rgb_8");
    const std::size_t idat = start.size() + header.size();
    Content damaged = packed;
    damaged.at(3) ^= std::byte{0x40};
    Content unsummed = packed;
    unsummed.back() ^= std::byte{1};
    const Refused files[] = {
        {"I11", "a.png", with(flipped, flipped.size() - 13, 1), "E0437 checksum of PNG chunk IDAT is"},
        {"I12", "a.png", with(flipped, idat + 20, 0x77), "E0437 checksum of PNG chunk IDAT is"},
        {"", "a.png", with(flipped, 18, 1), "E0437 checksum of PNG chunk IHDR is"},
        {"I22", "a.png", start + png_header(2, 2, 8, 3) + data + end, "E0437 PNG of palette colours has no palette"},
        {"I34", "a.png", grey_png(0, 0, 1), "E0437 PNG of 0 x 0 pixels has none"},
        {"I34", "a.png", grey_png(5, 0, 1), "E0437 PNG of 5 x 0 pixels has none"},
        {"I37", "a.png", start + header + header + data + end, "E0437 second header (IHDR)"},
        {"I37", "a.png", start + header + chunk("ABCD", {}) + data + end, "E0437 PNG chunk ABCD is not known"},
        {"I37", "a.png", start + header + chunk("CgBI", {}) + data + end, "E0437 PNG chunk CgBI is not known"},
        {"I37", "a.png", start + header + chunk("IDAT", cut(packed, 4)) + chunk("tEXt", {}) + data + end,
         "E0437 other chunks between its chunks IDAT"},
        {"I38", "a.png", grey_png(2, 2, 5), "E0437 PNG inflates to 5 bytes of rows, must have 6"},
        {"I38", "a.png", grey_png(2000, 2000, 5), "E0437 bytes of IDAT for 4002000 bytes of rows"},
        {"", "a.png", start + data + end, "E0437 PNG begins with chunk IDAT"},
        {"", "a.png", start + header + end, "E0437 PNG has no chunk IDAT"},
        {"", "a.png", start + header + data + chunk("IEND", Content(1)), "E0437 PNG chunk IEND of 1 bytes"},
        {"", "a.png", start + chunk("IHDR", Content(12)) + data + end, "E0437 PNG chunk IHDR of 12 bytes"},
        {"", "a.png", start + png_header(2, 2, 8, 0, 2) + data + end,
         "E0437 PNG of compression 0, filter 0, interlace 2"},
        {"", "a.png", start + png_header(2, 2, 8, 0, 256) + data + end,
         "E0437 PNG of compression 0, filter 1, interlace 0"},
        {"", "a.png", start + header + chunk("a1cd", {}) + data + end, "E0437 PNG chunk with the name \"a1cd\""},
        {"", "a.png", start + header + big_endian(0x80000000, 4) + content_of("IDAT"),
         "E0437 IDAT of 2147483648 bytes"},
        {"", "a.png", start + header + big_endian(0x7fffffff, 4) + content_of("IDAT"),
         "E0433 ends inside chunk IDAT of 2147483647 bytes"},
        {"", "a.png", start + png_header(2, 2, 2, 3) + chunk("PLTE", Content(15)) + data + end,
         "E0437 palette (PLTE) of 15 bytes"},
        {"", "a.png", start + png_header(2, 2, 8, 3) + chunk("PLTE", Content(4)) + data + end,
         "E0437 palette (PLTE) of 4 bytes"},
        {"", "a.png",
         start + png_header(2, 2, 8, 3) + chunk("PLTE", Content(3)) + chunk("PLTE", Content(3)) + data + end,
         "E0437 second palette (PLTE)"},
        {"", "a.png", start + png_header(2, 2, 8, 2) + data + chunk("PLTE", Content(3)) + end,
         "E0437 palette (PLTE) behind its pixels"},
        {"", "a.png", start + header + chunk("IDAT", damaged) + end, "E0437 compressed data of PNG is damaged after"},
        {"", "a.png", start + header + chunk("IDAT", unsummed) + end,
         "E0437 damaged after 6 of 6 bytes of rows: incorrect data check"},
        {"", "a.png", start + header + chunk("IDAT", cut(packed, packed.size() - 1)) + end,
         "E0437 damaged after 6 of 6 bytes of rows: cut off"},
        {"", "a.png", start + header + chunk("IDAT", content_of("no zlib data")) + end,
         "E0437 damaged after 0 of 6 bytes of rows: incorrect header check"},
    };
    for (const Refused& file : files) check_refused(file);
    int legal = 0;
    for (int colour = 0; colour < 8; ++colour)
        for (int depth = 0; depth < 18; ++depth) {
            const Content file =
                start + png_header(1, 1, depth, colour) + chunk("PLTE", Content(3)) +
                png_data(1 +
                         static_cast<std::size_t>(
                             (depth * std::array{1, 0, 3, 1, 2, 0, 4, 0}[static_cast<std::size_t>(colour)] + 7) / 8)) +
                end;
            const std::string said = error_of([&] { decode_picture(file, "x"); });
            legal += said.empty() ? 1 : 0;
            if (!said.empty())
                CHECK(contains(said, fmt::format("E0437]: PNG of colour type {} with {} bits", colour, depth)));
        }
    CHECK(legal == 15);
}

TEST_CASE("what is odd but harmless is read and noted") {
    const Content jpeg = small_picture("jpeg_420"), png = small_picture("png_rgb_8"), junk(400, std::byte{0xff});
    const Content start = png_signature(), end = png_end();
    const auto icc = segment(0xe2, content_of(std::string_view("ICC_PROFILE\0\1\1", 14)));
    const std::size_t after_header = 33;
    CHECK(notes_of(jpeg).bytes_after_end == 0);
    CHECK(notes_of(jpeg + junk).bytes_after_end == 400);  // I6
    CHECK(notes_of(png + junk).bytes_after_end == 400);   // I10
    CHECK(notes_of(inserted(jpeg, 2, icc)).has_icc_profile);
    CHECK_FALSE(notes_of(jpeg).has_icc_profile);
    CHECK(notes_of(inserted(png, after_header, chunk("iCCP", content_of("x")))).has_icc_profile);
    for (const char* name : {"png_rgba_8", "png_grey_alpha_16", "png_palette_transparent", "png_transparent_colour"})
        CHECK(notes_of(small_picture(name)).has_alpha);  // I19
    CHECK_FALSE(notes_of(png).has_alpha);
    CHECK(notes_of(small_picture("png_palette_short")).is_palette_short);  // I21
    CHECK_FALSE(notes_of(small_picture("png_palette_4")).is_palette_short);
    CHECK(notes_of(small_picture("png_grey_16")).is_16_bit);  // I24
    CHECK_FALSE(notes_of(png).is_16_bit);
    CHECK(notes_of(grey_png(2, 2, 7)).inflates_too_far);  // I38
    CHECK(notes_of(grey_png(2, 2, 1 << 20)).inflates_too_far);
    CHECK_FALSE(notes_of(grey_png(2, 2, 6)).inflates_too_far);
    CHECK(notes_of(small_picture("jpeg_exif")).orientation == 6);  // I39
    CHECK(notes_of(jpeg).orientation == 1);
    CHECK(read_picture_header(small_picture("jpeg_grey"), "x").channels == 1);  // I17
    CHECK(read_picture_header(small_picture("png_palette_1"), "x").channels == 3);
    // One restart marker more than there are intervals, where the last is full.
    const Content restart = small_picture("jpeg_restart");
    CHECK(notes_of(inserted(restart, restart.size() - 2, bytes_of({0xff, 0xd5}))).bytes_after_end == 0);
}

TEST_CASE("EXIF is read in both orders of bytes, and nonsense in it is no orientation") {
    const auto note = [](const std::string& tiff) {
        const Content exif = chunk("eXIf", content_of(tiff));
        return notes_of(inserted(small_picture("png_rgb_8"), 33, exif)).orientation;
    };
    const std::string little("II*\0\x08\0\0\0\2\0\x00\1\3\0\1\0\0\0\5\0\0\0\x12\1\3\0\1\0\0\0\7\0\0\0\0\0\0\0", 38);
    const std::string big("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\4\0\0\0\0\0\0", 26);
    CHECK(note(little) == 7);
    CHECK(note(big) == 4);
    for (std::size_t size = 0; size < 34; ++size) CHECK(note(little.substr(0, size)) == 1);
    const auto changed = [&](std::size_t at, char to) {
        std::string tiff = big;
        tiff[at] = to;
        return note(tiff);
    };
    CHECK(changed(19, 9) == 1);
    CHECK(changed(19, 0) == 1);
    CHECK(changed(4, '\xff') == 1);  // a directory beyond the file
    CHECK(changed(13, 4) == 1);      // not a short number
    CHECK(changed(0, 'X') == 1);
}

TEST_CASE("I36: chunks that nobody needs are walked over, never unpacked") {
    const Content png = small_picture("png_rgb_8"), bomb = zlib_of(Content(64 << 20));
    const std::size_t after_header = 33;
    const Content text = inserted(png, after_header, chunk("tEXt", Content(5 << 20)));
    const Content packed = inserted(png, after_header,
                                    chunk("zTXt", content_of(std::string_view("x\0\0", 3)) + bomb) +
                                        chunk("iCCP", content_of(std::string_view("x\0\0", 3)) + bomb));
    for (const Content& file : {text, packed}) {
        const Cost cost = cost_of([&] { decode_picture(file, "x"); });
        CHECK(cost.said == "accepted");
        CHECK(cost.milliseconds < refusal_milliseconds);
        CHECK(cost.peak_bytes < 16 << 20);
    }
}

}
