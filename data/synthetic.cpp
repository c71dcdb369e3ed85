// synthetic: ten classes of 400 + 100 made colour images of 32 x 32, for trying a recipe where no data set is. Class c is
// a wave whose direction and colour tell the class, of a phase drawn for each image, under noise.
#include "data/dataset.h"
#include "engine/rng.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bkd {
namespace {

constexpr std::int64_t classes = 10, extent = 32;

std::uint8_t pixel(std::int64_t c, std::int64_t i, std::int64_t j, std::int64_t channel, double phase, double noise) {
    const double direction = static_cast<double>(c) * std::numbers::pi / classes;
    const double along = static_cast<double>(i) * std::cos(direction) + static_cast<double>(j) * std::sin(direction);
    const double wave = std::sin(along * 0.8 + phase), colour = c % 3 == channel ? 60 : 30;
    return static_cast<std::uint8_t>(std::clamp(128 + colour * wave + 25 * noise, 0.0, 255.0));
}

}

ImageSet describe_synthetic(const DatasetOptions&) {
    ImageSet set;
    set.name = "synthetic";
    for (std::int64_t c = 0; c < classes; ++c) set.class_names.push_back("wave" + std::to_string(c));
    set.height = set.width = extent, set.channels = 3;
    set.mean = {0.5F, 0.5F, 0.5F};
    set.deviation = {0.17F, 0.17F, 0.17F};
    return set;
}

ImageSet open_synthetic(const DatasetOptions&, Split split) {
    ImageSet set = describe_synthetic({});
    set.split = split;
    const std::int64_t per_class = split == Split::train ? 40 : 10;
    const PhiloxKey key = philox_key(0, split == Split::train ? "synthetic/train" : "synthetic/test");
    for (std::int64_t n = 0; n < classes * per_class; ++n) {
        const std::int64_t c = n % classes;
        const auto image = static_cast<std::uint32_t>(n);
        set.labels.push_back(static_cast<std::int32_t>(c));
        const double phase = 2 * std::numbers::pi * philox_draw(key, 0, image)[0] * 0x1p-32;
        for (std::int64_t i = 0; i < extent; ++i)
            for (std::int64_t j = 0; j < extent; ++j)
                for (std::int64_t channel = 0; channel < 3; ++channel) {
                    const auto at = static_cast<std::uint64_t>((i * extent + j) * 3 + channel);
                    const PhiloxCounter words = philox_draw(key, 1 + at, image);
                    set.images.push_back(pixel(c, i, j, channel, phase, normals_from(words[0], words[1]).first));
                }
    }
    return set;
}

}
