// Pixels of small pictures against Pillow's (encoded_pictures.py), of real ones where they are at hand, and what
// damage does.
#include "data/decode.h"
#include "engine/safetensors.h"
#include "engine/sha256.h"
#include "tests/child.h"
#include "tests/data/fixtures.h"
#include "tests/data/picture_bytes.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>

namespace bkd::test {
namespace {

const std::string pillows = BKD_SOURCE_DIR "/tests/data/decoded_pictures.safetensors";

Picture pillow(const SafeTensors& file, const std::string& name) {
    const StoredTensor& tensor = file.at(name);
    return {tensor.shape[0], tensor.shape[1], file.values<std::uint8_t>(tensor)};
}

int largest_difference(const Picture& a, const Picture& b) {
    REQUIRE(a.height == b.height);
    REQUIRE(a.width == b.width);
    int largest = 0;
    for (std::size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
    return largest;
}

// What happens to a file that somebody changed: refused, or a picture of a size within the limits.
std::string fate(std::span<const std::byte> bytes, JpegDecoder decoder) {
    try {
        const Picture picture = decode_picture(bytes, "x", {.jpeg = decoder});
        REQUIRE(picture.height >= 1);
        REQUIRE(picture.width >= 1);
        REQUIRE(static_cast<std::uint64_t>(picture.height * picture.width) <= most_picture_pixels);
        return "read";
    } catch (const InputError& error) { return error.id(); }
}

// Members of a tar archive of plain files.
std::map<std::string, Content> members(const Content& archive) {
    std::map<std::string, Content> files;
    for (std::size_t at = 0; at + 512 <= archive.size();) {
        const auto* header = reinterpret_cast<const char*>(archive.data() + at);
        if (header[0] == 0) break;
        const std::string name(header, ::strnlen(header, 100));
        const auto size = std::strtoull(std::string(header + 124, 11).c_str(), nullptr, 8);
        const auto begin = archive.begin() + static_cast<std::ptrdiff_t>(at + 512);
        files[name].assign(begin, begin + static_cast<std::ptrdiff_t>(size));
        at += 512 + (size + 511) / 512 * 512;
    }
    return files;
}

// Lines of a table with a head, as words by the names of its columns.
std::vector<std::map<std::string, std::string>> table(const Content& content) {
    std::istringstream text(std::string(reinterpret_cast<const char*>(content.data()), content.size()));
    const auto split = [](const std::string& line) {
        std::vector<std::string> words(1);
        for (const char c : line)
            if (c == '\t')
                words.emplace_back();
            else
                words.back() += c;
        return words;
    };
    std::string line;
    std::getline(text, line);
    const std::vector<std::string> columns = split(line);
    std::vector<std::map<std::string, std::string>> rows;
    while (std::getline(text, line)) {
        const std::vector<std::string> words = split(line);
        rows.emplace_back();
        for (std::size_t i = 0; i < std::min(columns.size(), words.size()); ++i) rows.back()[columns[i]] = words[i];
    }
    return rows;
}

std::string sha256_of(const Picture& picture) {
    Sha256 hash;
    hash.update(picture.pixels.data(), picture.pixels.size());
    return hash.hex();
}

}

// I17, I19 .. I21, I23 .. I26
TEST_CASE(
    "pixels are Pillow's: of PNG every colour, depth and order; of JPEG by libjpeg-turbo every sampling and kind") {
    const SafeTensors file = read_safetensors(pillows);
    int jpegs = 0, pngs = 0;
    for (const StoredTensor& tensor : file.tensors) {
        if (contains(tensor.name, "/")) continue;
        CAPTURE(tensor.name);
        const bool is_png = tensor.name.starts_with("png");
        const Content bytes = small_picture(tensor.name);
        const Picture want = pillow(file, tensor.name);
        if (is_png || has_libjpeg()) CHECK(largest_difference(decode_picture(bytes, tensor.name), want) == 0);
        // stb_image rounds otherwise; of colours at half the width it weighs the last two of a row the wrong way round,
        // and those at a quarter it repeats.
        const bool is_half = tensor.name == "jpeg_422" || tensor.name == "jpeg_exif";
        const int most = is_png ? 0 : tensor.name == "jpeg_411" ? 120 : is_half ? 20 : 4;
        CHECK(largest_difference(decode_picture(bytes, tensor.name, {.jpeg = JpegDecoder::stb}), want) <= most);
        ++(is_png ? pngs : jpegs);
    }
    CHECK(jpegs == 14);
    CHECK(pngs == 34);
}

TEST_CASE("a JPEG comes at the smallest part of its size that still has the rows and columns asked for") {
    if (!has_libjpeg()) return;
    const SafeTensors file = read_safetensors(pillows);  // 37 x 27
    const auto decoded = [](const std::string& name, std::int64_t height, std::int64_t width) {
        return decode_picture(small_picture(name), name, {.least_height = height, .least_width = width});
    };
    for (const std::string name : {"jpeg_420", "jpeg_progressive", "jpeg_grey"}) {
        CHECK(largest_difference(decoded(name, 14, 19), pillow(file, name + "/1_2")) == 0);
        CHECK(largest_difference(decoded(name, 7, 10), pillow(file, name + "/1_4")) == 0);
        CHECK(largest_difference(decoded(name, 1, 1), pillow(file, name + "/1_8")) == 0);
        CHECK(largest_difference(decoded(name, 15, 1), pillow(file, name)) == 0);
        CHECK(largest_difference(decoded(name, 1, 20), pillow(file, name)) == 0);
        CHECK(largest_difference(decoded(name, 14, 0), pillow(file, name)) == 0);
    }
    CHECK(decoded("png_rgb_8", 1, 1).width == 9);
    // Asked for as it is shown: 27 wide, 37 high.
    const Content turned = small_picture("jpeg_exif");
    const Picture shown =
        decode_picture(turned, "x", {.least_height = 19, .least_width = 14, .apply_orientation = true});
    CHECK(shown.height == 19);
    CHECK(shown.width == 14);
}

TEST_CASE("I39: EXIF's orientation is ignored, and applied where that is asked for: all eight") {
    const SafeTensors file = read_safetensors(pillows);
    Content bytes = small_picture("jpeg_exif");
    CHECK(decode_picture(bytes, "x").width == 37);
    for (int k = 1; k <= 8; ++k) {
        CAPTURE(k);
        bytes.at(30) = static_cast<std::byte>(k);
        REQUIRE(read_picture_header(bytes, "x").notes.orientation == k);
        const Picture shown = decode_picture(bytes, "x", {.apply_orientation = true});
        CHECK(largest_difference(shown, pillow(file, fmt::format("jpeg_exif/turned_{}", k))) <=
              (has_libjpeg() ? 0 : 20));
    }
}

TEST_CASE("I40: pictures of one pixel and of one column") {
    CHECK(decode_picture(small_picture("png_one_pixel"), "x").pixels == std::vector<std::uint8_t>{7, 8, 9});
    CHECK(decode_picture(small_picture("jpeg_one_pixel"), "x").pixels.size() == 3);
    const Picture column = decode_picture(grey_png(1, 5000, 10000), "x");
    CHECK(column.height == 5000);
    CHECK(column.width == 1);
    CHECK(column.pixels == std::vector<std::uint8_t>(15000));
}

TEST_CASE("a PNG with any bit flipped is refused") {
    for (const char* name : {"png_palette_2", "png_grey_4_interlaced"}) {
        Content bytes = small_picture(name);
        for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
            CAPTURE(bit);
            bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
            CHECK(fate(bytes, JpegDecoder::best) != "read");
            bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        }
    }
}

TEST_CASE(
    "a JPEG with any bit flipped is refused or decoded within the limits; where data is damaged libjpeg says so") {
    for (const char* name : {"jpeg_optimized", "jpeg_progressive_grey"}) {
        Content bytes = small_picture(name);
        std::map<std::string, int> fates, fates_of_stb;
        for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
            bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
            ++fates[fate(bytes, JpegDecoder::best)];
            ++fates_of_stb[fate(bytes, JpegDecoder::stb)];
            bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        }
        CHECK(fates["E0437"] == fates_of_stb["E0437"]);
        CHECK(fates["E0433"] == fates_of_stb["E0433"]);
        if (has_libjpeg()) CHECK(fates["E0435"] > 100);
    }
}

TEST_CASE("damage that only a decoder sees is refused with its words") {
    Content filter =
        png_signature() + png_header(2, 2, 8, 0) + chunk("IDAT", zlib_of(Content(6, std::byte{9}))) + png_end();
    CHECK(contains(error_of([&] { decode_picture(filter, "a.png"); }),
                   "E0435]: stb_image cannot decode this PNG: invalid filter"));
    if (!has_libjpeg()) return;
    // The scan's data with its last bytes gone: enough for the blocks by count, not by content.
    const Content jpeg = small_picture("jpeg_444");
    const Content shortened = without(jpeg, jpeg.size() - 22, 20);
    const std::string said = error_of([&] { decode_picture(shortened, "a.jpg"); });
    CHECK(contains(said, "E0435]: libjpeg cannot decode this JPEG: Corrupt JPEG data: premature end of data segment"));
    CHECK(contains(said, "a.jpg"));
    CHECK(decode_picture(shortened, "a.jpg", {.jpeg = JpegDecoder::stb}).width == 37);
}

TEST_CASE("decoding takes memory of a few times the picture, also where it is refused at its last row") {
    const Content large = grey_png(3000, 3000, 3001 * 3000);  // 27 MB of R G B
    const Cost cost = cost_of([&] { decode_picture(large, "x"); });
    CHECK(cost.said == "accepted");
    CHECK(cost.peak_bytes < 150'000'000);  // pixels twice, rows three times; a sanitizer keeps what was freed
    const Cost refused = cost_of([&] { decode_picture(grey_png(3000, 3000, 3001 * 2999), "x"); });
    check_cost(refused, large.size());
    CHECK(refused.id() == "E0437");
}

TEST_CASE("real and awkward pictures decode as Pillow decodes them, or are refused") {
    BKD_NEEDS_SHARED("photos.tar");
    std::map<std::string, Content> files = members(read_file(shared_file("photos.tar"), 8 << 20));
    const std::map<std::string, std::string> refused = {
        {"cmyk.jpg", "E0434"},      {"truncated.jpg", "E0433"},   {"header_only.jpg", "E0433"},
        {"empty.jpg", "E0433"},     {"text.jpg", "E0434"},        {"gif_named.jpg", "E0434"},
        {"bmp_named.png", "E0434"}, {"webp_named.jpg", "E0434"},  {"corrupt_idat.png", "E0437"},
        {"truncated.png", "E0433"}, {"huge_header.png", "E0436"}, {"zero_size.png", "E0437"}};
    int compared = 0;
    for (const std::string folder : {"photos", "awkward"}) {
        for (auto& row : table(files.at(folder + "/manifest.tsv"))) {
            const std::string name = row.at("file");
            CAPTURE(name);
            const Content& bytes = files.at(folder + "/" + name);
            if (const auto found = refused.find(name); folder == "awkward" && found != refused.end()) {
                CHECK(error_of([&] { decode_picture(bytes, name); }).substr(0, 5) == found->second);
                continue;
            }
            for (const JpegDecoder decoder : {JpegDecoder::best, JpegDecoder::stb}) {
                const Picture picture = decode_picture(bytes, name, {.jpeg = decoder});
                CHECK(std::to_string(picture.width) == row.at("width"));
                CHECK(std::to_string(picture.height) == row.at("height"));
                double sums[3] = {};
                for (std::size_t i = 0; i < picture.pixels.size(); ++i) sums[i % 3] += picture.pixels[i];
                const char* means[] = {"mean_r", "mean_g", "mean_b"};
                // Printed with two decimals.
                const double most = decoder == JpegDecoder::best && has_libjpeg() ? 0.0051 : 0.3;
                for (int c = 0; c < 3; ++c)
                    CHECK(std::abs(sums[c] * 3 / static_cast<double>(picture.pixels.size()) -
                                   std::stod(row.at(means[c]))) < most);
                if (const std::string& hash = row["sha256_rgb8_pixels_if_lossless"]; hash.size() == 64)
                    CHECK(sha256_of(picture) == hash);
                ++compared;
            }
        }
    }
    CHECK(compared == 2 * (38 + 32 - 12));
}

}
