// Cases of kernels/reduction.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

struct Reduced {
    Shape x;
    Axes axes;
    Shape y() const { return reduced_shape(x, axes); }
    std::string name() const {
        std::string text_of_axes;
        for (int i = 0; i < x.rank(); ++i)
            if (axes.has(i)) text_of_axes += std::to_string(i);
        return text(x) + "_over" + text_of_axes;
    }
    std::int64_t terms() const {
        std::int64_t k = 1;
        for (int i = 0; i < x.rank(); ++i)
            if (axes.has(i)) k *= x[i];
        return k;
    }
};

// Every subset of the axes of each shape.
std::vector<Reduced> reductions() {
    std::vector<Reduced> all;
    for (const Shape& x : {Shape{2, 3, 5}, Shape{}, Shape{1}, Shape{17}, Shape{1025}, Shape{7, 9}, Shape{3, 0},
                           Shape{2, 3, 5, 7}, Shape{2, 3, 2, 3, 2}, Shape{33, 257}, Shape{5000, 3}})
        for (unsigned bits = 0; bits < 1u << x.rank(); ++bits)
            all.push_back({x, Axes{static_cast<std::uint8_t>(bits)}});
    return all;
}
struct Inputs {
    Draw draw;
    bool is_exact;
};
std::vector<Inputs> inputs() {
    return {{normal(), false},  {integers(), true}, {ones(), true},  {cancel(), false}, {wide(), false},
            {nan_one(), false}, {inf_one(), false}, {ramp(), false}, {onehot(), true}};
}

const char* mark(bool add) { return add ? "_add" : ""; }

}

Cases<Sum> cases(const Sum*) {
    Cases<Sum> all;
    for (const Reduced& r : reductions())
        for (const auto& [from, is_exact] : inputs())
            for (const bool add : {false, true}) {
                const bool finds_indices = from.kind == Draw::Kind::ramp || from.kind == Draw::Kind::onehot;
                if (add && finds_indices) continue;  // an index that is wrong is wrong without adding, too
                all.add(r.name() + mark(add), from, [=, from = from, is_exact = is_exact](CaseMemory& m) {
                    return Sum{.x = m.input(r.x, from),
                               .y = m.result(r.y(), is_exact && !add ? exact() : tiled_sum(r.terms() + 1), add),
                               .axes = r.axes};
                });
            }
    for (const double factor : {0.1, -1.0, 0.0})
        all.add(fmt::format("7x129_over1_by{}", factor), normal(), [=](CaseMemory& m) {
            return Sum{
                .x = m.input({7, 129}), .y = m.result({7}, tiled_sum(129)), .axes = Axes::of({1}), .factor = factor};
        });
    all.add("300000_over0", normal(), [](CaseMemory& m) {
        return Sum{.x = m.input({300000}), .y = m.result(Shape{}, tiled_sum(300000)), .axes = Axes::of({0})};
    });
    all.bench("128x100_over0", [](CaseMemory& m) {
        return Sum{.x = m.input({128, 100}), .y = m.result({100}, tiled_sum(128)), .axes = Axes::of({0})};
    });
    return all;
}

Cases<Broadcast> cases(const Broadcast*) {
    Cases<Broadcast> all;
    for (const Reduced& r : reductions())
        for (const bool add : {false, true})
            for (const double factor : {1.0, 0.1})
                all.add(fmt::format("{}_by{}{}", r.name(), factor, mark(add)), normal(), [=](CaseMemory& m) {
                    return Broadcast{.x = m.input(r.y()),
                                     .y = m.result(r.x, add ? tiled_sum(2) : rounded(1), add),
                                     .axes = r.axes,
                                     .factor = factor};
                });
    for (const Reduced& r : reductions())
        all.add(r.name(), ramp(), [=](CaseMemory& m) {
            return Broadcast{.x = m.input(r.y(), ramp()), .y = m.result(r.x, exact()), .axes = r.axes};
        });
    all.bench("128x100_over0", [](CaseMemory& m) {
        return Broadcast{.x = m.input({100}), .y = m.result({128, 100}, exact()), .axes = Axes::of({0})};
    });
    return all;
}

Cases<ColumnSum> cases(const ColumnSum*) {
    Cases<ColumnSum> all;
    for (const Shape& x : {Shape{3, 5}, Shape{1}, Shape{17}, Shape{0, 5}, Shape{3, 0}, Shape{2, 3, 5, 7},
                           Shape{1025, 17}, Shape{129, 16}, Shape{9, 1023}, Shape{20011, 1}, Shape{4099, 10}})
        for (const auto& [from, is_exact] : inputs())
            for (const bool add : {false, true})
                all.add(text(x) + mark(add), from, [=, from = from, is_exact = is_exact](CaseMemory& m) {
                    const Bound bound = is_exact && !add ? exact() : tiled_sum(x.product(0, x.rank() - 1) + 1);
                    return ColumnSum{.x = m.input(x, from), .y = m.result_f32({x[-1]}, bound, add)};
                });
    for (const Shape& x : {Shape{128, 100}, Shape{128, 32, 32, 16}})
        all.bench(text(x), [=](CaseMemory& m) {
            return ColumnSum{.x = m.input(x), .y = m.result_f32({x[-1]}, tiled_sum(x.product(0, x.rank() - 1)))};
        });
    return all;
}

Cases<CountNonfinite> cases(const CountNonfinite*) {
    Cases<CountNonfinite> all;
    all.legal = {{0, Spoil::rank}, {0, Spoil::extent}, {0, Spoil::empty}};
    for (const Shape& x : {Shape{3, 5}, Shape{}, Shape{1}, Shape{17}, Shape{0, 5}, Shape{1025}, Shape{131, 257}})
        for (const Draw& from : {normal(), nan_one(), inf_one(), minus_inf_one(), zeros(),
                                 Draw{"huge_finite", Draw::Kind::uniform, -3e38, 3e38}})
            for (const bool add : {false, true})
                all.add(text(x) + (add ? "_add" : ""), from, [=](CaseMemory& m) {
                    const View of = m.input(x, from);
                    return CountNonfinite{
                        .x = of, .count = add ? Out(m.updated_i32({1}, 5), true) : Out(m.output_of({1}, DType::i32))};
                });
    all.bench("464154", [](CaseMemory& m) {
        return CountNonfinite{.x = m.input({464154}), .count = m.output_of({1}, DType::i32)};
    });
    return all;
}

BKD_CASES_OF(reduction, Reduction, BKD_REDUCTION_OPS)

}
