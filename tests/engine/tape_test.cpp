#include "engine/ops/activation.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/reduction.h"

#include <doctest/doctest.h>

#include <vector>

using namespace bkd;

namespace {

Tensor numbers(Context& ctx, const Shape& shape, double first) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < shape.count(); ++i) values.push_back(first + 0.25 * static_cast<double>(i));
    return ctx.upload(shape, std::span<const double>(values));
}

}

TEST_CASE("a step on the tape asks the system for memory once and finds the same addresses again") {
    Runtime runtime(Device{DeviceKind::cpu, 0}, {.threads = 1});
    Context setup(runtime);
    Tensor w = numbers(setup, {8, 8}, -1), x = numbers(setup, {4, 8}, 0);
    w.set_takes_gradient(true);
    Tape tape;
    std::vector<const void*> first;
    std::int64_t requests = 0;
    for (int step = 0; step < 4; ++step) {
        CAPTURE(step);
        Context ctx(runtime, &tape, true);
        w.clear_gradient();
        Tensor y = x;
        std::vector<const void*> seen;
        for (int layer = 0; layer < 20; ++layer) {
            y = relu(ctx, matmul(ctx, y, false, w, false));
            seen.push_back(y.view().data);
        }
        Context back = ctx.inference();
        tape.backward(back, sum(ctx, y, kernels::Axes::of({0, 1})));
        seen.push_back(w.gradient().view().data);
        if (step == 1) {
            first = seen;
            requests = runtime.backend->pool().statistics().system_requests;
        }
        if (step > 1) {
            CHECK(seen == first);
            CHECK(runtime.backend->pool().statistics().system_requests == requests);
        }
    }
}

TEST_CASE("nothing is recorded below the lowest tensor that takes a gradient") {
    Runtime runtime(Device{DeviceKind::reference, 0});
    Tape tape;
    Context ctx(runtime, &tape, true);
    Tensor x = numbers(ctx, {2, 3}, 0), w = numbers(ctx, {2, 3}, 1);
    w.set_takes_gradient(true);
    const Tensor frozen = relu(ctx, scale(ctx, x, 2));
    CHECK(tape.size() == 0);
    const Tensor y = multiply(ctx, frozen, w);
    CHECK(tape.size() == 1);
    Context back = ctx.inference();
    tape.backward(back, sum(ctx, y, kernels::Axes::of({0, 1})));
    CHECK(ctx.download(w.gradient()) == ctx.download(frozen));
    CHECK_FALSE(static_cast<bool>(x.gradient()));
}

TEST_CASE("backward reports each leaf once, as soon as nothing can add to its gradient") {
    Runtime runtime(Device{DeviceKind::reference, 0});
    Tape tape;
    Context ctx(runtime, &tape, true);
    Tensor a = numbers(ctx, {3}, 1), b = numbers(ctx, {3}, 2);
    a.set_takes_gradient(true);
    b.set_takes_gradient(true);
    const Tensor y = multiply(ctx, multiply(ctx, a, b), a);  // a is used twice
    std::vector<Node*> complete;
    tape.on_complete = [&](const Slot& leaf) { complete.push_back(leaf.node()); };
    Context back = ctx.inference();
    tape.backward(back, sum(ctx, y, kernels::Axes::of({0})));
    CHECK(complete == std::vector<Node*>{a.node(), b.node()});
    CHECK(ctx.download(a.gradient()) == std::vector<double>{2 * 1 * 2, 2 * 1.25 * 2.25, 2 * 1.5 * 2.5});
}

TEST_CASE("after backward only the leaves and their gradients are alive") {
    Runtime runtime(Device{DeviceKind::cpu, 0}, {.threads = 1});
    Context setup(runtime);
    Tensor w = numbers(setup, {16}, 0);
    w.set_takes_gradient(true);
    const std::int64_t before = runtime.backend->pool().statistics().live_bytes;
    {
        Tape tape;
        Context ctx(runtime, &tape, true);
        Context back = ctx.inference();
        tape.backward(back, sum(ctx, exp(ctx, scale(ctx, w, 2)), kernels::Axes::of({0})));
    }
    CHECK(runtime.backend->pool().statistics().live_bytes == before + 64);  // the gradient of w: 16 floats
    w.clear_gradient();
    CHECK(runtime.backend->pool().statistics().live_bytes == before);
}

TEST_CASE("an error in a gradient names the op") {
    Runtime runtime(Device{DeviceKind::reference, 0});
    Tape tape;
    Context ctx(runtime, &tape, true);
    Tensor x = numbers(ctx, {2}, 0);
    x.set_takes_gradient(true);
    Tensor y = ctx.empty({2});
    ctx.record("broken", y, {x}, [](Context&, const Tensor&, Gradients&) { BKD_CHECK(false, "on purpose"); });
    Context back = ctx.inference();
    CHECK_THROWS_WITH_AS(tape.backward(back, y, numbers(ctx, {2}, 1)),
                         "gradient of broken: operator(): false: on purpose", LogicError);
}

TEST_CASE("a tensor that lives on another device is refused by name and shape") {
    Runtime cpu(Device{DeviceKind::cpu, 0}, {.threads = 1}), reference(Device{DeviceKind::reference, 0});
    Context on_cpu(cpu), on_reference(reference);
    const Tensor x = numbers(on_cpu, {2, 3}, 0);
    CHECK_THROWS_AS(relu(on_reference, x), LogicError);
}
