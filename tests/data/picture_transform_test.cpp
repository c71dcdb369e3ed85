// Squares of pictures: those of evaluation are Pillow's, and what training draws does to them.
#include "data/picture_transform.h"
#include "engine/sha256.h"
#include "tests/data/picture_bytes.h"

#include <chrono>
#include <random>

namespace bkd::test {
namespace {

std::string sha256_of(const Picture& picture) {
    Sha256 hash;
    hash.update(picture.pixels.data(), picture.pixels.size());
    return hash.hex();
}

std::function<double()> numbers(unsigned seed) {
    return [generator = std::mt19937(seed)]() mutable { return static_cast<double>(generator()) * 0x1p-32; };
}

double mean_difference(const Picture& a, const Picture& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
    return sum / static_cast<double>(a.pixels.size());
}

}

TEST_CASE("an evaluation's square is that of Pillow's resize and torchvision's centre crop") {
    struct Row {
        const char* file;
        std::int64_t resize, side;
        const char* sha256;
    };
    for (const Row& row : {Row{"png_rgb_8", 16, 12, "804b4a03ab1cad09af272982246c3659ba46418ca1df15127366e5b1c2820461"},
                           {"png_palette_8", 5, 5, "7003d3da88eae55c31930254f7b4aa9e09457e4819999b703bad0621cd6e6bca"},
                           {"png_grey_8", 40, 33, "6a1a23958472a2a583497d00cd9e5f405ec960c41874bf04ff2a6b66c980dbfc"},
                           {"jpeg_420", 20, 16, "d2617fe373179830cb0b1d37a9f8e1965b160f973691ffe3fb41237a6a50ffda"},
                           {"jpeg_grey", 64, 48, "2e6bdd64027e4c8ea739bc9936a6582cff16c8e2f062cab72cab4c1b7e43b972"}}) {
        if (std::string(row.file).starts_with("jpeg") && !has_libjpeg()) continue;
        CAPTURE(row.file);
        const Picture square =
            picture_for_evaluation(small_picture(row.file), row.file, {.side = row.side, .resize = row.resize});
        CHECK(square.height == row.side);
        CHECK(square.width == row.side);
        CHECK(sha256_of(square) == row.sha256);
    }
}

TEST_CASE("a window of a resized picture is cut from the whole, and costs no more than itself") {
    const Picture from = decode_picture(small_picture("png_rgb_8"), "x");
    for (const auto& [height, width] : {std::pair{7, 20}, {30, 9}, {40, 50}, {3, 4}, {7, 9}})
        for (const Box& window : {Box{0, 0, 3, 4}, Box{1, 2, 2, 2}, Box{2, 0, 1, 4}}) {
            const Box box{0, 0, from.height, from.width};
            CHECK(resize(from, box, height, width, window).pixels ==
                  crop(resize(from, box, height, width), window).pixels);
        }
    const auto begin = std::chrono::steady_clock::now();
    const Picture strip = decode_picture(grey_png(1, 30000, 60000), "strip");  // resized: 256 x 7,680,000
    const Box extent = resized_extent(strip.height, strip.width, 256);
    CHECK(extent.height == 7'680'000);
    CHECK(picture_for_evaluation(grey_png(1, 30000, 60000), "strip", {}).height == 224);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
}

TEST_CASE("training's square hangs on its numbers alone; without changes it is the evaluation's") {
    const Content file = small_picture("png_rgb_8");
    const PictureTransform plain{.side = 6, .resize = 7, .random_crop = false, .mirror = false};
    CHECK(picture_for_training(file, "x", plain, numbers(1)).pixels == picture_for_evaluation(file, "x", plain).pixels);
    const PictureTransform all{.side = 6, .resize = 7, .colours = {0.4, 0.4, 0.4}, .rotation = 15};
    const Picture once = picture_for_training(file, "x", all, numbers(1));
    CHECK(picture_for_training(file, "x", all, numbers(1)).pixels == once.pixels);
    CHECK(picture_for_training(file, "x", all, numbers(2)).pixels != once.pixels);
    PictureTransform mirrored = plain;
    mirrored.mirror = true;
    int turned = 0;
    const std::function<double()> uniform = numbers(3);
    for (int i = 0; i < 400; ++i)
        turned += picture_for_training(file, "x", mirrored, uniform).pixels !=
                  picture_for_evaluation(file, "x", plain).pixels;
    CHECK(std::abs(turned - 200) < 40);  // four deviations
}

TEST_CASE("crops of a JPEG that is decoded at a part of its size show the same part") {
    if (!has_libjpeg()) return;
    const Content file = small_picture("jpeg_444");  // 37 x 27
    PictureTransform whole{.side = 4, .resize = 5, .least_area = 0.5, .mirror = false, .scales_decoding = false};
    PictureTransform scaled = whole;
    scaled.scales_decoding = true;
    double same_part = 0, other_part = 0;
    for (unsigned seed = 0; seed < 20; ++seed) {
        const Picture a = picture_for_training(file, "x", whole, numbers(seed));
        const Picture b = picture_for_training(file, "x", scaled, numbers(seed));
        CHECK(b.height == 4);
        CHECK(a.pixels != b.pixels);  // it was decoded at another size
        same_part += mean_difference(a, b) / 20;
        other_part += mean_difference(a, picture_for_training(file, "x", scaled, numbers(seed + 1))) / 20;
    }
    CAPTURE(same_part);
    CAPTURE(other_part);
    CHECK(same_part < 0.6 * other_part);  // 11.5 beside 22.2: at four pixels a side, half a pixel counts
}

TEST_CASE("a transform that shows no picture is refused") {
    const auto refused = [](PictureTransform transform) { CHECK_THROWS_AS(check_transform(transform), InputError); };
    CHECK_NOTHROW(check_transform({}));
    refused({.side = 0, .resize = 0});
    refused({.side = 224, .resize = 223});
    refused({.least_area = 0});
    refused({.least_area = std::nan("")});
    refused({.colours = {.contrast = 1.5}});
    refused({.rotation = 181});
}

}
