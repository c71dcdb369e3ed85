#pragma once
// y_i = f(x_i, ...) [+ y_i] over whole tensors: the kernel behind every op that works element by element.
#include "kernels/cuda/launch.cuh"

namespace bkd::kernels::cuda {

// f(x.at[0]...) and so on; arguments are widened to f32, the result is rounded once.
template <int width, class F, class Y, class... X>
__device__ void map_vector(const F& f, bool accumulate, Y* y, const Vec<X, width>&... x) {
    Floats<width> values;
#pragma unroll
    for (int k = 0; k < width; ++k) values.at[k] = f(to_float(x.at[k])...);
    store_floats(y, values, accumulate);
}

// Formula   y_i = f(x_i, ...) [+ y_i]
// Shapes    y [count] f32 bf16, each x [count] f32 bf16 u8
// Mapping   a thread a vector of 16 bytes; the threads after the last whole vector take one element each
// Bytes     each operand once, y twice if added to. A full grid keeps 2048 threads x 16 bytes an operand in flight on a
//           multiprocessor, above the 25 KB that 4.3 TB/s times 0.75 us come to: a thread need not hold several vectors
template <int width, class F, class Y, class... X>
__global__ void __launch_bounds__(256) map_kernel(F f, std::int64_t count, bool accumulate, Y* y, const X*... x) {
    const std::int64_t at = global_thread(), vectors = count / width;
    if (at < vectors) {
        const std::int64_t i = at * width;
        map_vector<width>(f, accumulate, y + i, load<width>(x + i)...);
    } else if (const std::int64_t i = vectors * width + (at - vectors); i < count) {
        map_vector<1>(f, accumulate, y + i, load<1>(x + i)...);
    }
}

// y may be any of the x: every thread reads its elements before it writes them.
template <class F, class Y, class... X>
void map(Stream& stream, std::int64_t count, bool accumulate, const F& f, Y* y, const X*... x) {
    constexpr int width = full_width<Y>, threads = 256;
    const bool is_wide = are_aligned(16, y) && (are_aligned(sizeof(X) * width, x) && ...);
    if (is_wide)
        launch(stream, map_kernel<width, F, Y, X...>, blocks_for(count / width + count % width, threads), threads, f,
               count, accumulate, y, x...);
    else
        launch(stream, map_kernel<1, F, Y, X...>, blocks_for(count, threads), threads, f, count, accumulate, y, x...);
}

}
