#include "kernels/cases/timing.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace bkd::kernels {
namespace {

class WorkCounter final : public LaunchObserver {
public:
    explicit WorkCounter(CaseTiming& timing) : timing_(timing) {}
    void after(const Launch& launch) override {
        timing_.flops += launch.flops;
        timing_.bytes_read += launch.bytes_read;
        timing_.bytes_written += launch.bytes_written;
    }

private:
    CaseTiming& timing_;
};

double quantile(const std::vector<double>& sorted, double q) {
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
}

// Memory of a device for as long as it is measured, filled with zeros.
class Field {
public:
    Field(Backend& backend, Stream& stream, const Shape& shape, DType dtype)
        : memory_(stream, static_cast<std::size_t>(shape.count()) * size_of(dtype)),
          view_{memory_.as<void>(), shape, dtype, stream.device} {
        const std::vector<std::byte> zeros(static_cast<std::size_t>(view_.bytes()));
        backend.upload(stream, view_, zeros.data());
    }
    operator View() const { return view_; }

private:
    Scratch memory_;
    View view_;
};

}

CaseTiming time_calls(Stream& stream, const std::function<void()>& launch, const TimingOptions& options) {
    using Clock = std::chrono::steady_clock;
    const auto seconds_since = [](Clock::time_point start) {
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    CaseTiming timing;
    {
        WorkCounter counter(timing);
        stream.observer = &counter;
        launch();
        stream.observer = nullptr;
    }
    const auto run_once = [&](std::int64_t calls) {
        const auto start = Clock::now();
        for (std::int64_t i = 0; i < calls; ++i) launch();
        stream.synchronize();
        return seconds_since(start) / static_cast<double>(calls);
    };
    double fastest = std::min(run_once(1), run_once(1));
    for (const auto start = Clock::now(); seconds_since(start) < options.warm_seconds;)
        fastest = std::min(fastest, run_once(1));
    // The clock is read in tens of nanoseconds, ops may take less.
    const auto calls = std::max<std::int64_t>(1, static_cast<std::int64_t>(1e-3 / std::max(fastest, 1e-8)));
    std::vector<double> samples;
    for (const auto start = Clock::now();
         static_cast<int>(samples.size()) < options.fewest_samples ||
         (seconds_since(start) < options.seconds && static_cast<int>(samples.size()) < options.most_samples);)
        samples.push_back(run_once(calls) * 1e9);
    std::sort(samples.begin(), samples.end());
    timing.samples = static_cast<std::int64_t>(samples.size());
    timing.median_ns = quantile(samples, 0.5);
    timing.quartile_range_ns = quantile(samples, 0.75) - quantile(samples, 0.25);
    timing.min_ns = samples.front();
    return timing;
}

double Ceilings::share(const CaseTiming& timing) const {
    const double least_ns = std::max(timing.flops / gigaflops, timing.bytes() / gigabytes_per_second);
    return least_ns / timing.median_ns;
}

Ceilings measured_ceilings(Backend& backend, DType dtype, const TimingOptions& options) {
    const auto stream = backend.make_stream();
    const DType stored = dtype == DType::f32 ? backend.real : dtype;
    Ceilings ceilings;
    {
        const Shape matrix{1024, 1024};
        const Field a(backend, *stream, matrix, stored), b(backend, *stream, matrix, stored),
            out(backend, *stream, matrix, backend.real);
        const Matmul::On matmul{backend.matmul(), *stream};
        ceilings.gigaflops = time_calls(
                                 *stream, [&] { matmul.gemm({.a = View(a), .b = View(b), .out = View(out)}); }, options)
                                 .gigaflops();
    }
    constexpr std::int64_t numbers = std::int64_t{16} << 20;
    const Field x(backend, *stream, {numbers}, backend.real), y(backend, *stream, {numbers}, backend.real);
    const Elementwise::On elementwise{backend.elementwise(), *stream};
    ceilings.gigabytes_per_second = time_calls(
                                        *stream, [&] { elementwise.scale({.x = View(x), .y = View(y)}); }, options)
                                        .gigabytes_per_second();
    return ceilings;
}

}
