// From stored bytes to a batch, on a device. Contract: kernels/image.h. The data set lies on the device as bytes; a
// batch is gathered, cropped, mirrored, normalised and mixed in one pass.
#include "kernels/image.h"

#include "kernels/cuda/launch.cuh"

namespace bkd::kernels::cuda {
namespace {

// lambda a + (1 - lambda) b, in written operations: what the compiler contracts by itself differs from form to form of
// a kernel.
__device__ float mixed(float lambda, float a, float b) { return fmaf(lambda, a, __fmul_rn(1 - lambda, b)); }

__device__ float normalised(std::uint8_t byte, float mean, float std) {
    return (static_cast<float>(byte) / 255.0f - mean) / std;
}

// Formula   y_i = (x_i / 255 - mean_c) / std_c
// Shapes    x [pixels, c] u8, y as x f32 bf16, mean, std [c] f32
// Mapping   a thread four elements
// Bytes     x once, y written
template <bool is_wide, class T>
__global__ void __launch_bounds__(256) normalize_bytes(const std::uint8_t* x, const float* mean, const float* std, T* y,
                                                       Divider pixel, std::int64_t count) {
    const std::int64_t i = global_thread() * 4;
    if (i >= count) return;
    std::uint32_t channel = pixel(static_cast<std::uint32_t>(i)).remainder;
    const std::uint32_t channels = pixel.divisor();
    if (is_wide && i + 4 <= count) {
        const Vec<std::uint8_t, 4> from = load<4>(x + i);
        Floats<4> values;
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            values.at[k] = normalised(from.at[k], mean[channel], std[channel]);
            channel = channel + 1 == channels ? 0 : channel + 1;
        }
        return store_floats(y + i, values);
    }
    for (std::int64_t k = i; k < i + 4 && k < count; ++k) {
        y[k] = from_float<T>(normalised(x[k], mean[channel], std[channel]));
        channel = channel + 1 == channels ? 0 : channel + 1;
    }
}

// Where the pixels of a batch's images come from.
struct Source {
    const std::uint8_t* images;  // [s, h, w, c]
    const std::int32_t* index;   // [n], null: image n
    const std::int32_t* offset;  // [n, 2], null: `padding` twice
    const std::uint8_t* flip;    // [n], null: none
    std::int64_t stored;
    int h, w, c, padding, oh, ow;
    StreamState* state;

    struct Crop {
        const std::uint8_t* image;
        int top, left;
        bool flip;
    };
    // Of image n of the batch.
    __device__ Crop crop(std::int64_t n) const {
        const std::int64_t from = index == nullptr ? n : checked_index(state, Indexed::index, index[n], stored, n);
        Crop crop{images + from * h * w * c, padding, padding, flip != nullptr && flip[n] != 0};
        if (offset != nullptr) {
            crop.top =
                static_cast<int>(checked_index(state, Indexed::offset, offset[2 * n], h + 2 * padding - oh + 1, 2 * n));
            crop.left = static_cast<int>(
                checked_index(state, Indexed::offset, offset[2 * n + 1], w + 2 * padding - ow + 1, 2 * n + 1));
        }
        return crop;
    }
    // 0 in the padding.
    __device__ std::uint8_t byte(const Crop& from, int i, int j, int channel) const {
        const int row = i + from.top - padding, column = (from.flip ? ow - 1 - j : j) + from.left - padding;
        if (row < 0 || row >= h || column < 0 || column >= w) return 0;
        return from.image[(row * w + column) * c + channel];
    }
};

// Splits an element's place in one image of y: pixel (i, j), channel.
struct Place {
    int i, j, channel;
};
struct ImageRows {
    Divider row, pixel;  // ow * c elements, c elements
    explicit ImageRows(const Shape& y) : row(y[2] * y[3], y.product(1, 4)), pixel(y[3], y[2] * y[3]) {}
    __device__ Place place(std::uint32_t element) const {
        const auto [i, within] = row(element);
        const auto [j, channel] = pixel(within);
        return {static_cast<int>(i), static_cast<int>(j), static_cast<int>(channel)};
    }
};

// Formula   y_n = lambda a + (1 - lambda) b, a the crop of image n normalised, b that of partner[n]; without partner a
// Shapes    images [s, h, w, c] u8, y [n, oh, ow, c] f32 bf16
// Mapping   blockIdx.y the image, a thread `width` neighbouring elements of it: the geometry is integer arithmetic in
//           registers, bytes of neighbours come from the same line of the first cache
// Bytes     3 KB read (6 with a partner) and 12 KB of f32 written for an image of 32 x 32 x 3
// Source    Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018
template <int width, class T>
__global__ void __launch_bounds__(256, 4)
    load_kernel(Source source, ImageRows rows, const std::int32_t* partner, const float* mix_lambda, int lambda_step,
                const float* mean, const float* std, T* y, std::int64_t samples, int elements) {
    const int first = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * width;
    if (first >= elements) return;
    for (std::int64_t n = blockIdx.y; n < samples; n += gridDim.y) {
        const Source::Crop own = source.crop(n);
        Source::Crop other = own;
        float lambda = 1;
        if (partner != nullptr) {
            other = source.crop(checked_index(source.state, Indexed::partner, partner[n], samples, n));
            lambda = mix_lambda[n * lambda_step];
        }
        Floats<width> values;
#pragma unroll
        for (int k = 0; k < width; ++k) {
            const auto [i, j, channel] = rows.place(static_cast<std::uint32_t>(first + k));
            const float m = mean[channel], s = std[channel];
            const float value = normalised(source.byte(own, i, j, channel), m, s);
            values.at[k] =
                partner == nullptr ? value : mixed(lambda, value, normalised(source.byte(other, i, j, channel), m, s));
        }
        store_floats(y + n * elements + first, values);
    }
}

// Formula   y_n = crop of x_n, mirrored if flip_n, as bytes; 0 in the padding
// Shapes    x [n, h, w, c], y [n, oh, ow, c], flip [n] u8; offset [n, 2] i32
// Mapping   as load_kernel, a thread an element
// Bytes     what the crops hold of x once, y written; offset and flip from the cache after the first thread of an image
__global__ void __launch_bounds__(256, 4)
    crop_kernel(Source source, ImageRows rows, std::uint8_t* y, std::int64_t samples, int elements) {
    const int at = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (at >= elements) return;
    const auto [i, j, channel] = rows.place(static_cast<std::uint32_t>(at));
    for (std::int64_t n = blockIdx.y; n < samples; n += gridDim.y)
        y[n * elements + at] = source.byte(source.crop(n), i, j, channel);
}

// Formula   y_n = lambda x_n + (1 - lambda) x_partner[n]
// Shapes    x, y [n, row] f32 bf16
// Mapping   a thread a vector of y
// Bytes     y written, x read once for n and once for its partner
// Source    as load_kernel
template <int width, class T>
__global__ void __launch_bounds__(256)
    mixup_kernel(const T* x, const std::int32_t* partner, const float* mix_lambda, int lambda_step, T* y, Divider row,
                 std::int64_t vectors, std::int64_t samples, std::int64_t row_count, StreamState* state) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [n, column] = row(static_cast<std::uint32_t>(at));
    const std::int64_t other = checked_index(state, Indexed::partner, partner[n], samples, n);
    const float lambda = mix_lambda[std::int64_t{n} * lambda_step];
    const Floats<width> own = load_floats<width>(x + at * width),
                        theirs = load_floats<width>(x + other * row_count + std::int64_t{column} * width);
    Floats<width> values;
#pragma unroll
    for (int k = 0; k < width; ++k) values.at[k] = mixed(lambda, own.at[k], theirs.at[k]);
    store_floats(y + at * width, values);
}

// Formula   target_n = lambda e_labels[n] + (1 - lambda) e_labels[partner[n]]
// Shapes    labels, partner [n] i32; lambda [1] or [n], target [n, classes] f32
// Mapping   a thread an element of target
// Bytes     target written; partner, lambda and two labels are read for each of its elements, from the cache after the
//           first of a row
// Source    as load_kernel
__global__ void __launch_bounds__(256)
    mix_targets_kernel(const std::int32_t* labels, const std::int32_t* partner, const float* mix_lambda,
                       int lambda_step, float* target, Divider row, std::int64_t samples, std::int64_t classes,
                       StreamState* state) {
    const std::int64_t at = global_thread();
    if (at >= samples * classes) return;
    const auto [n, c] = row(static_cast<std::uint32_t>(at));
    const std::int64_t other = checked_index(state, Indexed::partner, partner[n], samples, n);
    const std::int64_t own = checked_index(state, Indexed::label, labels[n], classes, n),
                       theirs = checked_index(state, Indexed::label, labels[other], classes, other);
    const float lambda = mix_lambda[std::int64_t{n} * lambda_step];
    target[at] = (own == c ? lambda : 0.0f) + (theirs == c ? 1 - lambda : 0.0f);
}

int step_of(const ConstView& each_or_one) { return each_or_one && each_or_one.count() > 1 ? 1 : 0; }

Source source_of(Stream& stream, const ConstView& images, const Shape& y, const ConstView& index,
                 const ConstView& offset, const ConstView& flip, std::int64_t padding) {
    const std::int64_t image_bytes = images.shape.product(1, 4), image_elements = y.product(1, 4);
    BKD_CHECK(std::max(image_bytes, image_elements) < std::int64_t{1} << 30, "images {} to {}", images.shape.str(),
              y.str());
    const auto extent = [](std::int64_t x) { return static_cast<int>(x); };
    return {elements<std::uint8_t>(images),
            elements<std::int32_t>(index),
            elements<std::int32_t>(offset),
            elements<std::uint8_t>(flip),
            images.dim(0),
            extent(images.dim(1)),
            extent(images.dim(2)),
            extent(images.dim(3)),
            extent(padding),
            extent(y[1]),
            extent(y[2]),
            cuda_stream(stream).state};
}

dim3 image_grid(std::int64_t threads, std::int64_t samples) {
    constexpr std::int64_t most = 65535;  // blocks along y
    return {blocks_for(threads, 256), static_cast<unsigned>(std::min(samples, most))};
}

}

void Image::image_normalize(Stream& stream, const ImageNormalize& args) const {
    const std::int64_t count = args.x.count();
    const auto* x = elements<std::uint8_t>(args.x);
    with_storage(args.y.dtype, [&]<class T>(T) {
        auto* y = elements<T>(args.y);
        const bool is_wide = are_aligned(4, x) && are_aligned(4 * sizeof(T), y);
        launch(stream, is_wide ? normalize_bytes<true, T> : normalize_bytes<false, T>, blocks_for((count + 3) / 4, 256),
               256, x, elements<float>(args.mean), elements<float>(args.std), y, Divider(args.x.dim(3), count), count);
    });
}

void Image::crop_flip(Stream& stream, const CropFlip& args) const {
    const Shape& y = args.y.shape;
    const std::int64_t image = y.product(1, 4);
    const Source source = source_of(stream, args.x, y, {}, args.offset, args.flip, args.padding);
    launch(stream, crop_kernel, image_grid(image, y[0]), 256, source, ImageRows(y), elements<std::uint8_t>(args.y),
           y[0], image);
}

void Image::mixup(Stream& stream, const Mixup& args) const {
    const std::int64_t samples = args.x.dim(0), row = args.x.shape.product(1, args.x.rank()), count = args.x.count();
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto* x = elements<T>(args.x);
        auto* y = elements<T>(args.y);
        widest<T>(
            row,
            [&]<int width>(Width<width>) {
                launch(stream, mixup_kernel<width, T>, blocks_for(count / width, 256), 256, x,
                       elements<std::int32_t>(args.partner), elements<float>(args.mix_lambda), step_of(args.mix_lambda),
                       y, Divider(row / width, count / width), count / width, samples, row, cuda_stream(stream).state);
            },
            x, y);
    });
}

void Image::mix_targets(Stream& stream, const MixTargets& args) const {
    const std::int64_t samples = args.target.dim(0), classes = args.target.dim(1);
    launch(stream, mix_targets_kernel, blocks_for(samples * classes, 256), 256, elements<std::int32_t>(args.labels),
           elements<std::int32_t>(args.partner), elements<float>(args.mix_lambda), step_of(args.mix_lambda),
           elements<float>(args.target), Divider(classes, samples * classes), samples, classes,
           cuda_stream(stream).state);
}

void Image::load_images(Stream& stream, const LoadImages& args) const {
    const Shape& y = args.y.shape;
    const std::int64_t image = y.product(1, 4);
    const Source source = source_of(stream, args.images, y, args.index, args.offset, args.flip, args.padding);
    with_storage(args.y.dtype, [&]<class T>(T) {
        auto* to = elements<T>(args.y);
        widest<T>(
            image,
            [&]<int width>(Width<width>) {
                launch(stream, load_kernel<width, T>, image_grid(image / width, y[0]), 256, source, ImageRows(y),
                       elements<std::int32_t>(args.partner), elements<float>(args.mix_lambda), step_of(args.mix_lambda),
                       elements<float>(args.mean), elements<float>(args.std), to, y[0], image);
            },
            to);
    });
}

}
