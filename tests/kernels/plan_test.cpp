#include "kernels/backend.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace bkd {
namespace {

class Recorder final : public LaunchObserver {
public:
    struct Entry {
        std::string op;
        std::size_t arguments;
        std::int64_t bytes_read, bytes_written;
        double flops;
    };
    void before(const Launch& launch) override {
        entries.push_back({launch.op, launch.arguments.size(), launch.bytes_read, launch.bytes_written, launch.flops});
    }
    void after(const Launch&) override { ++finished; }
    std::vector<Entry> entries;
    int finished = 0;
};

TEST_CASE("a planned op reports its name, its bytes and its flops, and touches no memory") {
    const auto backend = open_backend({DeviceKind::plan, 0});
    const auto stream = backend->make_stream();
    Recorder recorder;
    stream->observer = &recorder;
    const auto view = [&](const Shape& shape) {
        return View{backend->pool().take(static_cast<std::size_t>(shape.count()) * 4).data, shape, backend->real,
                    backend->device};
    };
    // The third stage of a ResNet-32 at batch 128; then one of a thousand times that, which no machine could hold.
    for (const std::int64_t n : {std::int64_t{128}, std::int64_t{128000}}) {
        const View x = view({n, 8, 8, 64}), w = view({64, 3, 3, 64}), y = view({n, 8, 8, 64});
        const kernels::Convolution::On convolution{backend->convolution(), *stream};
        convolution.conv2d_forward({.x = x, .w = w, .y = y, .geometry = {.padding = {1, 1}}});
    }
    REQUIRE(recorder.entries.size() == 2);
    const Recorder::Entry& first = recorder.entries[0];
    CHECK(first.op == "conv2d_forward");
    CHECK(first.arguments == 3);
    CHECK(first.bytes_read == 4 * (128 * 8 * 8 * 64 + 64 * 9 * 64));
    CHECK(first.bytes_written == 4 * 128 * 8 * 8 * 64);
    CHECK(first.flops == 2.0 * 128 * 8 * 8 * 64 * 9 * 64);
    CHECK(recorder.entries[1].bytes_written == 1000 * first.bytes_written);
    CHECK(recorder.finished == 2);
}

TEST_CASE("a plan refuses what could not run") {
    const auto backend = open_backend({DeviceKind::plan, 0});
    const auto stream = backend->make_stream();
    Recorder recorder;
    stream->observer = &recorder;
    const auto view = [&](const Shape& shape) {
        return View{backend->pool().take(1024).data, shape, backend->real, backend->device};
    };
    const kernels::Convolution::On convolution{backend->convolution(), *stream};
    CHECK_THROWS_AS(
        convolution.conv2d_forward({.x = view({2, 4, 4, 3}), .w = view({8, 3, 3, 2}), .y = view({2, 2, 2, 8})}),
        LogicError);
    CHECK(recorder.entries.empty());
}

TEST_CASE("arguments left out cost nothing, and those of nested targets count") {
    const auto backend = open_backend({DeviceKind::plan, 0});
    const auto stream = backend->make_stream();
    Recorder recorder;
    stream->observer = &recorder;
    const auto view = [&](const Shape& shape, DType dtype) {
        return View{backend->pool().take(1024).data, shape, dtype, backend->device};
    };
    const View z = view({4, 10}, DType::f32), loss = view({1}, DType::f32), labels = view({4}, DType::i32);
    const kernels::Loss::On losses{backend->loss(), *stream};
    losses.cross_entropy({.z = z, .targets = {.labels = labels}, .loss = loss});
    REQUIRE(recorder.entries.size() == 1);
    CHECK(recorder.entries[0].bytes_read == 4 * 40 + 4 * 4);
    CHECK(recorder.entries[0].bytes_written == 4);
    CHECK(recorder.entries[0].flops == 0);
}

TEST_CASE("the plan's memory counts without taking any") {
    const auto backend = open_backend({DeviceKind::plan, 0});
    const Block terabyte = backend->pool().take(std::size_t{1} << 40);
    CHECK(backend->pool().statistics().peak_bytes == std::int64_t{1} << 40);
    backend->pool().give(terabyte);
    CHECK(backend->pool().statistics().live_bytes == 0);
}

}
}
