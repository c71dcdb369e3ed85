// Cases of kernels/matmul.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

struct Product {
    Shape batch;
    std::int64_t m, n, k;
    std::string name() const {
        return (batch.rank() > 0 ? "b" + text(batch) : std::string()) + fmt::format("m{}n{}k{}", m, n, k);
    }
    Shape matrix(std::int64_t rows, std::int64_t columns) const {
        Shape shape = batch;
        shape.push(rows);
        shape.push(columns);
        return shape;
    }
};
std::vector<Product> small_products() {
    return {{{}, 3, 5, 7},    {{}, 1, 1, 1},     {{}, 1, 17, 33},   {{}, 15, 1, 9},  {{}, 16, 17, 15},
            {{}, 64, 64, 64}, {{}, 127, 10, 64}, {{}, 10, 64, 128}, {{}, 31, 33, 8}, {{}, 5, 4, 1000},
            {{}, 0, 5, 3},    {{}, 4, 0, 3},     {{}, 4, 5, 0},     {{3}, 4, 5, 6},  {{2, 3}, 7, 9, 5},
            {{0}, 2, 3, 4},   {{2}, 3, 4, 0},    {{1}, 17, 31, 16}};
}

// `wide`: results are f32 whatever the operands are, as the gradients of weights are, and what gradients are made of.
Gemm gemm(CaseMemory& m, const Product& p, bool transpose_a, bool transpose_b, bool bias, bool add, const Draw& from,
          const Bound& bound, bool wide = false) {
    Gemm args{.a = m.input(transpose_a ? p.matrix(p.k, p.m) : p.matrix(p.m, p.k), from),
              .transpose_a = transpose_a,
              .b = m.input(transpose_b ? p.matrix(p.n, p.k) : p.matrix(p.k, p.n), from),
              .transpose_b = transpose_b,
              .out = {}};
    if (bias) args.bias = m.input_f32({p.n}, from);
    const Shape out = p.matrix(p.m, p.n);
    args.out = wide ? m.result_f32(out, bound, add) : m.result(out, bound, add);
    return args;
}

struct Classifier {
    std::int64_t n, o, i;
    std::string name() const { return fmt::format("n{}o{}i{}", n, o, i); }
};
std::vector<Classifier> classifiers() {
    return {{3, 4, 5}, {1, 1, 1}, {2, 3, 16}, {7, 10, 17}, {16, 31, 64}, {128, 100, 64}, {0, 3, 4}};
}

CosineLinearForward cosine_forward(CaseMemory& m, const Classifier& c, const Draw& from, double scale,
                                   bool wide = false) {
    const Bound norm{.rounding = 8 + std::log2(static_cast<double>(c.i) + 1)};  // a sum of squares loses nothing
    Bound product = products(c.i);
    product.rounding += 2 * norm.rounding;
    return {.x = m.input({c.n, c.i}, from),
            .w = m.input({c.o, c.i}, from),
            .y = wide ? m.output_f32({c.n, c.o}, product) : m.output({c.n, c.o}, product),
            .x_norm = m.output_f32({c.n}, norm),
            .w_norm = m.output_f32({c.o}, norm),
            .scale = scale};
}

// A difference of two sums of the size of the largest element.
CosineLinearBackward cosine_backward(CaseMemory& m, const Classifier& c, double scale, bool dx, bool dw, bool add,
                                     bool wide = false) {
    const Bound data = of_largest(32 + 16 * std::sqrt(static_cast<double>(c.o))),
                weight = of_largest(32 + 16 * std::sqrt(static_cast<double>(c.n)));
    CosineLinearBackward args{
        .dy = m.input({c.n, c.o}),
        .y = wide ? m.input_f32({c.n, c.o}, uniform(-scale, scale)) : m.input({c.n, c.o}, uniform(-scale, scale)),
        .x = m.input({c.n, c.i}),
        .w = m.input({c.o, c.i}),
        .x_norm = m.input_f32({c.n}, positive(1, 4)),
        .w_norm = m.input_f32({c.o}, positive(1, 4)),
        .dx = {},
        .dw = {},
        .scale = scale};
    if (dx) args.dx = m.result({c.n, c.i}, data, add);
    if (dw) args.dw = wide ? m.result_f32({c.o, c.i}, weight, add) : m.result({c.o, c.i}, weight, add);
    return args;
}

}

Cases<Gemm> cases(const Gemm*) {
    Cases<Gemm> all;
    all.same_bits = SameBits::same_threads;
    for (const Product& p : small_products())
        for (const int transposes : {0, 1, 2, 3}) {
            const bool ta = (transposes & 1) != 0, tb = (transposes & 2) != 0;
            const std::string name = p.name() + (ta ? "_ta" : "") + (tb ? "_tb" : "");
            const Bound bound = products(p.k + 1);
            all.add(name, ramp(), [=](CaseMemory& m) {
                return gemm(m, p, ta, tb, false, false, ramp(), products_of_one_sign(p.k + 1));
            });
            for (const Draw& from : {normal(), cancel(), wide(), nan_one(), inf_one()})
                all.add(name, from, [=](CaseMemory& m) { return gemm(m, p, ta, tb, false, false, from, bound); });
            all.add(name, integers(),
                    [=](CaseMemory& m) { return gemm(m, p, ta, tb, false, false, integers(), exact()); });
            all.add(name, onehot(), [=](CaseMemory& m) { return gemm(m, p, ta, tb, false, false, onehot(), exact()); });
            all.add(name + "_bias", normal(),
                    [=](CaseMemory& m) { return gemm(m, p, ta, tb, true, false, normal(), bound); });
            all.add(name + "_add", normal(),
                    [=](CaseMemory& m) { return gemm(m, p, ta, tb, false, true, normal(), bound); });
            for (const bool add : {false, true})
                all.add(name + (add ? "_wide_add" : "_wide"), normal(),
                        [=](CaseMemory& m) { return gemm(m, p, ta, tb, false, add, normal(), bound, true); });
            all.add(name + "_bias_add", normal(),
                    [=](CaseMemory& m) { return gemm(m, p, ta, tb, true, true, normal(), bound); });
        }
    all.add("m17n17k31_tb_twice", normal(), [](CaseMemory& m) {
        const View a = m.input({17, 31});
        return Gemm{.a = a, .b = a, .transpose_b = true, .out = m.result({17, 17}, products(31))};
    });
    for (const Product& p : {Product{{}, 128, 10, 64}, Product{{}, 128, 100, 64}, Product{{}, 1536, 1536, 1536}})
        all.bench(p.name() + "_tb_bias",
                  [=](CaseMemory& m) { return gemm(m, p, false, true, true, false, normal(), products(p.k + 1)); });
    const Product gradient{{}, 100, 64, 128};
    all.bench(gradient.name() + "_ta",
              [=](CaseMemory& m) { return gemm(m, gradient, true, false, false, false, normal(), products(128)); });
    return all;
}

Cases<CosineLinearForward> cases(const CosineLinearForward*) {
    Cases<CosineLinearForward> all;
    all.same_bits = SameBits::same_threads;
    for (const Classifier& c : classifiers())
        for (const Draw& from : {normal(), zeros(), wide(), cancel(), nan_one()})
            for (const double scale : {1.0, 16.0})
                all.add(fmt::format("{}_by{}", c.name(), scale), from,
                        [=](CaseMemory& m) { return cosine_forward(m, c, from, scale); });
    for (const Classifier& c : classifiers())
        all.add(c.name() + "_wide", normal(), [=](CaseMemory& m) { return cosine_forward(m, c, normal(), 16, true); });
    all.bench("n128o100i64", [](CaseMemory& m) { return cosine_forward(m, {128, 100, 64}, normal(), 16); });
    return all;
}

Cases<CosineLinearBackward> cases(const CosineLinearBackward*) {
    Cases<CosineLinearBackward> all;
    all.same_bits = SameBits::same_threads;
    for (const Classifier& c : classifiers())
        for (const double scale : {1.0, 16.0})
            for (const bool add : {false, true}) {
                all.add(fmt::format("{}_by{}_wide{}", c.name(), scale, add ? "_add" : ""), normal(),
                        [=](CaseMemory& m) { return cosine_backward(m, c, scale, true, true, add, true); });
                for (const int wanted : {3, 1, 2})
                    all.add(fmt::format("{}_by{}{}{}{}", c.name(), scale, wanted & 1 ? "_dx" : "",
                                        wanted & 2 ? "_dw" : "", add ? "_add" : ""),
                            normal(), [=](CaseMemory& m) {
                                return cosine_backward(m, c, scale, (wanted & 1) != 0, (wanted & 2) != 0, add);
                            });
            }
    all.bench("n128o100i64", [](CaseMemory& m) { return cosine_backward(m, {128, 100, 64}, 16, true, true, false); });
    return all;
}

BKD_CASES_OF(matmul, Matmul, BKD_MATMUL_OPS)

}
