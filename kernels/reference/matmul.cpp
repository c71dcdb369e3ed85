// Products in f64. Contract: kernels/matmul.h
#include "kernels/matmul.h"

#include "kernels/reference/array.h"

#include <algorithm>
#include <cmath>

namespace bkd::kernels::reference {
namespace {

// [..., m, n] as [batch, m, n]
template <class AnyView>
AnyView matrices(const AnyView& x) {
    return x.reshaped({x.shape.product(0, x.rank() - 2), x.dim(-2), x.dim(-1)});
}

// max(|x_n|, 1e-12)
double clamped_norm(const In<>& x, std::int64_t n, std::int64_t extent) {
    double squares = 0;
    for (std::int64_t i = 0; i < extent; ++i) squares += x(n, i) * x(n, i);
    return std::max(std::sqrt(squares), 1e-12);
}

}

// out = op(a) op(b) + bias
void Matmul::gemm(Stream&, const Gemm& args) const {
    const In a(matrices(args.a)), b(matrices(args.b)), bias(args.bias);
    const View c = matrices(args.out.view);
    const Result out(Out(c, args.out.accumulate));
    const std::int64_t inner = args.a.dim(args.transpose_a ? -2 : -1);
    for (std::int64_t batch = 0; batch < c.dim(0); ++batch)
        for (std::int64_t m = 0; m < c.dim(1); ++m)
            for (std::int64_t n = 0; n < c.dim(2); ++n) {
                double sum = bias ? bias(n) : 0;
                for (std::int64_t k = 0; k < inner; ++k)
                    sum += (args.transpose_a ? a(batch, k, m) : a(batch, m, k)) *
                           (args.transpose_b ? b(batch, n, k) : b(batch, k, n));
                out(batch, m, n) = sum;
            }
}

// y[n,o] = scale x_n . w_o / (|x_n| |w_o|)
void Matmul::cosine_linear_forward(Stream&, const CosineLinearForward& args) const {
    const In x(args.x), w(args.w);
    const Result y(args.y), x_norm(args.x_norm), w_norm(args.w_norm);
    const std::int64_t samples = args.x.dim(0), outputs = args.w.dim(0), inner = args.x.dim(1);
    for (std::int64_t n = 0; n < samples; ++n) x_norm(n) = clamped_norm(x, n, inner);
    for (std::int64_t o = 0; o < outputs; ++o) w_norm(o) = clamped_norm(w, o, inner);
    for (std::int64_t n = 0; n < samples; ++n)
        for (std::int64_t o = 0; o < outputs; ++o) {
            double dot = 0;
            for (std::int64_t i = 0; i < inner; ++i) dot += x(n, i) * w(o, i);
            y(n, o) = args.scale * dot / (clamped_norm(x, n, inner) * clamped_norm(w, o, inner));
        }
}

// dx_n = (scale sum_o dy_no w_o / |w_o| - (sum_o dy_no y_no) x_n / |x_n|) / |x_n|
// dw_o = (scale sum_n dy_no x_n / |x_n| - (sum_n dy_no y_no) w_o / |w_o|) / |w_o|
void Matmul::cosine_linear_backward(Stream&, const CosineLinearBackward& args) const {
    const In dy(args.dy), y(args.y), x(args.x), w(args.w), x_norm(args.x_norm), w_norm(args.w_norm);
    const Result dx(args.dx), dw(args.dw);
    const std::int64_t samples = args.x.dim(0), outputs = args.w.dim(0), inner = args.x.dim(1);
    for (std::int64_t n = 0; dx && n < samples; ++n)
        for (std::int64_t i = 0; i < inner; ++i) {
            double direction = 0, along = 0;
            for (std::int64_t o = 0; o < outputs; ++o) {
                direction += dy(n, o) * w(o, i) / w_norm(o);
                along += dy(n, o) * y(n, o);
            }
            dx(n, i) = (args.scale * direction - along * x(n, i) / x_norm(n)) / x_norm(n);
        }
    for (std::int64_t o = 0; dw && o < outputs; ++o)
        for (std::int64_t i = 0; i < inner; ++i) {
            double direction = 0, along = 0;
            for (std::int64_t n = 0; n < samples; ++n) {
                direction += dy(n, o) * x(n, i) / x_norm(n);
                along += dy(n, o) * y(n, o);
            }
            dw(o, i) = (args.scale * direction - along * w(o, i) / w_norm(o)) / w_norm(o);
        }
}

}
