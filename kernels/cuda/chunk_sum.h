#pragma once
// Sums over chunks that are still to be added up, by the launch that made the chunks, a launch of their own, or one
// that does something else and carries them along.
#include "kernels/stream.h"

namespace bkd::kernels::cuda {

// y[i] = factor sum_j partial[j, i] [+ y[i]], j in 0..chunks - 1, i in 0..count - 1.
template <class T>
struct ChunkSum {
    static constexpr int columns = 32;  // that a block adds
    const float* partial = nullptr;
    int chunks = 0;
    std::int64_t count = 0;
    T* y = nullptr;
    float factor = 1;
    bool accumulate = false;

    std::int64_t blocks() const { return (count + columns - 1) / columns; }
};

// In a launch of its own.
template <class T>
void sum_chunks(Stream& stream, const ChunkSum<T>& of);

// A sum that is put off: by the next launch that has room for it, or before anything else touches y (CudaStream).
struct DeferredSum {
    DeferredSum(Stream& stream, int chunks, const Out& y)
        : partial(stream, static_cast<std::size_t>(chunks * y.view.bytes())),
          sum{partial.as<float>(), chunks, y.view.count(), y.view.as<float>(), 1, y.accumulate} {}
    Scratch partial;
    ChunkSum<float> sum;
};

}
