#include "kernels/cases/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace bkd::kernels {
namespace {

// Box and Muller: two words to two independent normal numbers.
std::array<double, 2> normal_pair(std::uint32_t first, std::uint32_t second) {
    const double radius = std::sqrt(-2 * std::log((first + 0.5) * 0x1p-32));
    const double angle = 2 * std::numbers::pi * uniform_from(second);
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

// One element from its own word, for the kinds that look at no other element.
double from_word(const Draw& from, std::uint32_t word, std::int64_t i) {
    const double u = uniform_from(word);
    switch (from.kind) {
        case Draw::Kind::uniform:
            return from.a + (from.b - from.a) * u;
        case Draw::Kind::integers:
            return std::floor(u * (2 * from.a + 1)) - from.a;
        case Draw::Kind::constant:
            return from.a;
        case Draw::Kind::ramp:
            return static_cast<double>(i % 65536 + 1) / 64;
        case Draw::Kind::wide:
            return (word & 1 ? 1 : -1) * std::exp2(from.a * (2 * u - 1));
        case Draw::Kind::tiny:
            return word % 3 == 0 ? 0 : -from.a * u;
        case Draw::Kind::counts:
            return u * std::log(from.a);
        default:
            return 0;
    }
}

void soften_rows(const Shape& shape, std::span<float> values) {
    const std::int64_t c = shape.rank() > 0 ? shape[-1] : 1;
    for (auto rest = values; !rest.empty(); rest = rest.subspan(static_cast<std::size_t>(c))) {
        const auto row = rest.first(static_cast<std::size_t>(c));
        double sum = 0;
        for (const float z : row) sum += std::exp(z);
        for (float& z : row) z = static_cast<float>(std::exp(z) / sum);
    }
}

}

PhiloxCounter draw_words(std::uint64_t seed, std::uint32_t tensor, std::int64_t i) {
    const auto block = static_cast<std::uint64_t>(i);
    return philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), tensor, 0},
                  {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

void draw(const Draw& from, const Shape& shape, std::uint64_t seed, std::uint32_t tensor, std::span<float> values) {
    using enum Draw::Kind;
    const auto count = static_cast<std::int64_t>(values.size());
    const bool standard = from.kind == normal || from.kind == cancel || from.kind == one_special ||
                          from.kind == some_special || from.kind == extreme || from.kind == probabilities;
    const double mean = from.kind == normal ? from.a : 0, deviation = from.kind == normal ? from.b : 1;
    for (std::int64_t i = 0; i < count; i += 4) {
        const PhiloxCounter words = draw_words(seed, tensor, i / 4);
        std::array<double, 4> four{};
        if (standard) {
            const auto first = normal_pair(words[0], words[1]), second = normal_pair(words[2], words[3]);
            four = {first[0], first[1], second[0], second[1]};
        }
        for (std::size_t k = 0; k < 4 && i + static_cast<std::int64_t>(k) < count; ++k) {
            const std::int64_t at = i + static_cast<std::int64_t>(k);
            double x = standard ? mean + deviation * four[k] : from_word(from, words[k], at);
            if (from.kind == extreme && words[k] % 3 != 2) x = words[k] % 3 == 0 ? from.a : -from.a;
            if (from.kind == some_special && words[k] % 4 == 0) x = std::nan("");
            if (from.kind == cancel && k % 2 == 1) x = -four[k - 1];
            values[static_cast<std::size_t>(at)] = static_cast<float>(x);
        }
    }
    if (from.kind == probabilities) soften_rows(shape, values);
    if (values.empty() || (from.kind != onehot && from.kind != one_special)) return;
    const std::size_t chosen = draw_words(seed, tensor, count / 4 + 1)[0] % values.size();
    if (from.kind == onehot)
        values[chosen] = 1;
    else if (from.a == 0)
        values[chosen] = std::numeric_limits<float>::quiet_NaN();
    else
        values[chosen] = from.a == 1 ? std::numeric_limits<float>::infinity() : -std::numeric_limits<float>::infinity();
}

}
