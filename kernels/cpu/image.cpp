// From stored bytes to a batch on the CPU. Contract: kernels/image.h. A byte has 256 values, so (x / 255 - mean) / std
// is computed once for each of them and channel, and a pixel is a look-up: exact, and cheaper than two divisions.
#include "kernels/image.h"

#include "kernels/cpu/indices.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {
namespace {

constexpr std::int64_t byte_values = 256;

// normalised[channel * 256 + byte], in scratch memory.
class NormalTable {
public:
    NormalTable(Stream& stream, const ConstView& mean, const ConstView& std)
        : memory_(stream, static_cast<std::size_t>(mean.count() * byte_values) * sizeof(float)) {
        for (std::int64_t channel = 0; channel < mean.count(); ++channel)
            for (std::int64_t byte = 0; byte < byte_values; ++byte)
                memory_.as<float>()[channel * byte_values + byte] =
                    (static_cast<float>(byte) / 255.0f - mean.as<float>()[channel]) / std.as<float>()[channel];
    }
    const float* data() const { return memory_.as<float>(); }

private:
    Scratch memory_;
};

// Which part of an output row lies inside the image, and where its pixels come from.
struct CropRow {
    const std::uint8_t* source;  // the pixel under output column `begin`
    std::int64_t begin, end;     // output columns inside the image
    std::int64_t step;           // from one output column to the next: channels, or minus channels when mirrored
};

struct Crop {
    std::int64_t h, w, c, oh, ow, padding;

    // Output row `row` of `image`, cut at (top, left) of the padded image, then mirrored.
    CropRow row(const std::uint8_t* image, std::int64_t row, std::int64_t top, std::int64_t left, bool mirrored) const {
        const std::int64_t from_row = row + top - padding, shift = left - padding;  // column j of the cut is shift + j
        std::int64_t begin = std::clamp<std::int64_t>(-shift, 0, ow),
                     end = std::clamp<std::int64_t>(w - shift, begin, ow);
        if (from_row < 0 || from_row >= h || begin == end) return {image, 0, 0, c};
        const std::uint8_t* pixels = image + from_row * w * c;
        if (!mirrored) return {pixels + (shift + begin) * c, begin, end, c};
        return {pixels + (shift + end - 1) * c, ow - end, ow - begin, -c};
    }
};

Crop crop_of(const ConstView& x, const ConstView& y, std::int64_t padding) {
    return {x.dim(1), x.dim(2), x.dim(3), y.dim(1), y.dim(2), padding};
}

// LogicError unless 0 <= offset <= extent + 2 padding - what is cut, in both directions.
void check_offsets(const ConstView& offset, const Crop& crop) {
    const auto* at = offset.as<std::int32_t>();
    const std::int64_t last_top = crop.h + 2 * crop.padding - crop.oh, last_left = crop.w + 2 * crop.padding - crop.ow;
    for (std::int64_t n = 0; n < offset.dim(0); ++n)
        BKD_CHECK(at[2 * n] >= 0 && at[2 * n] <= last_top && at[2 * n + 1] >= 0 && at[2 * n + 1] <= last_left,
                  "offset[{}] is {}, {}, outside 0..{}, 0..{}", n, at[2 * n], at[2 * n + 1], last_top, last_left);
}

template <bool adds>
BKD_INLINE void put(float* y, float value) {
    *y = adds ? *y + value : value;
}

// y = weight table[x], or y += it, for `pixels` pixels of `channels` bytes, `step` apart.
template <bool adds>
void look_up(const std::uint8_t* x, std::int64_t pixels, std::int64_t step, std::int64_t channels, const float* table,
             float weight, float* y) {
    if (channels == 3) {  // red, green, blue without an inner loop
        for (std::int64_t i = 0; i < pixels; ++i, x += step, y += 3) {
            put<adds>(y, weight * table[x[0]]);
            put<adds>(y + 1, weight * table[byte_values + x[1]]);
            put<adds>(y + 2, weight * table[2 * byte_values + x[2]]);
        }
        return;
    }
    for (std::int64_t i = 0; i < pixels; ++i, x += step, y += channels)
        for (std::int64_t channel = 0; channel < channels; ++channel)
            put<adds>(y + channel, weight * table[channel * byte_values + x[channel]]);
}

// One output row: padding is the byte 0.
template <bool adds>
void look_up_row(const CropRow& row, const Crop& crop, const float* table, float weight, float* y) {
    const auto pad = [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; ++j)
            for (std::int64_t channel = 0; channel < crop.c; ++channel)
                put<adds>(y + j * crop.c + channel, weight * table[channel * byte_values]);
    };
    pad(0, row.begin);
    look_up<adds>(row.source, row.end - row.begin, row.step, crop.c, table, weight, y + row.begin * crop.c);
    pad(row.end, crop.ow);
}

void copy_pixels(const CropRow& row, std::int64_t channels, std::uint8_t* y) {
    if (row.step > 0) {
        std::copy_n(row.source, (row.end - row.begin) * channels, y);
        return;
    }
    const std::uint8_t* x = row.source;
    for (std::int64_t j = row.begin; j < row.end; ++j, x += row.step, y += channels)
        for (std::int64_t channel = 0; channel < channels; ++channel) y[channel] = x[channel];
}

BKD_SIMD void mix_run(const float* x, const float* partner, float lambda, float* y, std::int64_t n) {
    const float rest = 1 - lambda;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = lambda * x[i] + rest * partner[i];
}

// mix_lambda[n], or the one for all.
float lambda_at(const ConstView& mix_lambda, std::int64_t n) {
    return mix_lambda.as<float>()[mix_lambda.count() == 1 ? 0 : n];
}

// The draws of load_images, with their defaults.
struct Draws {
    const std::int32_t *index, *offset, *partner;
    const std::uint8_t* flip;
    std::int64_t padding;
    std::int64_t top(std::int64_t n) const { return offset == nullptr ? padding : offset[2 * n]; }
    std::int64_t left(std::int64_t n) const { return offset == nullptr ? padding : offset[2 * n + 1]; }
    bool mirrored(std::int64_t n) const { return flip != nullptr && flip[n] != 0; }
};

}

void Image::image_normalize(Stream& stream, const ImageNormalize& args) const {
    const NormalTable table(stream, args.mean, args.std);
    const std::int64_t c = args.mean.count(), pixels = args.x.shape.product(0, 3);
    const auto* x = args.x.as<std::uint8_t>();
    auto* y = args.y.as<float>();
    parallel_for(cpu_stream(stream), pixels, element_tile, pixels * c,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     look_up<false>(x + first * c, last - first, c, c, table.data(), 1, y + first * c);
                 });
}

void Image::crop_flip(Stream& stream, const CropFlip& args) const {
    const Crop crop = crop_of(args.x, args.y, args.padding);
    check_offsets(args.offset, crop);
    const auto *x = args.x.as<std::uint8_t>(), *flip = args.flip.as<std::uint8_t>();
    const auto* offset = args.offset.as<std::int32_t>();
    auto* y = args.y.as<std::uint8_t>();
    const std::int64_t n = args.x.dim(0), image = crop.h * crop.w * crop.c, row_bytes = crop.ow * crop.c;
    parallel_for(cpu_stream(stream), n * crop.oh, 32, n * crop.oh * row_bytes,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t i = first; i < last; ++i) {
                         const std::int64_t sample = i / crop.oh;
                         const CropRow row = crop.row(x + sample * image, i % crop.oh, offset[2 * sample],
                                                      offset[2 * sample + 1], flip[sample] != 0);
                         std::uint8_t* out = y + i * row_bytes;
                         std::fill_n(out, row_bytes, std::uint8_t{0});
                         copy_pixels(row, crop.c, out + row.begin * crop.c);
                     }
                 });
}

void Image::mixup(Stream& stream, const Mixup& args) const {
    const std::int64_t n = args.x.dim(0), width = args.x.shape.product(1, args.x.rank());
    check_indices("partner", args.partner, n);
    const auto* x = args.x.as<float>();
    const auto* partner = args.partner.as<std::int32_t>();
    auto* y = args.y.as<float>();
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, width));
    parallel_for(cpu_stream(stream), n, tile, n * width, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t i = first; i < last; ++i)
            mix_run(x + i * width, x + partner[i] * width, lambda_at(args.mix_lambda, i), y + i * width, width);
    });
}

void Image::mix_targets(Stream& stream, const MixTargets& args) const {
    const std::int64_t n = args.target.dim(0), classes = args.target.dim(1);
    check_indices("labels", args.labels, classes);
    check_indices("partner", args.partner, n);
    const auto *labels = args.labels.as<std::int32_t>(), *partner = args.partner.as<std::int32_t>();
    auto* target = args.target.as<float>();
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, classes));
    parallel_for(cpu_stream(stream), n, tile, n * classes, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        std::fill_n(target + first * classes, (last - first) * classes, 0.0f);
        for (std::int64_t i = first; i < last; ++i) {
            const float lambda = lambda_at(args.mix_lambda, i);
            target[i * classes + labels[i]] += lambda;
            target[i * classes + labels[partner[i]]] += 1 - lambda;
        }
    });
}

void Image::load_images(Stream& stream, const LoadImages& args) const {
    const Crop crop = crop_of(args.images, args.y, args.padding);
    const std::int64_t n = args.y.dim(0), image = crop.h * crop.w * crop.c, row_size = crop.ow * crop.c;
    check_indices("index", args.index, args.images.dim(0));
    check_indices("partner", args.partner, n);
    if (args.offset) check_offsets(args.offset, crop);
    const Draws draws{args.index.as<std::int32_t>(), args.offset ? args.offset.as<std::int32_t>() : nullptr,
                      args.partner ? args.partner.as<std::int32_t>() : nullptr,
                      args.flip ? args.flip.as<std::uint8_t>() : nullptr, args.padding};
    const NormalTable table(stream, args.mean, args.std);
    const auto* images = args.images.as<std::uint8_t>();
    auto* y = args.y.as<float>();
    const auto row_of = [&](std::int64_t sample, std::int64_t row) {
        return crop.row(images + draws.index[sample] * image, row, draws.top(sample), draws.left(sample),
                        draws.mirrored(sample));
    };
    parallel_for(cpu_stream(stream), n * crop.oh, 32, n * crop.oh * row_size,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t i = first; i < last; ++i) {
                         const std::int64_t sample = i / crop.oh, row = i % crop.oh;
                         const float lambda = draws.partner == nullptr ? 1 : lambda_at(args.mix_lambda, sample);
                         float* out = y + i * row_size;
                         look_up_row<false>(row_of(sample, row), crop, table.data(), lambda, out);
                         if (draws.partner != nullptr)
                             look_up_row<true>(row_of(draws.partner[sample], row), crop, table.data(), 1 - lambda, out);
                     }
                 });
}

}
