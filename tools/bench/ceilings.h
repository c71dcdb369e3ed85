#pragma once
// What a machine reaches where nothing is in the way: what ops are held against.
#include "kernels/backend.h"

namespace bkd {

struct Ceilings {
    double copy_gbs = 0;        // GB/s, read and written
    double product_gflops = 0;  // GFLOP/s in f32
};

// The best of five copies of 128 MiB and products of matrices 1536 x 1536. Takes a quarter of a second and 256 MiB.
Ceilings measure_ceilings(Device device, const BackendOptions& options);

}
