// From stored bytes to a batch, in f64. Contract: kernels/image.h
#include "kernels/image.h"

#include "kernels/reference/array.h"

namespace bkd::kernels::reference {
namespace {

using Bytes = In<std::uint8_t>;
using Indices = In<std::int32_t>;

// Calls f(n, i, j, c) for every element of an image batch.
template <class Function>
void for_each_element(const Shape& y, Function&& f) {
    for (std::int64_t n = 0; n < y[0]; ++n)
        for (std::int64_t i = 0; i < y[1]; ++i)
            for (std::int64_t j = 0; j < y[2]; ++j)
                for (std::int64_t c = 0; c < y[3]; ++c) f(n, i, j, c);
}

// The byte at (i, j) of y [.., oh, ow, ..]: image `from` of x [.., h, w, ..] padded with zeros, cut at (top, left),
// mirrored.
struct Crop {
    Bytes bytes;
    Shape x, y;
    std::int64_t padding;
    std::uint8_t operator()(std::int64_t from, std::int64_t top, std::int64_t left, bool flip, std::int64_t i,
                            std::int64_t j, std::int64_t c) const {
        const std::int64_t h = i + top - padding, w = (flip ? y[2] - 1 - j : j) + left - padding;
        return h >= 0 && h < x[1] && w >= 0 && w < x[2] ? bytes(from, h, w, c) : std::uint8_t{0};
    }
};

void check_offsets(const ConstView& offset, const Shape& x, const Shape& y, std::int64_t padding) {
    const Indices at(offset);
    for (std::int64_t n = 0; n < offset.dim(0); ++n)
        for (const int axis : {1, 2}) {
            const std::int64_t last = x[axis] + 2 * padding - y[axis];
            BKD_CHECK(at(n, axis - 1) >= 0 && at(n, axis - 1) <= last, "offset {} of image {} exceeds {}: x {}, y {}",
                      at(n, axis - 1), n, last, x.str(), y.str());
        }
}

void check_indices(const char* name, const ConstView& indices, std::int64_t limit) {
    const Indices at(indices);
    for (std::int64_t n = 0; n < indices.dim(0); ++n)
        BKD_CHECK(at(n) >= 0 && at(n) < limit, "{} {} at {} is not in 0..{}", name, at(n), n, limit - 1);
}

// lambda of row n
double mixing(const In<>& mix_lambda, const ConstView& view, std::int64_t n) {
    return mix_lambda(view.dim(0) == 1 ? 0 : n);
}

}

// y = (x / 255 - mean) / std
void Image::image_normalize(Stream&, const ImageNormalize& args) const {
    const Bytes x(args.x);
    const In mean(args.mean), std(args.std);
    const Result y(args.y);
    for_each_element(args.y.shape, [&](auto n, auto i, auto j, auto c) {
        y(n, i, j, c) = (x(n, i, j, c) / 255.0 - mean(c)) / std(c);
    });
}

// Pad, cut, mirror
void Image::crop_flip(Stream&, const CropFlip& args) const {
    check_offsets(args.offset, args.x.shape, args.y.shape, args.padding);
    const Crop crop{Bytes(args.x), args.x.shape, args.y.shape, args.padding};
    const Indices offset(args.offset);
    const Bytes flip(args.flip);
    const Strides at(args.y.shape);
    std::uint8_t* y = args.y.as<std::uint8_t>();
    for_each_element(args.y.shape, [&](auto n, auto i, auto j, auto c) {
        y[at(n, i, j, c)] = crop(n, offset(n, 0), offset(n, 1), flip(n) != 0, i, j, c);
    });
}

// y_n = lambda x_n + (1 - lambda) x_partner[n]
void Image::mixup(Stream&, const Mixup& args) const {
    const std::int64_t samples = args.x.dim(0), width = args.x.shape.product(1, args.x.rank());
    check_indices("partner", args.partner, samples);
    const In x(args.x.reshaped({samples, width})), mix_lambda(args.mix_lambda);
    const Indices partner(args.partner);
    const Result y(args.y.reshaped({samples, width}));
    for (std::int64_t n = 0; n < samples; ++n)
        for (std::int64_t i = 0; i < width; ++i) {
            const double lambda = mixing(mix_lambda, args.mix_lambda, n);
            y(n, i) = lambda * x(n, i) + (1 - lambda) * x(partner(n), i);
        }
}

// target_n = lambda e_labels[n] + (1 - lambda) e_labels[partner[n]]
void Image::mix_targets(Stream&, const MixTargets& args) const {
    const std::int64_t samples = args.target.dim(0), classes = args.target.dim(1);
    check_indices("label", args.labels, classes);
    check_indices("partner", args.partner, samples);
    const Indices labels(args.labels), partner(args.partner);
    const In mix_lambda(args.mix_lambda);
    const Result target(args.target);
    for (std::int64_t n = 0; n < samples; ++n)
        for (std::int64_t i = 0; i < classes; ++i) {
            const double lambda = mixing(mix_lambda, args.mix_lambda, n);
            target(n, i) = (labels(n) == i ? lambda : 0) + (labels(partner(n)) == i ? 1 - lambda : 0);
        }
}

// y_n = lambda normalise(crop_flip(images[index[n]])) + (1 - lambda) (the same of partner[n])
void Image::load_images(Stream&, const LoadImages& args) const {
    check_indices("index", args.index, args.images.dim(0));
    if (args.offset) check_offsets(args.offset, args.images.shape, args.y.shape, args.padding);
    if (args.partner) check_indices("partner", args.partner, args.y.dim(0));
    const Crop crop{Bytes(args.images), args.images.shape, args.y.shape, args.padding};
    const Indices index(args.index), offset(args.offset), partner(args.partner);
    const Bytes flip(args.flip);
    const In mix_lambda(args.mix_lambda), mean(args.mean), std(args.std);
    const Result y(args.y);
    const auto normalised = [&](auto n, auto i, auto j, auto c) {
        const std::int64_t top = offset ? offset(n, 0) : args.padding, left = offset ? offset(n, 1) : args.padding;
        return (crop(index(n), top, left, flip && flip(n) != 0, i, j, c) / 255.0 - mean(c)) / std(c);
    };
    for_each_element(args.y.shape, [&](auto n, auto i, auto j, auto c) {
        const double own = normalised(n, i, j, c);
        const double lambda = partner ? mixing(mix_lambda, args.mix_lambda, n) : 1;
        y(n, i, j, c) = partner ? lambda * own + (1 - lambda) * normalised(partner(n), i, j, c) : own;
    });
}

}
