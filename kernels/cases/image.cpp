// Cases of kernels/image.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

// x / 255 - mean cancels from size 1 and is divided by a deviation of 0.2 at least.
Bound pixel_bound() { return {.rounding = 4, .largest = 8, .absolute = 20 * 0x1p-24}; }

// Crops of n images h x w x c to oh x ow after `padding`.
struct Crop {
    std::int64_t n, h, w, c, oh, ow, padding;
    std::string name() const { return fmt::format("n{}h{}w{}c{}_{}x{}p{}", n, h, w, c, oh, ow, padding); }
    std::int64_t room() const { return std::min(h + 2 * padding - oh, w + 2 * padding - ow) + 1; }
    Shape out() const { return {n, oh, ow, c}; }
};
std::vector<Crop> crops() {
    return {{3, 5, 7, 3, 5, 7, 0}, {1, 1, 1, 1, 1, 1, 0},   {4, 8, 8, 3, 8, 8, 4},
            {5, 9, 7, 1, 4, 3, 1}, {3, 6, 6, 4, 7, 5, 2},   {2, 17, 15, 3, 17, 15, 1},
            {0, 4, 4, 3, 4, 4, 1}, {2, 3, 3, 2, 11, 11, 4}, {7, 28, 28, 1, 28, 28, 2}};
}
constexpr Crop cifar{128, 32, 32, 3, 32, 32, 4};

// Which parts of load_images are there.
struct Parts {
    bool offset, flip, partner, each_lambda;
    std::string name() const {
        return std::string(offset ? "_crop" : "") + (flip ? "_flip" : "") +
               (partner ? each_lambda ? "_mix_each" : "_mix_one" : "");
    }
};

LoadImages load(CaseMemory& m, const Crop& k, std::int64_t stored, const Parts& parts) {
    LoadImages args{
        .images = m.bytes({stored, k.h, k.w, k.c}), .index = m.labels({k.n}, stored), .mean = {}, .std = {}, .y = {}};
    if (parts.offset) args.offset = m.labels({k.n, 2}, k.room());
    if (parts.flip) args.flip = m.bytes({k.n}, 2);
    if (parts.partner) {
        args.partner = m.permutation(k.n);
        args.mix_lambda = m.input_f32({parts.each_lambda ? k.n : 1}, uniform(0, 1));
    }
    args.mean = m.input_f32({k.c}, uniform(0.3, 0.6));
    args.std = m.input_f32({k.c}, uniform(0.2, 0.4));
    args.y = m.output(k.out(), pixel_bound());
    args.padding = k.padding;
    return args;
}

}

Cases<ImageNormalize> cases(const ImageNormalize*) {
    Cases<ImageNormalize> all;
    for (const Shape& x : {Shape{2, 3, 5, 3}, Shape{1, 1, 1, 1}, Shape{3, 7, 9, 1}, Shape{2, 8, 8, 4},
                           Shape{0, 3, 3, 3}, Shape{3, 31, 33, 3}})
        all.add(text(x), uniform(), [=](CaseMemory& m) {
            return ImageNormalize{.x = m.bytes(x),
                                  .mean = m.input_f32({x[3]}, uniform(0.3, 0.6)),
                                  .std = m.input_f32({x[3]}, uniform(0.2, 0.4)),
                                  .y = m.output(x, pixel_bound())};
        });
    all.bench("128x32x32x3", [](CaseMemory& m) {
        const Shape x{128, 32, 32, 3};
        return ImageNormalize{.x = m.bytes(x),
                              .mean = m.input_f32({3}, uniform(0.3, 0.6)),
                              .std = m.input_f32({3}, uniform(0.2, 0.4)),
                              .y = m.output(x, pixel_bound())};
    });
    return all;
}

Cases<CropFlip> cases(const CropFlip*) {
    Cases<CropFlip> all;
    all.has_bf16 = false;
    const auto make = [](CaseMemory& m, const Crop& k) {
        return CropFlip{.x = m.bytes({k.n, k.h, k.w, k.c}),
                        .offset = m.labels({k.n, 2}, k.room()),
                        .flip = m.bytes({k.n}, 2),
                        .y = m.output_of(k.out(), DType::u8),
                        .padding = k.padding};
    };
    for (const Crop& k : crops()) all.add(k.name(), uniform(), [=](CaseMemory& m) { return make(m, k); });
    all.bench(cifar.name(), [=](CaseMemory& m) { return make(m, cifar); });
    return all;
}

Cases<Mixup> cases(const Mixup*) {
    Cases<Mixup> all;
    for (const Shape& x : {Shape{3, 5}, Shape{1}, Shape{17}, Shape{4, 3, 5, 7}, Shape{0, 3}, Shape{33, 255}})
        for (const bool each : {false, true})
            for (const bool repeats : {false, true})
                for (const Draw& lambda : {uniform(0, 1), ones(), zeros()})
                    all.add(fmt::format("{}_{}{}", text(x), each ? "each" : "one", repeats ? "_repeats" : ""), lambda,
                            [=](CaseMemory& m) {
                                return Mixup{.x = m.input(x),
                                             .partner = repeats ? m.labels({x[0]}, std::max<std::int64_t>(x[0], 1))
                                                                : m.permutation(x[0]),
                                             .mix_lambda = m.input_f32({each ? x[0] : 1}, lambda),
                                             .y = m.output(x, of_largest(4))};
                            });
    all.bench("128x32x32x3", [](CaseMemory& m) {
        const Shape x{128, 32, 32, 3};
        return Mixup{.x = m.input(x),
                     .partner = m.permutation(128),
                     .mix_lambda = m.input_f32({1}, uniform(0, 1)),
                     .y = m.output(x, of_largest(4))};
    });
    return all;
}

Cases<MixTargets> cases(const MixTargets*) {
    Cases<MixTargets> all;
    all.has_bf16 = false;
    all.legal = {{3, Spoil::extent}, {3, Spoil::empty}};  // more classes, or none: labels are read by the body
    struct Size {
        std::int64_t n, classes;
    };
    for (const auto& [n, classes] : {Size{3, 5}, Size{1, 1}, Size{8, 2}, Size{17, 10}, Size{0, 4}, Size{33, 101}})
        for (const bool each : {false, true}) {
            Case<MixTargets>& c =
                all.add(fmt::format("n{}c{}_{}", n, classes, each ? "each" : "one"), uniform(),
                        [=, n = n, classes = classes](CaseMemory& m) {
                            return MixTargets{.labels = m.labels({n}, classes),
                                              .partner = m.permutation(n),
                                              .mix_lambda = m.input_f32({each ? n : 1}, uniform(0, 1)),
                                              .target = m.output_f32({n, classes}, rounded(2))};
                        });
            c.invariant = rows_sum_to(3, 1, 4);
        }
    all.bench("n128c100", [](CaseMemory& m) {
        return MixTargets{.labels = m.labels({128}, 100),
                          .partner = m.permutation(128),
                          .mix_lambda = m.input_f32({1}, uniform(0, 1)),
                          .target = m.output_f32({128, 100}, rounded(2))};
    });
    return all;
}

Cases<LoadImages> cases(const LoadImages*) {
    Cases<LoadImages> all;
    for (const Crop& k : crops())
        for (const Parts& parts :
             {Parts{true, true, true, false}, Parts{true, true, true, true}, Parts{true, false, false, false},
              Parts{false, true, false, false}, Parts{false, false, true, false}, Parts{false, false, false, false}}) {
            const bool fits_in_the_middle = k.oh <= k.h + k.padding && k.ow <= k.w + k.padding;
            if (!parts.offset && !fits_in_the_middle) continue;
            all.add(k.name() + parts.name(), uniform(), [=](CaseMemory& m) { return load(m, k, 11, parts); });
        }
    all.bench(cifar.name() + "_train", [](CaseMemory& m) { return load(m, cifar, 2000, {true, true, false, false}); });
    all.bench(cifar.name() + "_train_mix", [](CaseMemory& m) {
        return load(m, cifar, 2000, {true, true, true, false});
    });
    all.bench(cifar.name() + "_eval", [](CaseMemory& m) { return load(m, cifar, 2000, {false, false, false, false}); });
    return all;
}

BKD_CASES_OF(image, Image, BKD_IMAGE_OPS)

}
