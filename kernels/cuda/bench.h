#pragma once
// Times ops on a device at shapes that do not fit its caches: bench.cpp. Bytes are counted by hand from each kernel's
// comment, not from its arguments: batch normalisation reads x twice, and both times count.
#include "kernels/backend.h"

#include <functional>
#include <vector>

namespace bkd::kernels {

// Memory of a benchmark, given back together.
class Bench {
public:
    Bench(Backend& backend, Stream& stream) : backend_(backend), stream_(stream) {}
    ~Bench() { clear(); }
    Bench(const Bench&) = delete;

    View numbers(const Shape& shape, DType dtype);  // uniform in [-1, 1)
    View bytes(const Shape& shape);                 // 0 or 1
    View integers(const Shape& shape, const std::vector<std::int32_t>& values);
    View integers_below(const Shape& shape, std::int64_t limit);
    void clear();

    // Median over 15 runs, each between two events.
    double microseconds(const std::function<void()>& launch);
    void time(const char* name, DType dtype, double bytes, const std::function<void()>& launch);
    void time_flops(const std::string& name, DType dtype, double flops, const std::function<void()>& launch);

    Backend& backend() { return backend_; }
    Stream& stream() { return stream_; }
    double copy_rate = 0;  // GB/s that others are compared with

private:
    View view(const Shape& shape, DType dtype);
    Backend& backend_;
    Stream& stream_;
    std::vector<Block> blocks_;
    std::uint32_t drawn_ = 0;
};

void run_benchmarks(Backend& backend);

}
