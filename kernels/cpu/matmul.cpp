// Products and the cosine classifier. Contract: kernels/matmul.h
//
// Row-major throughout. Products of up to 4 K multiplications are done by a loop of their own: a call of oneDNN costs
// more.
#include "kernels/matmul.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/simd.h"

#include <cmath>

namespace bkd::kernels::cpu {
namespace {

// c_row += a * b_row
BKD_SIMD void add_scaled(float a, const float* BKD_RESTRICT b, float* BKD_RESTRICT c, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) c[j] += a * b[j];
}

void multiply_tiny(const Product& p) {
    if (!p.accumulate) std::fill_n(p.c, p.m * p.n, 0.0f);
    for (std::int64_t i = 0; i < p.m; ++i)
        for (std::int64_t l = 0; l < p.k; ++l) {
            const float a = p.transpose_a ? p.a[l * p.m + i] : p.a[i * p.k + l];
            float* c = p.c + i * p.n;
            if (!p.transpose_b)
                add_scaled(a, p.b + l * p.n, c, p.n);
            else
                for (std::int64_t j = 0; j < p.n; ++j) c[j] += a * p.b[j * p.k + l];
        }
}

void multiply(CpuStream& stream, const Product& p) {
    constexpr std::int64_t tiny = 4096;
    if (p.m == 0 || p.n == 0) return;
    if (p.m * p.n * p.k <= tiny) return multiply_tiny(p);
    multiply_large(stream, p);
}

BKD_SIMD void add_row(const float* BKD_RESTRICT from, float* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

// |x|^2 in f32, sixteen partial sums
BKD_SIMD float sum_of_squares(const float* x, std::int64_t count) {
    constexpr std::int64_t lanes = 16;
    float sums[lanes] = {};
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
        for (std::int64_t lane = 0; lane < lanes; ++lane) sums[lane] += x[i + lane] * x[i + lane];
    for (; i < count; ++i) sums[i % lanes] += x[i] * x[i];
    for (std::int64_t half = lanes / 2; half > 0; half /= 2)
        for (std::int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    return sums[0];
}

// norm[row] = max(|row|, 1e-12). Squares leave f32's range below 1e-19 and above 1e19: such rows are summed in f64.
void clamped_norms(CpuStream& stream, const float* x, float* norm, std::int64_t rows, std::int64_t width) {
    parallel_for(stream, rows, 16, rows * width, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t i = first; i < last; ++i) {
            const float* row = x + i * width;
            double squares = static_cast<double>(sum_of_squares(row, width));
            if (!(squares > 1e-30 && squares < 1e38)) {
                squares = 0;
                for (std::int64_t j = 0; j < width; ++j)
                    squares += static_cast<double>(row[j]) * static_cast<double>(row[j]);
            }
            const double length = std::sqrt(squares);
            norm[i] = static_cast<float>(length < 1e-12 ? 1e-12 : length);
        }
    });
}

// y[j] *= factor / norm[j]
BKD_SIMD void divide_row(float* BKD_RESTRICT y, const float* BKD_RESTRICT norm, float factor, std::int64_t count) {
    for (std::int64_t j = 0; j < count; ++j) y[j] = y[j] * factor / norm[j];
}

// d[i] (+)= (direction[i] - along x[i]) reciprocal
BKD_SIMD void gradient_row(const float* BKD_RESTRICT direction, const float* BKD_RESTRICT x, float along,
                           float reciprocal, bool accumulate, float* BKD_RESTRICT d, std::int64_t count) {
    if (accumulate)
        for (std::int64_t i = 0; i < count; ++i) d[i] += (direction[i] - along * x[i]) * reciprocal;
    else
        for (std::int64_t i = 0; i < count; ++i) d[i] = (direction[i] - along * x[i]) * reciprocal;
}

// One of the two gradients of the cosine classifier, rows being those of x for dx and of w for dw:
// d_r = (scale sum_t weight[r,t] other_t / |other_t| - along_r own_r / |own_r|) / |own_r|
struct CosineGradient {
    const float* dy;   // [n, o]
    bool transpose;    // rows are dy's columns
    const float* own;  // [rows, width]
    const float* own_norm;
    const float* other;  // [terms, width]
    const float* other_norm;
    const float* along;  // [rows], sums of dy y
    Out out;
    std::int64_t rows, terms, width;
    float scale;
};

void cosine_gradient(CpuStream& stream, const CosineGradient& g) {
    // dy over the other's norms, so that the product is divided term by term in f32 as the formula says.
    const Scratch quotients(stream, static_cast<std::size_t>(g.rows * g.terms) * sizeof(float));
    const Scratch directions(stream, static_cast<std::size_t>(g.rows * g.width) * sizeof(float));
    float *quotient = quotients.as<float>(), *direction = directions.as<float>();
    const std::int64_t outer = g.transpose ? g.terms : g.rows, inner = g.transpose ? g.rows : g.terms;
    for (std::int64_t i = 0; i < outer; ++i)
        for (std::int64_t j = 0; j < inner; ++j)
            quotient[i * inner + j] = g.dy[i * inner + j] * g.scale / g.other_norm[g.transpose ? i : j];
    multiply(stream, {quotient, g.transpose, g.other, false, direction, g.rows, g.width, g.terms, false});
    float* d = g.out.view.as<float>();
    parallel_for(stream, g.rows, 16, g.rows * g.width, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t i = first; i < last; ++i)
            gradient_row(direction + i * g.width, g.own + i * g.width, g.along[i] / g.own_norm[i], 1.0f / g.own_norm[i],
                         g.out.accumulate, d + i * g.width, g.width);
    });
}

}

// out = op(a) op(b) + bias
void Matmul::gemm(Stream& s, const Gemm& args) const {
    CpuStream& stream = cpu_stream(s);
    const View& out = args.out.view;
    const std::int64_t batches = out.shape.product(0, out.rank() - 2), m = out.dim(-2), n = out.dim(-1);
    const std::int64_t k = args.a.dim(args.transpose_a ? -2 : -1);
    const float *a = args.a.as<float>(), *b = args.b.as<float>(), *bias = args.bias ? args.bias.as<float>() : nullptr;
    float* c = out.as<float>();
    for (std::int64_t batch = 0; batch < batches; ++batch, a += m * k, b += k * n, c += m * n) {
        multiply(stream, {a, args.transpose_a, b, args.transpose_b, c, m, n, k, args.out.accumulate});
        if (bias == nullptr) continue;
        parallel_for(stream, m, std::max<std::int64_t>(1, 16 * 1024 / std::max<std::int64_t>(n, 1)), m * n,
                     [&](std::int64_t first, std::int64_t last, std::int64_t) {
                         for (std::int64_t i = first; i < last; ++i) add_row(bias, c + i * n, n);
                     });
    }
}

// y[n,o] = scale x_n . w_o / (|x_n| |w_o|)
void Matmul::cosine_linear_forward(Stream& s, const CosineLinearForward& args) const {
    CpuStream& stream = cpu_stream(s);
    const std::int64_t samples = args.x.dim(0), outputs = args.w.dim(0), inner = args.x.dim(1);
    const float *x = args.x.as<float>(), *w = args.w.as<float>();
    float *y = args.y.as<float>(), *x_norm = args.x_norm.as<float>(), *w_norm = args.w_norm.as<float>();
    clamped_norms(stream, x, x_norm, samples, inner);
    clamped_norms(stream, w, w_norm, outputs, inner);
    multiply(stream, {x, false, w, true, y, samples, outputs, inner, false});
    const auto scale = static_cast<float>(args.scale);
    for (std::int64_t i = 0; i < samples; ++i) divide_row(y + i * outputs, w_norm, scale / x_norm[i], outputs);
}

// dx_n = (scale sum_o dy_no w_o / |w_o| - (sum_o dy_no y_no) x_n / |x_n|) / |x_n|
// dw_o = (scale sum_n dy_no x_n / |x_n| - (sum_n dy_no y_no) w_o / |w_o|) / |w_o|
void Matmul::cosine_linear_backward(Stream& s, const CosineLinearBackward& args) const {
    CpuStream& stream = cpu_stream(s);
    const std::int64_t samples = args.x.dim(0), outputs = args.w.dim(0), inner = args.x.dim(1);
    const float *dy = args.dy.as<float>(), *y = args.y.as<float>(), *x = args.x.as<float>(), *w = args.w.as<float>();
    const float *x_norm = args.x_norm.as<float>(), *w_norm = args.w_norm.as<float>();
    const Scratch sums(stream, static_cast<std::size_t>(samples + outputs) * sizeof(float));
    float *along_x = sums.as<float>(), *along_w = along_x + samples;
    std::fill_n(along_x, samples + outputs, 0.0f);
    for (std::int64_t i = 0; i < samples; ++i)
        for (std::int64_t j = 0; j < outputs; ++j) {
            const float product = dy[i * outputs + j] * y[i * outputs + j];
            along_x[i] += product;
            along_w[j] += product;
        }
    const auto scale = static_cast<float>(args.scale);
    if (args.dx)
        cosine_gradient(stream, {dy, false, x, x_norm, w, w_norm, along_x, args.dx, samples, outputs, inner, scale});
    if (args.dw)
        cosine_gradient(stream, {dy, true, w, w_norm, x, x_norm, along_w, args.dw, outputs, samples, inner, scale});
}

}
