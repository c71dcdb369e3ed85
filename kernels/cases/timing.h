#pragma once
// How long one call of an op takes, and the two ceilings it is held against: what this machine copies and multiplies a
// second, measured in the same run.
#include "kernels/backend.h"

#include <functional>
#include <string>

namespace bkd::kernels {

struct TimingOptions {
    double seconds = 1;  // of samples
    int fewest_samples = 20, most_samples = 1000;
    double warm_seconds = 0.2;
};

struct CaseTiming {
    std::string id;
    double median_ns = 0, quartile_range_ns = 0, min_ns = 0;  // of one call
    std::int64_t samples = 0;
    double flops = 0;                                // of one call, as far as the op counts them
    std::int64_t bytes_read = 0, bytes_written = 0;  // each tensor once
    double bytes() const { return static_cast<double>(bytes_read + bytes_written); }
    double gigaflops() const { return flops / median_ns; }
    double gigabytes_per_second() const { return bytes() / median_ns; }
};

// Calls `launch` after at least three calls to warm up; a sample is a millisecond at least.
CaseTiming time_calls(Stream& stream, const std::function<void()>& launch, const TimingOptions& options);

struct Ceilings {
    double gigaflops = 0;             // of a product of two 1024 x 1024 matrices
    double gigabytes_per_second = 0;  // of a copy of 64 MiB: each byte is read and written
    // The least time that flops and bytes could take, over the time they took. Above 1 where they stay in a cache.
    double share(const CaseTiming& timing) const;
};
Ceilings measured_ceilings(Backend& backend, DType dtype, const TimingOptions& options = {});

}
