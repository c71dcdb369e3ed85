// Cases of kernels/convolution.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

struct Layer {
    Shape x, w;
    ConvolutionGeometry geometry{};
    bool in_tiles = false;  // large enough for a CPU's F(2 x 2, 3 x 3)

    Shape y() const { return convolution_shape(x, w, geometry); }
    std::string name() const {
        const auto& [stride, padding, groups] = geometry;
        return fmt::format("n{}h{}w{}c{}_k{}r{}s{}_st{}x{}p{}x{}g{}", x[0], x[1], x[2], x[3], w[0], w[1], w[2],
                           stride[0], stride[1], padding[0], padding[1], groups);
    }
};

Layer square(const Shape& x, const Shape& w, std::int64_t stride = 1, std::int64_t padding = 0,
             std::int64_t groups = 1) {
    return {x, w, {{stride, stride}, {padding, padding}, groups}};
}

Layer in_tiles(Layer layer) {
    layer.in_tiles = true;
    return layer;
}

std::vector<Layer> small_layers() {
    return {square({1, 1, 1, 1}, {1, 1, 1, 1}),
            square({2, 5, 7, 3}, {4, 3, 3, 3}, 1, 1),
            square({3, 9, 8, 5}, {7, 3, 3, 5}, 2, 1),
            square({2, 6, 6, 4}, {5, 3, 3, 4}, 2),  // the last row and column are never read
            square({2, 7, 7, 6}, {5, 1, 1, 6}, 2),
            square({2, 8, 8, 16}, {16, 3, 3, 16}, 1, 1),
            square({2, 8, 8, 15}, {17, 3, 3, 15}, 1, 1),
            square({1, 4, 4, 9}, {8, 3, 3, 9}, 1, 1),
            square({2, 4, 4, 64}, {64, 3, 3, 64}, 1, 1),
            square({1, 16, 16, 3}, {16, 3, 3, 3}, 1, 1),
            square({2, 8, 8, 16}, {32, 3, 3, 16}, 2, 1),
            square({3, 5, 37, 8}, {24, 3, 3, 8}, 1, 1),   // rows longer than a strip of the device's kernels
            square({5, 6, 9, 16}, {40, 3, 3, 16}, 1, 0),  // images and channels that fill no tile
            in_tiles(square({2, 15, 17, 16}, {16, 3, 3, 16}, 1, 1)),
            in_tiles(square({1, 10, 70, 16}, {16, 3, 3, 16})),
            in_tiles(square({2, 14, 30, 16}, {32, 3, 3, 16}, 1, 2)),
            square({2, 5, 6, 24}, {8, 3, 3, 24}, 1, 2),
            square({2, 7, 7, 3}, {4, 7, 7, 3}),        // one pixel out
            square({1, 3, 3, 2}, {3, 7, 7, 2}, 1, 3),  // filter larger than the image
            square({2, 5, 5, 2}, {3, 3, 3, 2}, 3, 2),
            square({1, 33, 31, 4}, {4, 5, 5, 4}, 2, 2),
            square({2, 6, 5, 4}, {6, 3, 3, 2}, 1, 1, 2),  // groups
            square({2, 6, 6, 32}, {32, 3, 3, 8}, 1, 1, 4),
            square({2, 7, 5, 8}, {8, 3, 3, 1}, 1, 1, 8),        // depthwise
            square({2, 7, 5, 3}, {6, 3, 3, 1}, 2, 1, 3),        // depthwise, two filters a channel
            {{2, 9, 6, 5}, {4, 3, 1, 5}, {{2, 1}, {1, 0}, 1}},  // every pair uneven
            {{2, 4, 11, 3}, {6, 1, 5, 3}, {{1, 3}, {0, 2}, 1}},
            {{3, 11, 1, 50}, {20, 3, 1, 50}, {{1, 1}, {2, 0}, 1}},  // over time
            square({0, 5, 5, 3}, {4, 3, 3, 3}, 1, 1),
            {{2, 0, 3, 2}, {3, 1, 1, 2}, {{1, 1}, {1, 0}, 1}},  // padding alone
            square({2, 2, 2, 3}, {4, 0, 1, 3})};                // no tap
}

// ResNet-8 to ResNet-56 on CIFAR, batches of 128: stem, the three stages, the two that halve the image.
std::vector<Layer> network_layers() {
    return {square({128, 32, 32, 3}, {16, 3, 3, 3}, 1, 1),   square({128, 32, 32, 16}, {16, 3, 3, 16}, 1, 1),
            square({128, 32, 32, 16}, {32, 3, 3, 16}, 2, 1), square({128, 16, 16, 32}, {32, 3, 3, 32}, 1, 1),
            square({128, 16, 16, 32}, {64, 3, 3, 32}, 2, 1), square({128, 8, 8, 64}, {64, 3, 3, 64}, 1, 1)};
}

struct Inputs {
    Draw draw;
    bool is_exact;
    bool has_one_sign() const { return draw.kind == Draw::Kind::ramp; }
    // A processor that multiplies bf16 takes channels in pairs: the one that an odd number of them leaves is filled up
    // with 0 times a neighbour, and NaN and infinity reach outputs that do not read them.
    bool f32_only() const { return draw.kind == Draw::Kind::one_special; }
    Bound bound(std::int64_t terms, const Layer& layer) const {
        if (is_exact) return exact();
        Bound bound = has_one_sign() ? products_of_one_sign(terms) : products(terms);
        if (!layer.in_tiles) return bound;
        // Four outputs share the products of 16 pixels, of which one in a padded corner reads a quarter; and where
        // pixels differ by orders of magnitude all four round at the size of the largest.
        bound.terms = std::max(bound.terms, std::min(4 * bound.terms, 64.0));
        if (draw.kind == Draw::Kind::wide) bound.largest = bound.terms;
        return bound;
    }
};
std::vector<Inputs> inputs() {
    return {{normal(), false}, {integers(), true}, {onehot(), true},   {cancel(), false},
            {wide(), false},   {ramp(), false},    {nan_one(), false}, {inf_one(), false}};
}

std::int64_t forward_terms(const Layer& l) { return l.w.product(1, 4) + 1; }
std::int64_t data_terms(const Layer& l) { return l.w.product(0, 3) / l.geometry.groups + 1; }
std::int64_t weight_terms(const Layer& l) { return l.y().product(0, 3) + 1; }

Conv2dForward forward(CaseMemory& m, const Layer& l, const Draw& from, const Bound& bound, bool with_bias) {
    const View x = m.input(l.x, from), w = m.input(l.w, from);
    return {.x = x,
            .w = w,
            .bias = with_bias ? m.input_f32({l.w[0]}, from) : View{},
            .y = m.output(l.y(), bound),
            .geometry = l.geometry};
}
// What a case of the backward op asks for.
struct Wanted {
    const char* name;
    bool data, weight, add;
};
constexpr Wanted wanted[] = {{"_dx", true, false, false}, {"_dw", false, true, false}, {"_dxdw_add", true, true, true}};

Conv2dBackward backward(CaseMemory& m, const Layer& l, const Inputs& from, const Wanted& want) {
    const View x = m.input(l.x, from.draw), w = m.input(l.w, from.draw), dy = m.input(l.y(), from.draw);
    const auto bound = [&](std::int64_t terms) {
        return from.is_exact && want.add ? products(terms) : from.bound(terms, l);
    };
    Conv2dBackward args{.x = x, .w = w, .dy = dy, .geometry = l.geometry};
    if (want.data) args.dx = m.result(l.x, bound(data_terms(l)), want.add);
    if (want.weight) args.dw = m.result_f32(l.w, bound(weight_terms(l)), want.add);
    return args;
}

}

Cases<Conv2dForward> cases(const Conv2dForward*) {
    Cases<Conv2dForward> all;
    all.same_bits = SameBits::same_threads;
    for (const Layer& l : small_layers())
        for (const Inputs& from : inputs())
            for (const bool with_bias : {false, true}) {
                const Bound bound =
                    from.is_exact && with_bias ? products(forward_terms(l)) : from.bound(forward_terms(l), l);
                all.add(l.name() + (with_bias ? "_bias" : ""), from.draw,
                        [=](CaseMemory& m) { return forward(m, l, from.draw, bound, with_bias); })
                    .f32_only = from.f32_only();
            }
    for (const Layer& l : network_layers())
        all.bench(l.name(), [=](CaseMemory& m) { return forward(m, l, normal(), products(forward_terms(l)), false); });
    return all;
}

Cases<Conv2dBackward> cases(const Conv2dBackward*) {
    Cases<Conv2dBackward> all;
    all.same_bits = SameBits::same_threads;
    for (const Wanted& want : wanted) {
        for (const Layer& l : small_layers())
            for (const Inputs& from : inputs()) {
                // Weight gradients on a device multiply the padding, too: 0 times what is not finite.
                if (from.draw.kind == Draw::Kind::one_special) continue;
                all.add(l.name() + want.name, from.draw, [=](CaseMemory& m) { return backward(m, l, from, want); });
            }
        if (want.add) continue;
        for (const Layer& l : network_layers())
            all.bench(l.name() + want.name, [=](CaseMemory& m) { return backward(m, l, {normal(), false}, want); });
    }
    return all;
}

BKD_CASES_OF(convolution, Convolution, BKD_CONVOLUTION_OPS)

}
