#pragma once
// A decoded picture, and its geometry as torchvision has it. Pixels are bytes until they are normalised: every op here
// rounds to bytes as Pillow does, bit for bit.
#include <cstdint>
#include <functional>
#include <vector>

namespace bkd {

struct Picture {
    std::int64_t height = 0, width = 0;
    std::vector<std::uint8_t> pixels{};  // [height, width, 3] R G B

    static Picture of(std::int64_t height, std::int64_t width);  // black
    std::uint8_t* row(std::int64_t y) { return pixels.data() + y * width * 3; }
    const std::uint8_t* row(std::int64_t y) const { return pixels.data() + y * width * 3; }
};

// A part of a picture; it may reach beyond, where pixels are black.
struct Box {
    std::int64_t top = 0, left = 0, height = 0, width = 0;
    bool operator==(const Box&) const = default;
};

// RandomResizedCrop: ten tries of an area U(least_area, 1) of the whole and an aspect ratio exp(U(ln 3/4, ln 4/3)), the
// first that fits; else the largest part in the middle whose aspect lies within. `uniform` gives numbers in [0, 1).
Box random_resized_crop(std::int64_t height, std::int64_t width, const std::function<double()>& uniform,
                        double least_area = 0.08);

// Resize(side): the short side becomes `side`, the long one long side * side / short side, without its fraction.
Box resized_extent(std::int64_t height, std::int64_t width, std::int64_t side);
// CenterCrop(side): offsets round half to even; negative where the picture is smaller.
Box centre_crop(std::int64_t height, std::int64_t width, std::int64_t side);

// What `box` shows of `from`. E0304 for an extent below 1.
Picture crop(const Picture& from, const Box& box);
void mirror(Picture& picture);  // left to right, in place
// As EXIF's orientation, 1..8, says that it is to be shown: 6 turns it by 90 degrees with the clock.
Picture oriented(const Picture& from, int orientation);

// The part of `from` that `box` shows, which lies inside, at another size: antialiased bilinear, horizontal pass first,
// its result rounded to bytes. Pillow 9.5's Image.resize with BILINEAR; Pillow 13 takes the vertical pass first for
// some sizes, and differs there by a rounding.
Picture resize(const Picture& from, const Box& box, std::int64_t height, std::int64_t width);
// Of that the pixels of `window`, which lies inside; no others are computed.
Picture resize(const Picture& from, const Box& box, std::int64_t height, std::int64_t width, const Box& window);

// About the middle by `degrees` against the clock, nearest pixel, same size, black outside (Pillow's Image.rotate).
Picture rotate(const Picture& from, double degrees);

}
