// Cases of kernels/random.h: the same bits on every backend.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

std::vector<Shape> shapes() {
    return {{}, {1}, {3}, {4}, {5}, {7}, {17}, {2, 3, 5, 7}, {0, 4}, {1023}, {1025}, {131, 257}};
}
constexpr PhiloxKey key{0x243F6A88, 0x85A308D3};

View position(CaseMemory& m) { return m.integers_below({2}, -1000000, 1000000); }

}

Cases<RandomUniform> cases(const RandomUniform*) {
    Cases<RandomUniform> all;
    all.has_bf16 = false;
    all.legal = {{0, Spoil::rank}, {0, Spoil::extent}, {0, Spoil::empty}};
    for (const Shape& x : shapes()) {
        all.add(text(x), uniform(0, 1), [=](CaseMemory& m) {
            return RandomUniform{.y = m.output_f32(x, exact()), .position = position(m), .key = key};
        });
        // low + (high - low) u cancels near 0.
        all.add(text(x) + "_-1to3", uniform(), [=](CaseMemory& m) {
            return RandomUniform{
                .y = m.output_f32(x, {.absolute = 0x1p-22}), .position = position(m), .key = key, .low = -1, .high = 3};
        });
    }
    all.bench("128x32x32x16", [](CaseMemory& m) {
        return RandomUniform{.y = m.output_f32({128, 32, 32, 16}, exact()), .position = position(m), .key = key};
    });
    return all;
}

Cases<RandomMask> cases(const RandomMask*) {
    Cases<RandomMask> all;
    all.has_bf16 = false;
    all.legal = {{0, Spoil::rank}, {0, Spoil::extent}, {0, Spoil::empty}};
    for (const Shape& x : shapes())
        for (const double keep : {0.5, 0.0, 0.1, 0.999, 1.0})
            all.add(fmt::format("{}_keep{}", text(x), keep), uniform(0, 1), [=](CaseMemory& m) {
                return RandomMask{
                    .y = m.output_of(x, DType::u8), .position = position(m), .key = key, .keep_probability = keep};
            });
    all.bench("128x32x32x16", [](CaseMemory& m) {
        return RandomMask{.y = m.output_of({128, 32, 32, 16}, DType::u8), .position = position(m), .key = key};
    });
    return all;
}

Cases<Dropout> cases(const Dropout*) {
    Cases<Dropout> all;
    const auto make = [](CaseMemory& m, const Shape& x, const Draw& from, double p, bool add) {
        return Dropout{.x = m.input(x, from),
                       .mask = m.bytes(x, 2),
                       .y = m.result(x, add ? tiled_sum(3) : rounded(2), add),
                       .p = p};
    };
    for (const Shape& x : shapes())
        for (const double p : {0.5, 0.0, 0.9})
            for (const bool add : {false, true})
                all.add(fmt::format("{}_p{}{}", text(x), p, add ? "_add" : ""), normal(),
                        [=](CaseMemory& m) { return make(m, x, normal(), p, add); });
    all.bench("128x32x32x16", [=](CaseMemory& m) { return make(m, {128, 32, 32, 16}, normal(), 0.5, false); });
    return all;
}

BKD_CASES_OF(random, Random, BKD_RANDOM_OPS)

}
