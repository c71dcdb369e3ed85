// Pillow's resize with BILINEAR, bit for bit: triangle filters as wide as the reduction, their weights in 22-bit fixed
// point, each pass rounded to bytes.
#include "data/picture.h"
#include "kernels/error.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

constexpr int weight_bits = 22;

// From `in` pixels to `out`, of which `count` from `begin` on are wanted: for each of these the first input it reads,
// and the weights from there on.
struct Filter {
    Filter(std::int64_t in, std::int64_t out, std::int64_t begin, std::int64_t count)
        : taps(static_cast<std::size_t>(count)) {
        const double scale = static_cast<double>(in) / static_cast<double>(out), reach = std::max(scale, 1.0);
        std::vector<double> shares;
        for (std::int64_t x = begin; x < begin + count; ++x) {
            const double centre = (static_cast<double>(x) + 0.5) * scale;
            const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - reach + 0.5), 0);
            const auto end = std::min<std::int64_t>(static_cast<std::int64_t>(centre + reach + 0.5), in);
            shares.clear();
            double sum = 0;
            for (std::int64_t i = first; i < end; ++i) {
                const double distance = (static_cast<double>(i) - centre + 0.5) / reach;
                shares.push_back(std::max(0.0, 1 - std::abs(distance)));
                sum += shares.back();
            }
            taps[static_cast<std::size_t>(x - begin)] = {first, end - first, static_cast<std::int64_t>(weights.size())};
            for (const double share : shares)
                weights.push_back(static_cast<std::int32_t>(share / sum * (1 << weight_bits) + 0.5));
        }
    }
    struct Tap {
        std::int64_t first, count, weights;
    };
    // The inputs that any output reads: those of the first to those of the last.
    std::int64_t first() const { return taps.front().first; }
    std::int64_t end() const { return taps.back().first + taps.back().count; }
    std::vector<Tap> taps;
    std::vector<std::int32_t> weights;
};

std::uint8_t byte_of(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> weight_bits, 0, 255)); }

constexpr std::int32_t half = 1 << (weight_bits - 1);

void resize_row(const std::uint8_t* from, const Filter& filter, std::uint8_t* to) {
    for (const Filter::Tap& tap : filter.taps) {
        const std::int32_t* weights = filter.weights.data() + tap.weights;
        const std::uint8_t* pixel = from + tap.first * 3;
        std::int32_t red = half, green = half, blue = half;
        for (std::int64_t i = 0; i < tap.count; ++i, pixel += 3) {
            red += pixel[0] * weights[i];
            green += pixel[1] * weights[i];
            blue += pixel[2] * weights[i];
        }
        *to++ = byte_of(red);
        *to++ = byte_of(green);
        *to++ = byte_of(blue);
    }
}

// to[j] = sum_i from[i][j] weight[i] over rows of `width` bytes; `sums` has room for one.
void add_rows(const std::uint8_t* from, std::int64_t width, std::int64_t count, const std::int32_t* weights,
              std::int32_t* sums, std::uint8_t* to) {
    std::fill_n(sums, width, half);
    for (std::int64_t i = 0; i < count; ++i, from += width)
        for (std::int64_t j = 0; j < width; ++j) sums[j] += from[j] * weights[i];
    for (std::int64_t j = 0; j < width; ++j) to[j] = byte_of(sums[j]);
}

bool lies_within(const Box& box, std::int64_t height, std::int64_t width) {
    return box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0 && box.top + box.height <= height &&
           box.left + box.width <= width;
}

}

Picture resize(const Picture& from, const Box& box, std::int64_t height, std::int64_t width) {
    return resize(from, box, height, width, {0, 0, height, width});
}

Picture resize(const Picture& from, const Box& box, std::int64_t height, std::int64_t width, const Box& window) {
    BKD_CHECK(lies_within(box, from.height, from.width), "a box outside of a picture of {} x {}", from.width,
              from.height);
    BKD_CHECK(lies_within(window, height, width), "a window outside of {} x {}", width, height);
    if (box.height == height && box.width == width)
        return crop(from, {box.top + window.top, box.left + window.left, window.height, window.width});
    const Filter across(box.width, width, window.left, window.width),
        down(box.height, height, window.top, window.height);
    const bool keeps_rows = box.height == height;
    const std::int64_t first = keeps_rows ? window.top : down.first();
    Picture narrow = Picture::of((keeps_rows ? window.top + window.height : down.end()) - first, window.width);
    for (std::int64_t y = 0; y < narrow.height; ++y) {
        const std::uint8_t* row = from.row(box.top + first + y) + box.left * 3;
        if (box.width == width)
            std::copy_n(row + window.left * 3, window.width * 3, narrow.row(y));
        else
            resize_row(row, across, narrow.row(y));
    }
    if (keeps_rows) return narrow;
    Picture to = Picture::of(window.height, window.width);
    std::vector<std::int32_t> sums(static_cast<std::size_t>(window.width * 3));
    for (std::int64_t y = 0; y < window.height; ++y) {
        const Filter::Tap& tap = down.taps[static_cast<std::size_t>(y)];
        add_rows(narrow.row(tap.first - first), window.width * 3, tap.count, down.weights.data() + tap.weights,
                 sums.data(), to.row(y));
    }
    return to;
}

}
