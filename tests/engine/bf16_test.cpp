// bf16 activations: which numbers stay real, and who keeps the bf16 copies of weights in step with their masters.
#include "kernels/bf16.h"
#include "engine/layers/batch_norm.h"
#include "engine/layers/conv.h"
#include "engine/layers/linear.h"
#include "engine/ops/activation.h"
#include "engine/ops/embedding.h"
#include "engine/ops/loss.h"
#include "engine/ops/pooling.h"
#include "engine/optimizer/sgd.h"

#include <doctest/doctest.h>

#include <array>

using namespace bkd;

namespace {

constexpr DeviceKind kinds[] = {DeviceKind::cpu, DeviceKind::reference};

// Convolution, batch norm, mean, classifier: one of every sort of parameter.
struct Small {
    explicit Small(DeviceKind kind, DType storage = DType::bf16)
        : runtime(Device{kind, 0}, {.threads = 1}, storage), ctx(runtime) {}
    Tensor images() const {
        std::vector<double> numbers(2 * 5 * 5 * 3);
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i * 37 % 101) / 50 - 1;
        return ctx.upload({2, 5, 5, 3}, std::span<const double>(numbers), ctx.storage());
    }
    Tensor features(Context& c) const { return bn(c, conv(c, images()), true); }
    Tensor loss(Context& c) const {
        const std::array<std::int32_t, 2> labels{1, 3};
        return cross_entropy(c, head(c, global_avg_pool(c, features(c))),
                             {.labels = c.upload({2}, std::span<const std::int32_t>(labels))});
    }
    void step() {
        Tape tape;
        Context training(runtime, &tape, true), back = ctx.inference();
        parameters.begin_step();
        tape.backward(back, loss(training));
        parameters.complete_gradients(back);
        sgd.step(back, ctx.full({1}, 0.1));
    }
    // The first parameter whose copy is not its master rounded; empty if there is none.
    std::string stale() const {
        for (const Parameter& p : parameters.all()) {
            if (p.is_buffer) continue;
            const std::vector<double> master = ctx.download(p.value), copy = ctx.download(p.value.operand(DType::bf16));
            for (std::size_t i = 0; i < master.size(); ++i)
                if (copy[i] != to_f32(to_bf16(static_cast<float>(master[i])))) return p.name;
        }
        return {};
    }

    Runtime runtime;
    Context ctx;
    Parameters parameters{};
    Conv conv{parameters, "conv", {.in = 3, .out = 8, .padding = 1}};
    BatchNorm bn{parameters, "bn", 8};
    Linear head{parameters, "linear", 8, 4, Init::normal(0.5)};
    Sgd sgd{materialised(), parameters, {.momentum = 0.9, .weight_decay = 1e-2}};

private:
    const Context& materialised() {
        parameters.materialise(ctx, 1, "student");
        return ctx;
    }
};

}

TEST_CASE("a weight's bf16 copy is its master rounded: at the start, after a write, and after steps") {
    for (const DeviceKind kind : kinds) {
        Small small(kind);
        CHECK(small.stale().empty());
        Parameter& weight = *small.parameters.find("conv.weight");
        std::vector<float> numbers = small.parameters.read(small.ctx, weight);
        for (float& x : numbers) x = 1.001F * x + 0.01F;
        small.parameters.write(small.ctx, weight, numbers);
        CHECK(small.stale().empty());
        const std::vector<double> before = small.ctx.download(small.parameters.copies());
        for (int i = 0; i < 3; ++i) small.step();
        CHECK(small.stale().empty());
        CHECK(small.ctx.download(small.parameters.copies()) != before);
        small.ctx.elementwise().scale({.x = small.parameters.values(), .y = small.parameters.values(), .factor = 1.1});
        CHECK(small.stale() == "conv.weight");
        small.parameters.refresh_copies(small.ctx);
        CHECK(small.stale().empty());
    }
}

TEST_CASE("activations are bf16; masters, gradients of weights, statistics and losses are real") {
    for (const DeviceKind kind : kinds) {
        Small small(kind);
        Tape tape;
        Context training(small.runtime, &tape, true), back = small.ctx.inference();
        CHECK(small.features(training).dtype() == DType::bf16);
        const Tensor loss = small.loss(training);
        const DType real = small.ctx.real();
        CHECK(loss.dtype() == real);
        tape.backward(back, loss);
        for (const Parameter& p : small.parameters.all()) {
            CAPTURE(p.name);
            CHECK(p.value.dtype() == real);
            if (!p.is_buffer) CHECK(p.value.gradient().dtype() == real);
        }
        CHECK(small.parameters.copies().dtype() == DType::bf16);
    }
}

TEST_CASE("without bf16 activations there are no copies, and a weight is read as it is") {
    for (const DeviceKind kind : kinds) {
        Small small(kind, DType::f32);
        CHECK_FALSE(small.parameters.copies());
        CHECK(small.features(small.ctx).dtype() == small.ctx.real());
        const Tensor& weight = small.parameters.find("conv.weight")->value;
        CHECK(weight.operand(DType::bf16).data == weight.view().data);
    }
}

TEST_CASE("a table of words is read from its bf16 copy and takes a real gradient") {
    for (const DeviceKind kind : kinds) {
        Runtime runtime(Device{kind, 0}, {.threads = 1}, DType::bf16);
        const Context ctx(runtime);
        Parameters parameters;
        Parameter& table = parameters.add({.name = "embedding.weight", .shape = {5, 3}, .init = Init::normal(1)});
        parameters.materialise(ctx, 1, "student");
        Tape tape;
        Context training(runtime, &tape, true), back = ctx.inference();
        const std::array<std::int32_t, 4> tokens{4, 1, 1, 2};
        const Tensor words =
            embedding(training, ctx.upload({2, 2}, std::span<const std::int32_t>(tokens)), table.value, -1);
        CHECK(words.dtype() == DType::bf16);
        const std::vector<double> rows = ctx.download(words), copy = ctx.download(parameters.copies());
        CHECK(std::vector<double>(rows.begin(), rows.begin() + 3) ==
              std::vector<double>(copy.begin() + 12, copy.begin() + 15));
        Tensor dy = ctx.empty_like(words);
        ctx.elementwise().fill({.y = dy, .value = 1.0078125});
        tape.backward(back, words, dy);
        const std::vector<double> gradient = ctx.download(table.value.gradient());
        CHECK(table.value.gradient().dtype() == ctx.real());
        CHECK(gradient == std::vector<double>{0, 0, 0, 2.015625, 2.015625, 2.015625, 1.0078125, 1.0078125, 1.0078125, 0,
                                              0, 0, 1.0078125, 1.0078125, 1.0078125});
    }
}
