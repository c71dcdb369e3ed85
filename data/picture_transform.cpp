#include "data/picture_transform.h"

#include "kernels/error.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bkd {
namespace {

Picture square_of(const Picture& whole, const PictureTransform& t) {
    const Box extent = resized_extent(whole.height, whole.width, t.resize);
    return resize(whole, {0, 0, whole.height, whole.width}, extent.height, extent.width,
                  centre_crop(extent.height, extent.width, t.side));
}

// `crop` of a picture of height x width, in one that was decoded at another size.
Box scaled(const Box& crop, std::int64_t height, std::int64_t width, const Picture& decoded) {
    if (decoded.height == height && decoded.width == width) return crop;
    const auto part = [](std::int64_t begin, std::int64_t extent, std::int64_t from, std::int64_t to) {
        const double factor = static_cast<double>(to) / static_cast<double>(from);
        const auto first = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(begin) * factor));
        const auto last = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(begin + extent) * factor));
        const std::int64_t low = std::clamp<std::int64_t>(first, 0, to - 1);
        return std::pair{low, std::clamp<std::int64_t>(last, low + 1, to) - low};
    };
    const auto [top, rows] = part(crop.top, crop.height, height, decoded.height);
    const auto [left, columns] = part(crop.left, crop.width, width, decoded.width);
    return {top, left, rows, columns};
}

// The smallest extent that a picture may be decoded at so that `crop` of it still has `side` pixels.
std::int64_t least_extent(std::int64_t whole, std::int64_t crop, std::int64_t side) {
    return crop < side ? whole : (whole * side + crop - 1) / crop;
}

}

std::int64_t usual_short_side(std::int64_t side) { return (16 * side + 7) / 14; }

void check_transform(const PictureTransform& t) {
    const auto refuse = [](std::string what, std::string why) {
        throw InputError({.id = 304, .what = std::move(what), .at = "data", .why = std::move(why)});
    };
    if (t.side < 1) refuse(fmt::format("pictures of {} pixels a side", t.side), "a picture has at least one");
    if (t.resize < t.side)
        refuse(fmt::format("a square of {} out of a short side of {}", t.side, t.resize), "its rim would be black");
    if (!(t.least_area > 0 && t.least_area <= 1))
        refuse(fmt::format("crops of at least {} of a picture's area", t.least_area), "0 < share <= 1");
    for (const double strength : {t.colours.brightness, t.colours.contrast, t.colours.saturation})
        if (!(strength >= 0 && strength <= 1))
            refuse(fmt::format("a colour jitter of {}", strength),
                   "factors are U(1 - jitter, 1 + jitter), not negative");
    if (!(t.rotation >= 0 && t.rotation <= 180))
        refuse(fmt::format("a rotation by up to {} degrees", t.rotation), "0 .. 180");
}

Picture picture_for_evaluation(std::span<const std::byte> file, const std::string& name, const PictureTransform& t) {
    return square_of(decode_picture(file, name, {.apply_orientation = t.apply_orientation}), t);
}

Picture picture_for_training(std::span<const std::byte> file, const std::string& name, const PictureTransform& t,
                             const std::function<double()>& uniform) {
    Picture square;
    if (t.random_crop) {
        std::int64_t height = 0, width = 0;  // as it is shown
        Box crop;
        const Picture decoded = decode_picture(file, name, [&](const PictureHeader& header) {
            height = header.height, width = header.width;
            if (t.apply_orientation && header.notes.orientation >= 5) std::swap(height, width);
            crop = random_resized_crop(height, width, uniform, t.least_area);
            DecodeOptions options{.apply_orientation = t.apply_orientation};
            if (t.scales_decoding) {
                options.least_height = least_extent(height, crop.height, t.side);
                options.least_width = least_extent(width, crop.width, t.side);
            }
            return options;
        });
        square = resize(decoded, scaled(crop, height, width, decoded), t.side, t.side);
    } else {
        square = picture_for_evaluation(file, name, t);
    }
    if (t.mirror && uniform() < 0.5) mirror(square);
    jitter(square, t.colours, uniform);
    if (t.rotation > 0) square = rotate(square, t.rotation * (2 * uniform() - 1));
    return square;
}

}
