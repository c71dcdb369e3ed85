// Which engines the backend takes of those the stand-in of cuDNN offers (kernels/cuda/host/libraries.h has the ranking),
// and what BackendOptions change.
#include "kernels/cuda/host/libraries.h"
#include "kernels/convolution.h"
#include "kernels/cuda/host/runtime.h"
#include "kernels/cuda/plan_table.h"
#include "kernels/matmul.h"
#include "tests/cuda_host/placed.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>

using namespace bkd;
using namespace bkd::kernels;
using bkd::test::Placed;

namespace {

constexpr int by_rule = 8, fastest = 10, fallback = 11, tf32 = 0;

struct Outcome {
    std::vector<float> numbers;
    std::vector<int> engines;  // that ran, in order
};

// A backend of its own for one convolution, or for several.
struct Opened {
    explicit Opened(const BackendOptions& options = {})
        : backend(open_backend({DeviceKind::cuda, 0}, options)), stream(backend->make_stream()) {}

    Outcome convolve(const Shape& of_x, const Shape& of_w, const ConvolutionGeometry& geometry) const {
        const Placed x(*backend, *stream, of_x), w(*backend, *stream, of_w),
            y(*backend, *stream, convolution_shape(of_x, of_w, geometry));
        simt::engines_run().clear();
        Convolution::On{backend->convolution(), *stream}.conv2d_forward(
            {.x = x.view, .w = w.view, .y = y.view, .geometry = geometry});
        std::vector<float> numbers = test::downloaded(*backend, *stream, y.view);
        return {std::move(numbers), std::exchange(simt::engines_run(), {})};
    }

    std::unique_ptr<Backend> backend;
    std::unique_ptr<Stream> stream;
};

Outcome convolve(const BackendOptions& options = {}) {
    return Opened(options).convolve({2, 6, 5, 24}, {4, 5, 3, 24}, {.padding = {2, 1}});
}

std::vector<float> multiply(const BackendOptions& options) {
    const auto backend = open_backend({DeviceKind::cuda, 0}, options);
    const auto stream = backend->make_stream();
    const Placed a(*backend, *stream, {7, 40}), b(*backend, *stream, {40, 5}), out(*backend, *stream, {7, 5});
    Matmul::On{backend->matmul(), *stream}.gemm({.a = a.view, .b = b.view, .out = {out.view}});
    return test::downloaded(*backend, *stream, out.view);
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(double{a[i]} - b[i]));
    return largest;
}

}

TEST_CASE("without a table the first engine of the ranking that is lawful runs, whatever the library puts before it") {
    const Outcome rule = convolve();
    CHECK(rule.engines == std::vector{by_rule});
    CHECK(convolve().numbers == rule.numbers);
    CHECK(simt::tally().faults.empty());
}

TEST_CASE("compute.tf32 makes TF32's engines lawful, and only that does") {
    const Outcome strict = convolve(), loose = convolve({.tf32 = true});
    CHECK(loose.engines == std::vector{tf32});
    CHECK(largest_difference(strict.numbers, loose.numbers) > 1e-4);
    CHECK(largest_difference(strict.numbers, loose.numbers) < 1e-2);
    const std::vector<float> product = multiply({}), rounded = multiply({.tf32 = true});
    CHECK(largest_difference(product, rounded) > 1e-4);
    CHECK(largest_difference(product, rounded) < 1e-2);
}

TEST_CASE("a ranking of engines that must not be taken leaves a convolution to the kernel of our own") {
    const auto launched_for = [](simt::Offer offer) {
        const simt::OfferFor offered(offer);
        return convolve();
    };
    const Outcome unlawful = launched_for(simt::Offer::unlawful), own = launched_for(simt::Offer::nothing);
    CHECK(unlawful.engines.empty());
    CHECK(unlawful.numbers == own.numbers);
    CHECK(simt::kernels_run().contains("direct_forward"));
    CHECK(largest_difference(convolve().numbers, own.numbers) < 1e-4);
}

TEST_CASE("tuning takes the fastest lawful engine and notes it; another backend takes the same one, to the bit") {
    const bkd_test::TemporaryFolder folder;
    const std::string path = (folder / "plans.txt").string();
    const Outcome tuned = convolve({.plans = path, .tunes = true});
    // Each lawful one seven times, then the convolution that was asked for.
    std::vector<int> expected;
    for (const int engine : {by_rule, fastest, fallback}) expected.insert(expected.end(), 7, engine);
    expected.push_back(fastest);
    CHECK(tuned.engines == expected);

    const cuda::PlanTable table = cuda::PlanTable::read(path);
    CHECK(table.size() == 1);
    CHECK(table.find("cudnn 9.19 compute 9.0: forward f32>f32 += 0 x 2 6 5 24 w 4 5 3 24 y 2 6 5 4 stride 1 1 "
                     "padding 2 1") == fastest);

    const Outcome read = convolve({.plans = path});
    CHECK(read.engines == std::vector{fastest});
    CHECK(read.numbers == tuned.numbers);
    CHECK(convolve().numbers != tuned.numbers);
    CHECK(convolve({.plans = path, .tunes = true}).engines == expected);  // timed again, whatever the table says
    CHECK(convolve({.tf32 = true, .plans = path}).engines == std::vector{tf32});  // another key
    CHECK(simt::tally().faults.empty());
}

TEST_CASE("a table of another version of the library, or with a choice that is not lawful, leaves it to the rule") {
    const bkd_test::TemporaryFolder folder;
    const std::string path = (folder / "plans.txt").string();
    convolve({.plans = path, .tunes = true});
    simt::cudnn_version() = 92000;
    CHECK(convolve({.plans = path}).engines == std::vector{by_rule});
    simt::cudnn_version() = 91900;
    CHECK(convolve({.plans = path}).engines == std::vector{fastest});

    const std::string text = folder.text(path), line = text.substr(0, text.rfind(": "));
    for (const char* rank : {": 0\n", ": 2\n", ": 6\n", ": 7\n", ": 9\n", ": 99\n"}) {
        CAPTURE(rank);
        folder.write("plans.txt", line + rank);
        CHECK(convolve({.plans = path}).engines == std::vector{by_rule});
    }
}

TEST_CASE("convolutions that differ in padding or stride alone have plans of their own") {
    const Opened opened;
    const Shape x{1, 4, 4, 2}, w{3, 1, 1, 2};
    for (const ConvolutionGeometry& geometry :
         {ConvolutionGeometry{.stride = {3, 3}}, ConvolutionGeometry{.stride = {3, 3}, .padding = {1, 0}},
          ConvolutionGeometry{.stride = {3, 3}, .padding = {0, 1}}, ConvolutionGeometry{.stride = {2, 3}},
          ConvolutionGeometry{.stride = {3, 2}}}) {
        CHECK(convolution_shape(x, w, geometry) == Shape{1, 2, 2, 3});
        CHECK(opened.convolve(x, w, geometry).numbers == Opened().convolve(x, w, geometry).numbers);
    }
}

TEST_CASE("a tensor without elements, which cuDNN does not know, is left to the kernel of our own") {
    const Opened opened;
    const Outcome no_pixels = opened.convolve({2, 0, 3, 2}, {3, 1, 1, 2}, {.padding = {1, 0}});
    CHECK(no_pixels.numbers == std::vector<float>(36));
    CHECK(no_pixels.engines.empty());
    const Outcome no_taps = opened.convolve({2, 1, 3, 2}, {3, 0, 1, 2}, {});
    CHECK(no_taps.numbers == std::vector<float>(36));
    CHECK(no_taps.engines.empty());
    CHECK(simt::tally().faults.empty());
}

TEST_CASE("a table that cannot be read or written stops the backend with its message") {
    const bkd_test::TemporaryFolder folder;
    folder.write("plans.txt", "forward: first\n");
    CHECK(bkd_test::id_of([&] { convolve({.plans = (folder / "plans.txt").string()}); }) == "E0404");
    CHECK(bkd_test::id_of([&] { convolve({.plans = (folder / "no" / "plans.txt").string(), .tunes = true}); }) ==
          "E0601");
}

TEST_CASE("no descriptor and no handle of the libraries is left when the backend is gone") {
    const std::size_t blocks = simt::tally().live_blocks, handles = simt::tally().live_handles;
    convolve();
    multiply({});
    CHECK(simt::tally().live_blocks == blocks);
    CHECK(simt::tally().live_handles == handles);
}
