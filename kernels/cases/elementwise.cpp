// Cases of kernels/elementwise.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

std::vector<Shape> shapes() {
    return {{}, {1}, {7}, {8}, {9}, {15}, {17}, {2, 3, 5, 7}, {3, 0, 4}, {1023}, {1025}, {131, 257}};
}
Shape layer() { return {128, 32, 32, 16}; }

// Sums and products of numbers near 2^-130 are exact or must not be flushed: denormal ones are held to equality where
// the operation is exact on them.
template <class Args>
Cases<Args> pairs(const Bound& once, const Bound& added, bool is_exact_on_denormal) {
    Cases<Args> all;
    for (const Shape& x : shapes()) {
        for (const Draw& from : {normal(), wide(), huge(), nan_one(), inf_one(), zeros(), integers()})
            all.add(text(x), from, [=](CaseMemory& m) {
                return Args{.a = m.input(x, from), .b = m.input(x, from), .y = m.result(x, once)};
            });
        if (is_exact_on_denormal)
            all.add(text(x), denormal(), [=](CaseMemory& m) {
                return Args{.a = m.input(x, denormal()), .b = m.input(x, denormal()), .y = m.result(x, exact())};
            });
        all.add(text(x) + "_add", normal(),
                [=](CaseMemory& m) { return Args{.a = m.input(x), .b = m.input(x), .y = m.result(x, added, true)}; });
        all.add(text(x) + "_into_a", normal(), [=](CaseMemory& m) {
            const View a = m.updated(x, once);
            return Args{.a = a, .b = m.input(x), .y = a};
        });
        all.add(text(x) + "_into_b", normal(), [=](CaseMemory& m) {
            const View b = m.updated(x, once);
            return Args{.a = m.input(x), .b = b, .y = b};
        });
        all.add(text(x) + "_twice", normal(), [=](CaseMemory& m) {
            const View a = m.input(x);
            return Args{.a = a, .b = a, .y = m.result(x, once)};
        });
    }
    all.bench(text(layer()), [=](CaseMemory& m) {
        return Args{.a = m.input(layer()), .b = m.input(layer()), .y = m.result(layer(), once)};
    });
    return all;
}

template <class Args>
Cases<Args> maps(std::initializer_list<Draw> draws, const Bound& bound) {
    Cases<Args> all;
    for (const Shape& x : shapes()) {
        for (const Draw& from : draws)
            all.add(text(x), from, [=](CaseMemory& m) { return Args{.x = m.input(x, from), .y = m.output(x, bound)}; });
        const Draw first = *draws.begin();
        all.add(text(x) + "_inplace", first, [=](CaseMemory& m) {
            const View v = m.updated(x, bound, first);
            return Args{.x = v, .y = v};
        });
    }
    all.bench(text(layer()), [=, first = *draws.begin()](CaseMemory& m) {
        return Args{.x = m.input(layer(), first), .y = m.output(layer(), bound)};
    });
    return all;
}

struct Part {
    Shape whole;
    int axis;
    std::int64_t offset, extent;
    Shape part() const {
        Shape shape = whole;
        shape.set(axis, extent);
        return shape;
    }
    std::string name() const { return fmt::format("{}_axis{}_{}to{}", text(whole), axis, offset, offset + extent); }
};
std::vector<Part> parts() {
    return {{{5, 3}, 0, 1, 2},       {{7}, 0, 0, 7},          {{7}, 0, 6, 1},           {{2, 3, 5, 7}, 0, 1, 1},
            {{2, 3, 5, 7}, 1, 1, 2}, {{2, 3, 5, 7}, 2, 0, 3}, {{2, 3, 5, 7}, 3, 2, 5},  {{4, 9, 17}, 2, 8, 9},
            {{4, 9, 17}, 1, 3, 0},   {{0, 5}, 1, 1, 3},       {{67, 515}, 1, 255, 257}, {{2, 2, 3, 2, 5}, 3, 1, 1}};
}

}

// a + (b + y) in any order: of the size of the largest.
Cases<Add> cases(const Add*) { return pairs<Add>(rounded(1), tiled_sum(3), true); }
Cases<Subtract> cases(const Subtract*) { return pairs<Subtract>(rounded(1), of_largest(4), true); }
Cases<Multiply> cases(const Multiply*) { return pairs<Multiply>(rounded(1), tiled_sum(2), false); }
Cases<Divide> cases(const Divide*) { return pairs<Divide>(rounded(1), of_largest(4), false); }

Cases<Scale> cases(const Scale*) {
    Cases<Scale> all;
    for (const Shape& x : shapes())
        for (const bool add : {false, true})
            for (const double factor : {0.1, -2.0, 0.0})
                for (const Draw& from : {normal(), nan_one(), inf_one()})
                    all.add(fmt::format("{}_by{}{}", text(x), factor, add ? "_add" : ""), from, [=](CaseMemory& m) {
                        return Scale{.x = m.input(x, from),
                                     .y = m.result(x, add ? tiled_sum(2) : rounded(1), add),
                                     .factor = factor};
                    });
    all.add("1021_by2", denormal(), [](CaseMemory& m) {
        return Scale{.x = m.input({1021}, denormal()), .y = m.result({1021}, exact()), .factor = 2};
    });
    all.add("1021_by-2", huge(), [](CaseMemory& m) {
        return Scale{.x = m.input({1021}, huge()), .y = m.result({1021}, rounded(1)), .factor = -2};
    });
    all.add("1021_inplace", normal(), [](CaseMemory& m) {
        const View x = m.updated({1021}, rounded(1));
        return Scale{.x = x, .y = x, .factor = 0.1};
    });
    all.bench(text(layer()), [](CaseMemory& m) {
        return Scale{.x = m.input(layer()), .y = m.result(layer(), rounded(1)), .factor = 0.1};
    });
    return all;
}

Cases<ScaleRows> cases(const ScaleRows*) {
    Cases<ScaleRows> all;
    for (const Shape& x : {Shape{3, 5}, Shape{1}, Shape{17}, Shape{5, 1, 3}, Shape{4, 3, 5, 7}, Shape{0, 3},
                           Shape{3, 0}, Shape{129, 100}})
        for (const bool each : {false, true})
            for (const bool add : {false, true})
                all.add(fmt::format("{}_{}{}", text(x), each ? "each" : "one", add ? "_add" : ""), normal(),
                        [=](CaseMemory& m) {
                            return ScaleRows{.x = m.input(x),
                                             .factor = m.input_f32({each ? x[0] : 1}),
                                             .y = m.result(x, add ? tiled_sum(2) : rounded(1), add)};
                        });
    for (const Draw& from : {ramp(), nan_one(), inf_one()})
        all.add("31x33_each", from, [=](CaseMemory& m) {
            return ScaleRows{
                .x = m.input({31, 33}, from), .factor = m.input_f32({31}), .y = m.result({31, 33}, rounded(1))};
        });
    all.add("31x33_inplace", normal(), [](CaseMemory& m) {
        const View x = m.updated({31, 33}, rounded(1));
        return ScaleRows{.x = x, .factor = m.input_f32({31}), .y = x};
    });
    all.bench("128x100", [](CaseMemory& m) {
        return ScaleRows{.x = m.input({128, 100}), .factor = m.input_f32({1}), .y = m.result({128, 100}, rounded(1))};
    });
    return all;
}

Cases<BiasAdd> cases(const BiasAdd*) {
    Cases<BiasAdd> all;
    for (const Shape& x : {Shape{3, 5}, Shape{1}, Shape{17}, Shape{4, 3, 5, 7}, Shape{0, 3}, Shape{9, 16},
                           Shape{129, 100}, Shape{2049, 1}})
        for (const Draw& from : {normal(), ramp(), inf_one(), nan_one()})
            all.add(text(x), from, [=](CaseMemory& m) {
                return BiasAdd{.x = m.input(x, from), .bias = m.input_f32({x[-1]}), .y = m.output(x, rounded(1))};
            });
    all.add("31x33_inplace", normal(), [](CaseMemory& m) {
        const View x = m.updated({31, 33}, rounded(1));
        return BiasAdd{.x = x, .bias = m.input_f32({33}), .y = x};
    });
    all.bench("128x100", [](CaseMemory& m) {
        return BiasAdd{.x = m.input({128, 100}), .bias = m.input_f32({100}), .y = m.output({128, 100}, rounded(1))};
    });
    return all;
}

// At most 4 units in the last place.
Cases<Exp> cases(const Exp*) {
    return maps<Exp>({normal(), Draw{"ten", Draw::Kind::uniform, -10, 10},
                      Draw{"hundred", Draw::Kind::uniform, -100, 100}, zeros(), inf_one(), nan_one(), minus_inf_one()},
                     {.rounding = 8});
}
Cases<Log> cases(const Log*) {
    return maps<Log>({positive(), normal(), wide(), ones(), zeros(), denormal(),
                      Draw{"near_one", Draw::Kind::uniform, 0.999, 1.001}, inf_one(), nan_one()},
                     {.rounding = 8});
}

Cases<Sqrt> cases(const Sqrt*) {
    return maps<Sqrt>({positive(), normal(), wide(), ones(), zeros(), denormal(), inf_one(), nan_one()},
                      {.rounding = 2});
}

Cases<Fill> cases(const Fill*) {
    Cases<Fill> all;
    all.legal = {{0, Spoil::rank}, {0, Spoil::extent}, {0, Spoil::dtype}, {0, Spoil::empty}};
    for (const Shape& x : shapes()) {
        for (const double value : {0.0, 1.5, -1e30})
            all.add(fmt::format("{}_{}", text(x), value), normal(),
                    [=](CaseMemory& m) { return Fill{.y = m.output(x, rounded(1)), .value = value}; });
        for (const DType type : {DType::u8, DType::i32, DType::i64})
            all.add(fmt::format("{}_{}", text(x), name_of(type)), normal(),
                    [=](CaseMemory& m) { return Fill{.y = m.output_of(x, type), .value = 7}; });
    }
    all.bench(text(layer()), [](CaseMemory& m) { return Fill{.y = m.output(layer(), exact()), .value = 0}; });
    return all;
}

Cases<Cast> cases(const Cast*) {
    Cases<Cast> all;
    all.legal = {{0, Spoil::dtype}, {1, Spoil::dtype}};
    for (const Shape& x : shapes()) {
        all.add(text(x) + "_real", wide(),
                [=](CaseMemory& m) { return Cast{.x = m.input(x, wide()), .y = m.output_f32(x, exact())}; });
        all.add(text(x) + "_u8_real", normal(),
                [=](CaseMemory& m) { return Cast{.x = m.bytes(x), .y = m.output(x, exact())}; });
        all.add(text(x) + "_i32_real", normal(),
                [=](CaseMemory& m) { return Cast{.x = m.integers_below(x, -1000, 1000), .y = m.output(x, exact())}; });
    }
    all.bench(text(layer()),
              [](CaseMemory& m) { return Cast{.x = m.bytes(layer()), .y = m.output(layer(), exact())}; });
    return all;
}

Cases<SliceCopy> cases(const SliceCopy*) {
    Cases<SliceCopy> all;
    for (const Part& p : parts())
        for (const bool add : {false, true})
            for (const Draw& from : {normal(), ramp(), denormal(), nan_some()})
                all.add(p.name() + (add ? "_add" : ""), from, [=](CaseMemory& m) {
                    return SliceCopy{.x = m.input(p.whole, from),
                                     .y = m.result(p.part(), add ? rounded(1) : exact(), add),
                                     .axis = p.axis,
                                     .offset = p.offset};
                });
    return all;
}

Cases<SliceScatter> cases(const SliceScatter*) {
    Cases<SliceScatter> all;
    for (const Part& p : parts())
        for (const bool add : {false, true})
            for (const Draw& from : {normal(), ramp(), denormal(), nan_some()})
                all.add(p.name() + (add ? "_add" : ""), from, [=](CaseMemory& m) {
                    const View x = m.input(p.part(), from);
                    return SliceScatter{.x = x,
                                        .y = Out(m.updated(p.whole, add ? rounded(1) : exact()), add),
                                        .axis = p.axis,
                                        .offset = p.offset};
                });
    return all;
}

Cases<Put> cases(const Put*) {
    Cases<Put> all;
    all.has_bf16 = false;
    all.legal = {{2, Spoil::extent}, {2, Spoil::empty}};  // an index outside is found by the body
    for (const std::int64_t n : {1, 2, 7, 33, 1000})
        all.add(text(Shape{n}), normal(), [=](CaseMemory& m) {
            const View x = m.input_f32({1}, normal()), index = m.integers_below({1}, 0, n);
            return Put{.x = x, .index = index, .y = m.updated_f32({n}, exact())};
        });
    for (const int fault : {0, 1, -7})
        for (const Draw& from : {normal(), inf_one(), nan_one()})
            all.add(fmt::format("5_fault{}", fault), from, [=](CaseMemory& m) {
                return Put{.x = m.input_f32({1}, from),
                           .index = m.integers_below({1}, 0, 5),
                           .y = m.updated_f32({5}, exact()),
                           .fault = m.updated_i32({1}, fault)};
            });
    return all;
}

BKD_CASES_OF(elementwise, Elementwise, BKD_ELEMENTWISE_OPS)

}
