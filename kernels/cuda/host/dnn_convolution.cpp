// Engines and arithmetic of cuDNN's stand-in: plain loops over strides, each engine with rounding of its own.
#include "kernels/cuda/host/arithmetic.h"
#include "kernels/cuda/host/dnn.h"

#include <cmath>

namespace simt::dnn {
namespace {

// A tensor's numbers as f32, packed in the order of its extents.
std::vector<float> gathered(const Tensor& t, const void* data) {
    const auto& [a, b, c, d] = t.extent;
    std::vector<float> numbers;
    numbers.reserve(static_cast<std::size_t>(a * b * c * d));
    for (std::int64_t i = 0; i < a; ++i)
        for (std::int64_t j = 0; j < b; ++j)
            for (std::int64_t k = 0; k < c; ++k)
                for (std::int64_t l = 0; l < d; ++l)
                    numbers.push_back(load(data, t.type == CUDNN_DATA_BFLOAT16,
                                           i * t.stride[0] + j * t.stride[1] + k * t.stride[2] + l * t.stride[3]));
    return numbers;
}

// f(index in x, in w, in y), each packed, for every product of the convolution; from the last to the first if asked.
template <class F>
void for_each_product(const Convolution& convolution, bool is_reversed, F f) {
    const auto [n, c, h, w] = convolution.x.extent;
    const auto [k, c_per_group, r, s] = convolution.w.extent;
    const auto [n_too, k_too, p, q] = convolution.y.extent;
    const std::int64_t k_per_group = k / (c / c_per_group), taps = c_per_group * r * s, outputs = n * k * p * q;
    for (std::int64_t a = 0; a < outputs; ++a) {
        const std::int64_t y = is_reversed ? outputs - 1 - a : a;
        const std::int64_t column = y % q, row = y / q % p, filter = y / q / p % k, image = y / q / p / k;
        for (std::int64_t b = 0; b < taps; ++b) {
            const std::int64_t tap = is_reversed ? taps - 1 - b : b;
            const std::int64_t in_s = tap % s, in_r = tap / s % r, in_c = tap / s / r;
            const std::int64_t i = row * convolution.stride[0] - convolution.padding_before[0] +
                                   in_r * convolution.dilation[0],
                               j = column * convolution.stride[1] - convolution.padding_before[1] +
                                   in_s * convolution.dilation[1];
            if (i < 0 || i >= h || j < 0 || j >= w) continue;
            const std::int64_t channel = filter / k_per_group * c_per_group + in_c;
            f(static_cast<std::size_t>(((image * c + channel) * h + i) * w + j),
              static_cast<std::size_t>(filter * taps + tap), static_cast<std::size_t>(y));
        }
    }
}

template <class Accumulator>
std::vector<float> sums(const Convolution& c, Sum sum, const std::vector<float>& x, const std::vector<float>& w,
                        const std::vector<float>& y, std::size_t outputs) {
    std::vector<Accumulator> total(outputs);
    for_each_product(c, sum == Sum::backward, [&](std::size_t of_x, std::size_t of_w, std::size_t of_y) {
        const std::size_t out = c.kind == Kind::forward ? of_y : c.kind == Kind::data ? of_x : of_w;
        const Accumulator left = c.kind == Kind::data ? y[of_y] : x[of_x];
        const Accumulator right = c.kind == Kind::weight ? y[of_y] : w[of_w];
        total[out] = std::fma(left, right, total[out]);
        if (sum == Sum::bf16_sums) total[out] = rounded_to_bf16(static_cast<float>(total[out]));
    });
    return {total.begin(), total.end()};
}

}

const std::vector<Engine>& engines() {
    constexpr auto a = CUDNN_HEUR_MODE_A, fallback = CUDNN_HEUR_MODE_FALLBACK;
    constexpr std::size_t too_much = std::size_t{4} << 30;
    static const std::vector<Engine> all = {
        {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, Sum::tf32, 256, 2, a},
        {{CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, Sum::bf16_operands, 0, 3, a},
        {{CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, Sum::unsteady, 0, 1, a},
        {{CUDNN_NUMERICAL_NOTE_WINOGRAD}, Sum::one_percent, 0, 1, a},
        {{CUDNN_NUMERICAL_NOTE_FFT}, Sum::one_percent, 0, 1, a},
        {{CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}, Sum::bf16_sums, 0, 1, a},
        {{}, Sum::wide, too_much, 1, a},
        {{}, Sum::wide, 0, 1, a, false},
        {{}, Sum::backward, 4096, 9, a},
        {{CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, Sum::unsteady, 0, 1, a},
        {{}, Sum::wide, 0, 4, a},
        {{}, Sum::forward, 512, 6, fallback},
    };
    return all;
}

void compute(const Convolution& c, Sum sum, const void* x, const void* w, const void* y, std::int64_t run) {
    const Tensor& out = c.out();
    const auto operand = [&](const Tensor& t, const void* data) {
        std::vector<float> numbers = gathered(t, data);
        for (float& number : numbers)
            number = sum == Sum::tf32            ? rounded_to_tf32(number)
                     : sum == Sum::bf16_operands ? rounded_to_bf16(number)
                                                 : number;
        return numbers;
    };
    const std::vector<float> left = c.kind == Kind::data ? operand(c.y, y) : operand(c.x, x);
    const std::vector<float> right = c.kind == Kind::weight ? operand(c.y, y) : operand(c.w, w);
    const std::vector<float> none;
    const auto& of_x = c.kind == Kind::data ? none : left;
    const auto& of_w = c.kind == Kind::weight ? none : right;
    const auto& of_y = c.kind == Kind::data ? left : right;
    const auto outputs = static_cast<std::size_t>(out.extent[0] * out.extent[1] * out.extent[2] * out.extent[3]);
    const std::vector<float> total = sum == Sum::wide ? sums<double>(c, sum, of_x, of_w, of_y, outputs)
                                                      : sums<float>(c, sum, of_x, of_w, of_y, outputs);

    auto* to = const_cast<void*>(c.kind == Kind::forward ? y : c.kind == Kind::data ? x : w);
    const bool is_bf16 = out.type == CUDNN_DATA_BFLOAT16;
    const float factor = sum == Sum::one_percent ? 1.01F : sum == Sum::unsteady ? 1 + 0.01F * float(run % 3) : 1;
    std::size_t from = 0;
    for (std::int64_t i = 0; i < out.extent[0]; ++i)
        for (std::int64_t j = 0; j < out.extent[1]; ++j)
            for (std::int64_t k = 0; k < out.extent[2]; ++k)
                for (std::int64_t l = 0; l < out.extent[3]; ++l) {
                    const std::int64_t at =
                        i * out.stride[0] + j * out.stride[1] + k * out.stride[2] + l * out.stride[3];
                    float result = c.alpha * factor * total[from++];
                    // As cuDNN does: what is added to bf16 is rounded to it first.
                    if (is_bf16) result = rounded_to_bf16(result);
                    if (c.beta != 0) result += c.beta * load(to, is_bf16, at);
                    store(to, is_bf16, at, result);
                }
}

}
