#include "data/picture_colour.h"

#include <algorithm>
#include <array>
#include <utility>

namespace bkd {
namespace {

// ITU-R 601-2 in 16-bit fixed point, as Pillow's conversion to "L".
std::uint8_t grey_of(const std::uint8_t* pixel) {
    return static_cast<std::uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 32768) >> 16);
}

std::uint8_t blend(std::uint8_t from, std::uint8_t to, float factor) {
    const float value =
        static_cast<float>(from) + factor * static_cast<float>(static_cast<int>(to) - static_cast<int>(from));
    return static_cast<std::uint8_t>(std::clamp(static_cast<int>(value), 0, 255));
}

}

void adjust_brightness(Picture& picture, float factor) {
    for (std::uint8_t& v : picture.pixels) v = blend(0, v, factor);
}

void adjust_contrast(Picture& picture, float factor) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < picture.pixels.size(); i += 3) sum += grey_of(&picture.pixels[i]);
    const double mean = static_cast<double>(sum) / static_cast<double>(picture.pixels.size() / 3);
    const auto middle = static_cast<std::uint8_t>(mean + 0.5);
    for (std::uint8_t& v : picture.pixels) v = blend(middle, v, factor);
}

void adjust_saturation(Picture& picture, float factor) {
    for (std::size_t i = 0; i < picture.pixels.size(); i += 3) {
        const std::uint8_t grey = grey_of(&picture.pixels[i]);
        for (std::size_t c = i; c < i + 3; ++c) picture.pixels[c] = blend(grey, picture.pixels[c], factor);
    }
}

void jitter(Picture& picture, const ColourJitter& strength, const std::function<double()>& uniform) {
    struct Part {
        void (*adjust)(Picture&, float);
        double strength;
    };
    std::array<Part, 3> parts{{{adjust_brightness, strength.brightness},
                               {adjust_contrast, strength.contrast},
                               {adjust_saturation, strength.saturation}}};
    for (std::size_t i = parts.size(); i-- > 1;)
        std::swap(parts[i], parts[std::min(i, static_cast<std::size_t>(uniform() * static_cast<double>(i + 1)))]);
    for (const Part& part : parts)
        if (const double s = part.strength; s > 0)
            part.adjust(picture, static_cast<float>(std::max(0.0, 1 - s) + (1 + s - std::max(0.0, 1 - s)) * uniform()));
}

}
