// toy: ten classes of 500 + 100 made grey images of 16 x 16, for the tutorial (docs/tutorial.md). An image is a wave
// under noise; its class is its direction, one of ten around the half circle, but for a spread that lets neighbours
// overlap. Classes that lie far apart in a long tail are neighbours in direction (0 beside 9, 9 beside 1, 1 beside 8
// ...): a rare class looks most like frequent ones, so that how often a class occurs decides what a doubtful image is
// taken for.
#include "data/dataset.h"
#include "engine/rng.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bkd {
namespace {

constexpr std::int64_t classes = 10, extent = 16;
// The place of each class around the half circle, 18 degrees apart.
constexpr double places[classes] = {0, 2, 4, 6, 8, 9, 7, 5, 3, 1};
constexpr double spread = 0.4;  // standard deviation, in places: two evenly frequent neighbours share one image in ten

std::uint8_t pixel(double direction, double phase, std::int64_t i, std::int64_t j, double noise) {
    const double along = static_cast<double>(i) * std::cos(direction) + static_cast<double>(j) * std::sin(direction);
    return static_cast<std::uint8_t>(std::clamp(128 + 50 * std::sin(along * 0.9 + phase) + 25 * noise, 0.0, 255.0));
}

}

ImageSet describe_toy(const DatasetOptions&) {
    ImageSet set;
    set.name = "toy";
    for (std::int64_t c = 0; c < classes; ++c) set.class_names.push_back("wave" + std::to_string(c));
    set.height = set.width = extent, set.channels = 1;
    set.mean = {0.5F};
    set.deviation = {0.17F};
    return set;
}

ImageSet open_toy(const DatasetOptions&, Split split) {
    ImageSet set = describe_toy({});
    set.split = split;
    const std::int64_t per_class = split == Split::train ? 500 : 100;
    const PhiloxKey key = philox_key(0, split == Split::train ? "toy/train" : "toy/test");
    set.images.reserve(static_cast<std::size_t>(classes * per_class * extent * extent));
    for (std::int64_t n = 0; n < classes * per_class; ++n) {
        const std::int64_t c = n % classes;
        const auto image = static_cast<std::uint32_t>(n);
        set.labels.push_back(static_cast<std::int32_t>(c));
        const PhiloxCounter words = philox_draw(key, 0, image);
        const double phase = 2 * std::numbers::pi * words[2] * 0x1p-32,
                     place = places[c] + spread * normals_from(words[0], words[1]).first;
        const double direction = place * std::numbers::pi / classes;
        for (std::int64_t i = 0; i < extent; ++i)
            for (std::int64_t j = 0; j < extent; ++j) {
                const PhiloxCounter drawn = philox_draw(key, 1 + static_cast<std::uint64_t>(i * extent + j), image);
                set.images.push_back(pixel(direction, phase, i, j, normals_from(drawn[0], drawn[1]).first));
            }
    }
    return set;
}

}
