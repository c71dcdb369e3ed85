// A weight gradient's last sum is put off to the next launch that carries it along: nobody may see that but a counter of
// launches.
#include "kernels/convolution.h"
#include "kernels/cuda/host/runtime.h"
#include "kernels/elementwise.h"
#include "tests/cuda_host/placed.h"

#include <doctest/doctest.h>

#include <memory>

namespace bkd::test {
namespace {

using kernels::Convolution, kernels::Elementwise;

struct Layers {
    explicit Layers(bool tf32 = false) : backend(open_backend({DeviceKind::cuda, 0}, {.tf32 = tf32})) {}

    const std::unique_ptr<Backend> backend;
    const std::unique_ptr<Stream> stream = backend->make_stream();
    const Placed x{*backend, *stream, {2, 6, 5, 16}}, w{*backend, *stream, {24, 3, 3, 16}},
        dy{*backend, *stream, {2, 6, 5, 24}}, first{*backend, *stream, {24, 3, 3, 16}},
        second{*backend, *stream, {24, 3, 3, 16}};
    const std::vector<float> before = downloaded(*backend, *stream, first.view);

    void weight_gradient(const Out& dw) const {
        Convolution::On{backend->convolution(), *stream}.conv2d_backward(
            {.x = x.view, .w = w.view, .dy = dy.view, .dw = dw, .geometry = {.padding = {1, 1}}});
    }
    void fill(const View& y, double value) const {
        Elementwise::On{backend->elementwise(), *stream}.fill({.y = y, .value = value});
    }
    std::vector<float> numbers(const Placed& of) const { return downloaded(*backend, *stream, of.view); }
    std::vector<float> right() const {
        weight_gradient(first.view);
        return numbers(first);
    }
    std::int64_t launches(const std::function<void()>& work) const {
        const std::int64_t earlier = simt::tally().launches;
        work();
        return simt::tally().launches - earlier;
    }
};

}

TEST_CASE("weight gradients of two layers are two launches, and a third when one is read") {
    bool tf32 = false;
    SUBCASE("strict f32") {}
    SUBCASE("TF32") { tf32 = true; }
    const Layers on(tf32);
    const std::vector<float> right = on.right();
    CHECK(right != on.before);
    on.fill(on.first.view, 7);
    CHECK(on.launches([&] {
        on.weight_gradient(on.first.view);
        on.weight_gradient(on.second.view);
    }) == 2);
    CHECK(on.launches([&] { CHECK(on.numbers(on.first) == right); }) == 1);
    CHECK(on.launches([&] { CHECK(on.numbers(on.second) == right); }) == 0);
}

TEST_CASE("an op that reads, writes or adds to a gradient finds it summed up") {
    const Layers on;
    const std::vector<float> right = on.right();
    std::vector<float> doubled = right, sevens(right.size(), 7.0F);
    for (float& number : doubled) number += number;

    on.weight_gradient(on.second.view);
    Elementwise::On{on.backend->elementwise(), *on.stream}.scale({.x = on.second.view, .y = on.first.view});
    CHECK(on.numbers(on.first) == right);

    on.weight_gradient(on.second.view);
    on.fill(on.second.view, 7);
    CHECK(on.numbers(on.second) == sevens);

    on.weight_gradient(on.second.view);
    on.weight_gradient(Out(on.second.view, true));
    on.weight_gradient(on.first.view);  // carries the sum that is added
    CHECK(on.numbers(on.second) == doubled);

    // A part of it.
    on.weight_gradient(on.second.view);
    const View last{on.second.view.as<float>() + on.second.view.count() - 1, {1}, DType::f32, on.backend->device};
    on.fill(last, 7);
    CHECK(on.numbers(on.second).back() == 7.0F);

    on.weight_gradient(on.second.view);
    on.backend->upload(*on.stream, on.second.view, sevens.data());
    CHECK(on.numbers(on.second) == sevens);
}

TEST_CASE("an op that has nothing to do with a gradient leaves it put off") {
    const Layers on;
    on.weight_gradient(on.second.view);
    CHECK(on.launches([&] { on.fill(on.first.view, 7); }) == 1);
    CHECK(on.launches([&] { on.stream->synchronize(); }) == 1);
}

TEST_CASE("memory of a gradient that was given back is another's") {
    const Layers on;
    const std::vector<float> sevens(3456, 7.0F);
    const void* freed = nullptr;
    {
        const Placed late(*on.backend, *on.stream, on.first.view.shape);
        freed = late.view.data;
        on.weight_gradient(late.view);
    }
    const Scratch scratch(*on.stream, sevens.size() * sizeof(float));
    REQUIRE(scratch.as<void>() == freed);
    // As a kernel that was handed it as scratch, which is no argument of its op.
    on.backend->elementwise().fill(
        *on.stream, {.y = {scratch.as<void>(), on.first.view.shape, DType::f32, on.backend->device}, .value = 7});
    on.weight_gradient(on.first.view);
    CHECK(downloaded(*on.backend, *on.stream,
                     {scratch.as<void>(), on.first.view.shape, DType::f32, on.backend->device}) == sevens);
}

TEST_CASE("a recording holds the whole of every gradient in it, and nothing of those around it") {
    const Layers on;
    const std::vector<float> right = on.right();
    on.weight_gradient(on.second.view);  // put off until the recording begins
    on.stream->begin_recording();
    on.fill(on.second.view, 7);
    on.weight_gradient(on.first.view);
    const std::unique_ptr<Recording> recording = on.stream->end_recording();
    CHECK(on.numbers(on.second) == right);

    on.fill(on.first.view, 7);
    on.weight_gradient(on.second.view);
    recording->replay();
    CHECK(on.numbers(on.first) == right);
    CHECK(on.numbers(on.second) == std::vector<float>(right.size(), 7.0F));

    // What an abandoned one put off is forgotten, as all of it.
    on.fill(on.first.view, 7);
    on.stream->begin_recording();
    on.weight_gradient(on.first.view);
    on.stream->abandon_recording();
    CHECK(on.numbers(on.first) == std::vector<float>(right.size(), 7.0F));
    CHECK(simt::tally().faults.empty());
}

TEST_CASE("a stream that ends does what it put off before") {
    const Layers on;
    const std::vector<float> right = on.right();
    on.fill(on.first.view, 7);
    on.stream->synchronize();
    {
        const std::unique_ptr<Stream> other = on.backend->make_stream();
        Convolution::On{on.backend->convolution(), *other}.conv2d_backward(
            {.x = on.x.view, .w = on.w.view, .dy = on.dy.view, .dw = on.first.view, .geometry = {.padding = {1, 1}}});
    }
    CHECK(on.numbers(on.first) == right);
    CHECK(simt::tally().faults.empty());
}

}
