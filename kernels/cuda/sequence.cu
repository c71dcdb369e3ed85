// Maximum over time on a device. Contract: kernels/sequence.h
#include "kernels/sequence.h"

#include "kernels/cuda/launch.cuh"

namespace bkd::kernels::cuda {
namespace {

// Formula   y[b,k] = max over l of x[b,l,k], index[b,k] the first l that has it; the first NaN wins over all
// Shapes    x [b, l, k] f32 bf16; y [b, k], index [b, k] i32
// Mapping   a thread a vector of k, walking down l; neighbours read neighbouring memory
// Bytes     x once, y and index written
template <int width, class T>
__global__ void __launch_bounds__(128) max_over_time(const T* x, T* y, std::int32_t* index, Divider row,
                                                     std::int64_t vectors, std::int64_t length, std::int64_t k) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [batch, column] = row(static_cast<std::uint32_t>(at));
    const T* from = x + batch * length * k + std::int64_t{column} * width;
    Vec<T, width> best = load<width>(from);
    Vec<std::int32_t, width> best_at{};
    for (std::int64_t l = 1; l < length; ++l) {
        const Vec<T, width> next = load<width>(from + l * k);
#pragma unroll
        for (int i = 0; i < width; ++i) {
            const float value = to_float(next.at[i]), top = to_float(best.at[i]);
            if (!(value > top || (isnan(value) && !isnan(top)))) continue;
            best.at[i] = next.at[i];
            best_at.at[i] = static_cast<std::int32_t>(l);
        }
    }
    store(y + at * width, best);
    for (int i = 0; i < width; ++i) index[at * width + i] = best_at.at[i];
}

// Formula   dx[b,l,k] = dy[b,k] where l = index[b,k], else 0 [+ dx]
// Shapes    dy [b, k], dx [b, l, k] f32 bf16; index [b, k] i32
// Mapping   a thread a vector of dx
// Bytes     dx written, and read if added to; dy and index are read l times, from the cache after the first
template <int width, class T>
__global__ void __launch_bounds__(256)
    max_over_time_backward(const T* dy, const std::int32_t* index, T* dx, Divider row, Divider steps,
                           std::int64_t vectors, std::int64_t length, std::int64_t k, bool add, StreamState* state) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [line, column] = row(static_cast<std::uint32_t>(at));
    const auto [batch, l] = steps(line);
    const std::int64_t from = batch * k + std::int64_t{column} * width;
    const Floats<width> upstream = load_floats<width>(dy + from);
    Floats<width> values;
#pragma unroll
    for (int i = 0; i < width; ++i) {
        const std::int64_t winner = checked_index(state, Indexed::maximum, index[from + i], length, from + i);
        values.at[i] = winner == l ? upstream.at[i] : 0.0f;
    }
    store_floats(dx + at * width, values, add);
}

}

void Sequence::max_over_time_forward(Stream& stream, const MaxOverTimeForward& args) const {
    const std::int64_t length = args.x.dim(1), k = args.x.dim(2), count = args.y.count();
    auto* index = elements<std::int32_t>(args.index);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto* x = elements<T>(args.x);
        auto* y = elements<T>(args.y);
        widest<T>(
            k,
            [&]<int width>(Width<width>) {
                launch(stream, max_over_time<width, T>, blocks_for(count / width, 128), 128, x, y, index,
                       Divider(k / width, count / width), count / width, length, k);
            },
            x, y);
    });
}

void Sequence::max_over_time_backward(Stream& stream, const MaxOverTimeBackward& args) const {
    const Shape& x = args.dx.view.shape;
    const std::int64_t length = x[1], k = x[2], count = x.count();
    const auto* index = elements<std::int32_t>(args.index);
    with_storage(args.dy.dtype, [&]<class T>(T) {
        const auto* dy = elements<T>(args.dy);
        auto* dx = elements<T>(args.dx);
        widest<T>(
            k,
            [&]<int width>(Width<width>) {
                launch(stream, cuda::max_over_time_backward<width, T>, blocks_for(count / width, 256), 256, dy, index,
                       dx, Divider(k / width, count / width), Divider(length, x[0] * length), count / width, length, k,
                       args.dx.accumulate, cuda_stream(stream).state);
            },
            dy, dx);
    });
}

}
