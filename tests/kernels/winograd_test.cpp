// Convolutions that the CPU does by F(2 x 2, 3 x 3) (kernels/cpu/winograd.h) beside the direct ones of `reference`.
#include "kernels/backend.h"
#include "kernels/cpu/winograd_block.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace bkd::kernels {
namespace {

using Floats = std::vector<float>;

constexpr ConvolutionGeometry geometry{{1, 1}, {1, 1}, 1};
const Shape x_shape{3, 13, 15, 16}, w_shape{16, 3, 3, 16};

Floats made(const Shape& shape, std::uint32_t seed) {
    Floats values(static_cast<std::size_t>(shape.count()));
    for (float& value : values) {
        seed = seed * 1664525 + 1013904223;
        value = static_cast<float>(static_cast<std::int32_t>(seed)) * 0x1p-31f;
    }
    return values;
}

struct Problem {
    Floats x = made(x_shape, 1), w = made(w_shape, 2), dy = made(x_shape, 3), old_dx = made(x_shape, 4),
           old_dw = made(w_shape, 5);
};
struct Results {
    Floats y, dx, dw;  // the gradients added to the old ones
};

class Machine {
public:
    explicit Machine(const Device& device, const BackendOptions& options = {})
        : backend_(open_backend(device, options)) {}

    Results run(const Problem& p) {
        const View x = of(x_shape, p.x), w = of(w_shape, p.w), dy = of(x_shape, p.dy), y = of(x_shape, p.dy);
        const View dx = of(x_shape, p.old_dx), dw = of(w_shape, p.old_dw);
        backend_->convolution().conv2d_forward(*stream_, {.x = x, .w = w, .y = y, .geometry = geometry});
        backend_->convolution().conv2d_backward(
            *stream_, {.x = x, .w = w, .dy = dy, .dx = Out(dx, true), .dw = Out(dw, true), .geometry = geometry});
        return {read(y), read(dx), read(dw)};
    }

private:
    View of(const Shape& shape, const Floats& values) {
        const DType real = backend_->real;
        const std::size_t count = values.size();
        const View view{backend_->pool().take(count * sizeof(double)).data, shape, real, backend_->device};
        const std::vector<double> wide(values.begin(), values.end());
        backend_->upload(*stream_, view, real == DType::f32 ? static_cast<const void*>(values.data()) : wide.data());
        return view;
    }
    Floats read(const View& view) {
        const auto count = static_cast<std::size_t>(view.count());
        std::vector<double> wide(count);
        Floats values(count);
        const bool is_f32 = view.dtype == DType::f32;
        backend_->download(*stream_, view, is_f32 ? static_cast<void*>(values.data()) : wide.data());
        if (!is_f32) values.assign(wide.begin(), wide.end());
        return values;
    }

    std::unique_ptr<Backend> backend_;
    std::unique_ptr<Stream> stream_ = backend_->make_stream();
};

// Places where one alone is a number, or where numbers differ by more than `tolerance`, relative above 1.
int differences(const Floats& got, const Floats& want, double tolerance) {
    int count = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        const double g = static_cast<double>(got[i]), r = static_cast<double>(want[i]);
        if (!std::isfinite(r))
            count += std::isnan(r) ? !std::isnan(g) : g != r;
        else
            count += !(std::abs(g - r) <= tolerance * std::max(1.0, std::abs(r)));
    }
    return count;
}

int differences(const Results& got, const Results& want, double tolerance = 2e-5) {
    return differences(got.y, want.y, tolerance) + differences(got.dx, want.dx, tolerance) +
           differences(got.dw, want.dw, tolerance);
}

TEST_CASE("winograd: what is not finite or huge reaches the numbers that read it and no others") {
    Machine cpu({DeviceKind::cpu, 0}, {.threads = 2}), reference({DeviceKind::reference, 0});
    constexpr float infinity = std::numeric_limits<float>::infinity();
    CHECK(differences(cpu.run({}), reference.run({})) == 0);
    for (const float special : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity, 0x1p60f}) {
        CAPTURE(special);
        for (Floats Problem::*tensor : {&Problem::x, &Problem::w, &Problem::dy}) {
            Problem p;
            (p.*tensor)[(p.*tensor).size() / 2 + 5] = special;
            CHECK(differences(cpu.run(p), reference.run(p)) == 0);
            (p.*tensor)[0] = special;  // a corner, which the padding keeps from some taps
            CHECK(differences(cpu.run(p), reference.run(p)) == 0);
        }
    }
}

TEST_CASE("winograd: the same bits for any number of threads") {
    if (cpu::winograd_kernels() == nullptr) return;  // oneDNN's depend on it
    Machine one({DeviceKind::cpu, 0}, {.threads = 1}), three({DeviceKind::cpu, 0}, {.threads = 3});
    const Results a = one.run({}), b = three.run({});
    CHECK(a.y == b.y);
    CHECK(a.dx == b.dx);
    CHECK(a.dw == b.dw);
}

// What each kernel writes for 13 tiles of an image that they cross on all sides, 32 channels in and 48 out.
std::vector<Floats> blocks_of(const cpu::WinogradKernels& kernels) {
    constexpr std::int64_t tiles = 13, c = 32, k = 48, plane = cpu::plane_stride(tiles, k);
    const cpu::TileStrip strip{3, 24, c, -1, -1, tiles}, written{3, 24, k, 2, 0, tiles};
    const Floats image = made({3, 24, k}, 1), u = made({c, k}, 2);
    Floats v(16 * plane), d(16 * plane), m(tiles * k), sums = made({c, k}, 3), y = image;
    CHECK(kernels.transform_image(strip, image.data(), v.data(), plane));
    CHECK(kernels.transform_gradient(written, image.data(), d.data(), plane));
    kernels.multiply(v.data(), u.data(), tiles, c, k, m.data());
    kernels.add_products(v.data(), d.data(), tiles, c, k, sums.data());
    kernels.write_outputs(written, d.data(), plane, u.data(), true, y.data());
    return {v, d, y, m, sums};
}

TEST_CASE("winograd: each instruction set computes the same") {
    const cpu::WinogradKernels *wide = cpu::winograd_kernels(16), *narrow = cpu::winograd_kernels(8);
    if (wide == nullptr || narrow == nullptr) return;
    const std::vector<Floats> want = blocks_of(*wide), got = blocks_of(*narrow);
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(got[i] == want[i]);
}

}
}
