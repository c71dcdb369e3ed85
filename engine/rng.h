#pragma once
// Random keys: every use of randomness has a key from (seed, name) and counts its draws, so that no use disturbs
// another, and resuming needs no generator state. The name is stage, feed and purpose, "student/main/crop" or
// "student/init/layer1.0.conv1.weight": a student never starts as its teacher did.
#include "kernels/philox.h"

#include <cmath>
#include <numbers>
#include <string_view>
#include <utility>

namespace bkd {

// The key is Philox of the name's FNV-1a hash and length under the seed: no allocation, the same on every machine.
constexpr PhiloxKey philox_key(std::uint64_t seed, std::string_view name) {
    std::uint64_t hash = 14695981039346656037u;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    const PhiloxCounter word = philox({static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32),
                                       static_cast<std::uint32_t>(name.size()), 0},
                                      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    return {word[0], word[1]};
}

// Draw number `i` of position (a, b), as four words.
constexpr PhiloxCounter philox_draw(PhiloxKey key, std::uint64_t i, std::uint32_t a = 0, std::uint32_t b = 0) {
    return philox({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), a, b}, key);
}

// Two independent normal numbers from two words (Box and Muller 1958); the first uniform lies in (0, 1].
inline std::pair<double, double> normals_from(std::uint32_t a, std::uint32_t b) {
    const double radius = std::sqrt(-2 * std::log((a + 1.0) * 0x1p-32)), angle = 2 * std::numbers::pi * b * 0x1p-32;
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

}
