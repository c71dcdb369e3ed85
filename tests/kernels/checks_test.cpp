// A wrong argument is refused with the op, the argument and the shapes, and nothing is launched.
#include "tests/kernels/reference_memory.h"

namespace bkd::kernels {
namespace {

using test::ReferenceMemory;

TEST_CASE("an argument of another shape is refused with both shapes") {
    ReferenceMemory m;
    const View x = m.empty({2, 5, 5, 3}), w = m.empty({4, 3, 3, 3}), y = m.empty({2, 3, 3, 5});
    CHECK_THROWS_WITH_AS(check(Conv2dForward{.x = x, .w = w, .y = y}),
                         "conv2d_forward: y: [2, 3, 3, 5] where [2, 3, 3, 4] is needed", LogicError);
}

TEST_CASE("an argument of another dtype is refused with both dtypes") {
    ReferenceMemory m;
    const View labels = m.empty({2}), z = m.empty({2, 3}), loss = m.empty({1});
    CHECK_THROWS_WITH_AS(check(CrossEntropy{.z = z, .targets = {.labels = labels}, .loss = loss}),
                         "cross_entropy: labels: f64 [2] where i32 is needed", LogicError);
}

TEST_CASE("bf16 is refused where a contract says f32 alone, and where it says the dtype of another argument") {
    for (const Device device : {Device{DeviceKind::cpu, 0}, Device{DeviceKind::reference, 0}}) {
        const DType real = device.kind == DeviceKind::reference ? DType::f64 : DType::f32;
        const std::string name = name_of(real);
        std::array<double, 64> memory{};
        const auto at = [&](std::size_t i, const Shape& shape, DType dtype) {
            return View{memory.data() + i, shape, dtype, device};
        };
        const View x = at(0, {2, 4}, DType::bf16), y = at(8, {2, 4}, DType::bf16), mean = at(16, {4}, real),
                   rstd = at(20, {4}, real), c = at(24, {4}, real);
        CHECK_NOTHROW(check(BatchNormForward{.x = x, .gamma = c, .beta = c, .y = y, .mean = mean, .rstd = rstd}));
        CHECK_THROWS_WITH_AS(
            check(BatchNormForward{
                .x = x, .gamma = at(32, {4}, DType::bf16), .beta = c, .y = y, .mean = mean, .rstd = rstd}),
            ("batch_norm_forward: gamma: bf16 [4] where " + name + " is needed").c_str(), LogicError);
        CHECK_THROWS_WITH_AS(check(ReluForward{.x = x, .y = at(32, {2, 4}, real)}),
                             ("relu_forward: y: " + name + " [2, 4] where bf16 is needed").c_str(), LogicError);
        CHECK_THROWS_WITH_AS(check(EmbeddingBackward{.tokens = at(32, {1, 1}, DType::i32),
                                                     .dy = at(33, {1, 1, 4}, DType::bf16),
                                                     .dw = View(at(40, {3, 4}, DType::bf16))}),
                             ("embedding_backward: dw: bf16 [3, 4] where " + name + " is needed").c_str(), LogicError);
    }
}

TEST_CASE("a required argument left out is refused by its name") {
    ReferenceMemory m;
    CHECK_THROWS_WITH_AS(check(ReluForward{.x = m.empty({2}), .y = {}}), "relu_forward: y: is left out", LogicError);
}

TEST_CASE("an argument of another rank is refused with both ranks") {
    ReferenceMemory m;
    const View x = m.empty({2, 3}), y = m.empty({2});
    CHECK_THROWS_WITH_AS(check(MaxOverTimeForward{.x = x, .y = y, .index = m.integers({2}, {0, 0})}),
                         "max_over_time_forward: x: [2, 3] has 2 axes where 3 are needed", LogicError);
    CHECK_THROWS_WITH_AS(check(Gemm{.a = y, .b = x, .out = x}), "gemm: a: [2] has 1 axes where 2 to 5 are needed",
                         LogicError);
}

TEST_CASE("a rule of the contract that is broken is printed with what was seen") {
    ReferenceMemory m;
    const View x = m.empty({1, 1, 1, 4}), c = m.empty({4});
    CHECK_THROWS_WITH_AS(check(BatchNormForward{.x = x, .gamma = c, .beta = c, .y = x, .mean = c, .rstd = c}),
                         "batch_norm_forward: m >= 2: x [1, 1, 1, 4] has 1 values per channel: no variance",
                         LogicError);
}

TEST_CASE("an output that overlaps another argument is refused unless the contract allows it") {
    ReferenceMemory m;
    const View x = m.empty({2, 4}), c = m.empty({4}), d = m.empty({4}), mean = m.empty({4}), rstd = m.empty({4});
    CHECK_NOTHROW(check(BatchNormForward{.x = x, .gamma = c, .beta = d, .y = x, .mean = mean, .rstd = rstd}));
    CHECK_THROWS_WITH_AS(check(BatchNormForward{.x = x, .gamma = c, .beta = d, .y = x, .mean = mean, .rstd = mean}),
                         doctest::Contains("an output overlaps: [4] and [4]"), LogicError);
    const View shifted{x.as<double>() + 1, {4}, DType::f64, x.device};
    const View first{x.data, {4}, DType::f64, x.device};
    CHECK_NOTHROW(check(ReluForward{.x = first, .y = first}));
    CHECK_THROWS_AS(check(ReluForward{.x = first, .y = shifted}), LogicError);
}

TEST_CASE("one argument on another device than its stream is refused before the op") {
    ReferenceMemory m;
    const View x = m.empty({2});
    View y = m.empty({2});
    y.device = {DeviceKind::cpu, 0};
    const Activation::On activation{m.backend->activation(), *m.stream};
    CHECK_THROWS_WITH_AS(activation.relu_forward({.x = x, .y = y}),
                         doctest::Contains("relu_forward: an argument [2] lies on cpu, the stream on reference"),
                         LogicError);
}

TEST_CASE("an index out of range is refused by the body that reads it") {
    ReferenceMemory m;
    const View z = m.empty({2, 3}), loss = m.empty({1}), w = m.empty({5, 2}), y = m.empty({1, 2, 2});
    for (const std::int32_t label : {-1, 3})
        CHECK_THROWS_WITH_AS(m.backend->loss().cross_entropy(
                                 *m.stream, {.z = z, .targets = {.labels = m.integers({2}, {0, label})}, .loss = loss}),
                             doctest::Contains("of sample 1 is not in 0..2"), LogicError);
    CHECK_THROWS_WITH_AS(
        m.backend->embedding().embedding_forward(*m.stream, {.tokens = m.integers({1, 2}, {4, 5}), .w = w, .y = y}),
        doctest::Contains("token 5 at 1 of w [5, 2]"), LogicError);
}

}
}
