// Geometry and colours of pictures against Pillow's bytes (pictures.py), and what random crops are drawn from.
#include "data/picture.h"
#include "data/picture_colour.h"
#include "engine/safetensors.h"

#include <doctest/doctest.h>

#include <charconv>
#include <cmath>
#include <map>
#include <random>

namespace bkd::test {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts{""};
    for (const char c : text)
        if (c == at)
            parts.emplace_back();
        else
            parts.back() += c;
    return parts;
}

Picture picture_in(const SafeTensors& file, const StoredTensor& tensor) {
    return {tensor.shape[0], tensor.shape[1], file.values<std::uint8_t>(tensor)};
}

Picture made(const std::string& op, Picture from, const std::vector<double>& a) {
    const auto whole = [&](std::size_t i) { return static_cast<std::int64_t>(a.at(i)); };
    if (op == "resize") return resize(from, {0, 0, from.height, from.width}, whole(0), whole(1));
    if (op == "resize_box") return resize(from, {whole(0), whole(1), whole(2), whole(3)}, whole(4), whole(5));
    if (op == "rotate") return rotate(from, a.at(0));
    if (op == "mirror") mirror(from);
    if (op == "brightness") adjust_brightness(from, static_cast<float>(a.at(0)));
    if (op == "contrast") adjust_contrast(from, static_cast<float>(a.at(0)));
    if (op == "saturation") adjust_saturation(from, static_cast<float>(a.at(0)));
    return from;
}

}

TEST_CASE("resize, rotation, mirror and colours are Pillow's, byte for byte") {
    const SafeTensors file = read_safetensors(BKD_SOURCE_DIR "/tests/data/pictures.safetensors");
    std::map<std::string, int> compared;
    for (const StoredTensor& tensor : file.tensors) {
        const std::vector<std::string> name = split(tensor.name, '/');
        if (name[0] == "in") continue;
        CAPTURE(tensor.name);
        std::vector<double> numbers;
        for (const std::string& word : split(name[2], ','))
            if (!word.empty()) numbers.push_back(std::strtod(word.c_str(), nullptr));
        const Picture want = picture_in(file, tensor);
        const Picture got = made(name[0], picture_in(file, file.at("in/" + name[1])), numbers);
        REQUIRE(got.height == want.height);
        REQUIRE(got.width == want.width);
        CHECK(got.pixels == want.pixels);
        ++compared[name[0]];
    }
    CHECK(compared == std::map<std::string, int>{{"brightness", 10},
                                                 {"contrast", 10},
                                                 {"mirror", 2},
                                                 {"resize", 28},
                                                 {"resize_box", 2},
                                                 {"rotate", 12},
                                                 {"saturation", 10}});
}

TEST_CASE("extents and middles round as torchvision's") {
    CHECK(resized_extent(375, 500, 256) == Box{0, 0, 256, 341});
    CHECK(resized_extent(500, 375, 256) == Box{0, 0, 341, 256});
    CHECK(centre_crop(256, 341, 224) == Box{16, 58, 224, 224});  // 58.5 and 16: half to even
    CHECK(centre_crop(256, 343, 224) == Box{16, 60, 224, 224});  // 59.5
    CHECK(centre_crop(100, 50, 224) == Box{-62, -87, 224, 224});
    Picture small = Picture::of(1, 2);
    small.pixels = {1, 2, 3, 4, 5, 6};
    CHECK(crop(small, {-1, -1, 3, 3}).pixels ==
          std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    CHECK_THROWS_AS(crop(small, {0, 0, 0, 1}), InputError);
}

TEST_CASE("a random resized crop lies inside, has the areas and aspects that it is drawn from, and falls back to the "
          "middle") {
    std::mt19937_64 random(1);
    const std::function<double()> uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    double area = 0, least = 1, most = 0, narrow = 9, wide = 0;
    constexpr int draws = 20000;
    for (int i = 0; i < draws; ++i) {
        const Box box = random_resized_crop(300, 400, uniform);
        REQUIRE(box.top >= 0);
        REQUIRE(box.left >= 0);
        REQUIRE(box.top + box.height <= 300);
        REQUIRE(box.left + box.width <= 400);
        const double share = static_cast<double>(box.height * box.width) / (300.0 * 400);
        const double aspect = static_cast<double>(box.width) / static_cast<double>(box.height);
        area += share / draws;
        least = std::min(least, share), most = std::max(most, share);
        narrow = std::min(narrow, aspect), wide = std::max(wide, aspect);
    }
    // Large areas of unlike aspects do not fit and are drawn again, so the mean lies below that of U(0.08, 1).
    CHECK(area > 0.41);
    CHECK(area < 0.46);
    CHECK(least < 0.085);
    CHECK(most > 0.97);
    CHECK(std::abs(narrow - 0.75) < 0.02);
    CHECK(std::abs(wide - 4.0 / 3) < 0.02);
    CHECK(random_resized_crop(10, 1000, uniform) == Box{0, 493, 10, 13});
    CHECK(random_resized_crop(1000, 10, uniform) == Box{493, 0, 13, 10});
}

TEST_CASE("colour jitter draws each factor from its range and takes every order") {
    std::mt19937_64 random(2);
    const std::function<double()> uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    std::map<std::vector<std::uint8_t>, int> seen;
    Picture grey = Picture::of(1, 1);
    grey.pixels = {100, 100, 100};
    double sum = 0;
    for (int i = 0; i < 4000; ++i) {
        Picture one = grey;
        jitter(one, {.brightness = 0.4}, uniform);
        CHECK(one.pixels[0] >= 60);
        CHECK(one.pixels[0] <= 140);
        sum += one.pixels[0];
        Picture still = grey;
        jitter(still, {}, uniform);
        CHECK(still.pixels == grey.pixels);
        ++seen[one.pixels];
    }
    CHECK(std::abs(sum / 4000 - 99.5) < 1.5);  // bytes are cut toward zero
    CHECK(seen.size() > 75);
}

}
