#include "data/picture.h"

#include "kernels/error.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bkd {
namespace {

// Half to even, as Python's round().
std::int64_t rounded(double x) { return static_cast<std::int64_t>(std::nearbyint(x)); }

std::int64_t fixed(double x) { return static_cast<std::int64_t>(std::floor(x * 65536.0 + 0.5)); }

}

Picture Picture::of(std::int64_t height, std::int64_t width) {
    if (height < 1 || width < 1)
        throw InputError({.id = 304, .what = fmt::format("a picture of {} x {} pixels has none", width, height)});
    return {height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * 3))};
}

Box random_resized_crop(std::int64_t height, std::int64_t width, const std::function<double()>& uniform,
                        double least_area) {
    constexpr double least = 3.0 / 4, most = 4.0 / 3;
    constexpr int tries = 10;
    const auto between = [&](double low, double high) { return low + (high - low) * uniform(); };
    const double whole = static_cast<double>(height) * static_cast<double>(width);
    for (int i = 0; i < tries; ++i) {
        const double area = whole * between(least_area, 1);
        const double aspect = std::exp(between(std::log(least), std::log(most)));
        const std::int64_t w = rounded(std::sqrt(area * aspect)), h = rounded(std::sqrt(area / aspect));
        if (w < 1 || w > width || h < 1 || h > height) continue;
        const auto below = [&](std::int64_t n) {
            return std::min(static_cast<std::int64_t>(uniform() * static_cast<double>(n)), n - 1);
        };
        const std::int64_t top = below(height - h + 1);
        return {top, below(width - w + 1), h, w};
    }
    const double aspect = static_cast<double>(width) / static_cast<double>(height);
    std::int64_t w = width, h = height;
    if (aspect < least)
        h = rounded(static_cast<double>(width) / least);
    else if (aspect > most)
        w = rounded(static_cast<double>(height) * most);
    return {(height - h) / 2, (width - w) / 2, h, w};
}

Box resized_extent(std::int64_t height, std::int64_t width, std::int64_t side) {
    if (height <= width) return {0, 0, side, side * width / height};
    return {0, 0, side * height / width, side};
}

Box centre_crop(std::int64_t height, std::int64_t width, std::int64_t side) {
    return {rounded(static_cast<double>(height - side) / 2), rounded(static_cast<double>(width - side) / 2), side,
            side};
}

Picture crop(const Picture& from, const Box& box) {
    Picture to = Picture::of(box.height, box.width);
    const std::int64_t first = std::max<std::int64_t>(0, -box.left);
    const std::int64_t last = std::min(box.width, from.width - box.left);
    for (std::int64_t y = 0; y < box.height; ++y) {
        const std::int64_t source = box.top + y;
        if (source < 0 || source >= from.height || first >= last) continue;
        std::copy(from.row(source) + (box.left + first) * 3, from.row(source) + (box.left + last) * 3,
                  to.row(y) + first * 3);
    }
    return to;
}

void mirror(Picture& picture) {
    for (std::int64_t y = 0; y < picture.height; ++y) {
        std::uint8_t* row = picture.row(y);
        for (std::int64_t l = 0, r = picture.width - 1; l < r; ++l, --r)
            std::swap_ranges(row + l * 3, row + l * 3 + 3, row + r * 3);
    }
}

// Orientations from 5 on exchange rows and columns; then either side is read from its end, as a table says.
Picture oriented(const Picture& from, int orientation) {
    BKD_CHECK(orientation >= 1 && orientation <= 8, "orientation {}", orientation);
    const bool is_turned = orientation >= 5;
    const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    Picture to = is_turned ? Picture::of(from.width, from.height) : Picture::of(from.height, from.width);
    for (std::int64_t y = 0; y < to.height; ++y)
        for (std::int64_t x = 0; x < to.width; ++x) {
            const std::int64_t row = is_turned ? x : y, column = is_turned ? y : x;
            const std::uint8_t* source = from.row(from_bottom ? from.height - 1 - row : row);
            std::copy_n(source + 3 * (from_right ? from.width - 1 - column : column), 3, to.row(y) + 3 * x);
        }
    return to;
}

// Steps through the source in 16.16 fixed point, from the middle of the first pixel.
Picture rotate(const Picture& from, double degrees) {
    const double angle = -degrees * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
    const double cx = static_cast<double>(from.width) / 2, cy = static_cast<double>(from.height) / 2;
    const std::int64_t along_x = fixed(cosine), along_y = fixed(-sine), down_x = fixed(sine), down_y = fixed(cosine);
    std::int64_t row_x = fixed(-cosine * cx - sine * cy + cx + 0.5 * cosine + 0.5 * sine);
    std::int64_t row_y = fixed(sine * cx - cosine * cy + cy - 0.5 * sine + 0.5 * cosine);
    Picture to = Picture::of(from.height, from.width);
    for (std::int64_t y = 0; y < to.height; ++y, row_x += down_x, row_y += down_y) {
        std::uint8_t* out = to.row(y);
        for (std::int64_t x = 0, at_x = row_x, at_y = row_y; x < to.width; ++x, at_x += along_x, at_y += along_y) {
            const std::int64_t source_x = at_x >> 16, source_y = at_y >> 16;
            if (source_x < 0 || source_x >= from.width || source_y < 0 || source_y >= from.height) continue;
            std::copy_n(from.row(source_y) + source_x * 3, 3, out + x * 3);
        }
    }
    return to;
}

}
