// Activations on a device. Contract: kernels/activation.h.
#include "kernels/activation.h"

#include "kernels/cuda/map.cuh"
#include "kernels/cuda/reduce.cuh"

namespace bkd::kernels::cuda {
namespace {

// max(x, 0) that keeps a NaN: fmaxf would lose it.
struct Relu {
    __device__ float operator()(float x) const { return x <= 0 ? 0.0f : x; }
};
struct ReluSlope {
    __device__ float operator()(float dy, float y) const { return y <= 0 ? 0.0f : dy; }
};
struct AddRelu {
    __device__ float operator()(float a, float b) const { return Relu{}(a + b); }
};

// Formula   da = db = dy, 0 where y <= 0, each = or +=; times `share`, 2 where one memory is both
// Shapes    dy, y, da, db [count] f32 bf16; da or db null: not wanted
// Mapping   a thread a vector, those behind the last whole one an element; both gradients in one pass
// Bytes     dy, y once; da, db written, and read if added to
template <int width, class T>
__global__ void __launch_bounds__(256) add_relu_backward_kernel(const T* dy, const T* y, T* da, T* db, bool add_a,
                                                                bool add_b, float share, std::int64_t count) {
    const std::int64_t at = global_thread(), vectors = count / width;
    const auto gradient = [&]<int n>(Width<n>, std::int64_t i) {
        const Floats<n> upstream = load_floats<n>(dy + i), output = load_floats<n>(y + i);
        Floats<n> g;
#pragma unroll
        for (int k = 0; k < n; ++k) g.at[k] = share * ReluSlope{}(upstream.at[k], output.at[k]);
        if (da != nullptr) store_floats(da + i, g, add_a);
        if (db != nullptr) store_floats(db + i, g, add_b);
    };
    if (at < vectors)
        gradient(Width<width>{}, at * width);
    else if (const std::int64_t i = vectors * width + (at - vectors); i < count)
        gradient(Width<1>{}, i);
}

// Formula   y = softmax(x / T), or its logarithm
// Shapes    x, y [n, c] f32 bf16, y also f32 of bf16 x
// Mapping   a warp a row up to 1024 columns, above it a block; the row is read three times, from memory once and then
//           from the first cache, where eight rows of 1024 need 32 KB
// Bytes     x, y once
template <bool is_log, int threads, class T, class Y>
__global__ void __launch_bounds__(256) softmax_kernel(const T* x, Y* y, std::int64_t rows, int c, float temperature) {
    using Row = Team<threads>;
    const std::int64_t row = global_thread() / threads;
    if (row >= rows) return;  // whole teams leave
    x += row * c;
    y += row * c;
    const float inverse = 1 / temperature;
    float top = -INFINITY, sum = 0;
    for (int i = Row::lane(); i < c; i += threads) top = fmaxf(top, to_float(x[i]) * inverse);
    top = Row::template all<MaxOf>(top);
    for (int i = Row::lane(); i < c; i += threads) sum += expf(to_float(x[i]) * inverse - top);
    sum = Row::template all<SumOf>(sum);
    const float log_sum = logf(sum), share = 1 / sum;
    for (int i = Row::lane(); i < c; i += threads) {
        const float u = to_float(x[i]) * inverse - top;
        y[i] = from_float<Y>(is_log ? u - log_sum : expf(u) * share);
    }
}

// Formula   softmax: dx = y (dy - sum_c dy y) / T          log-softmax: dx = (dy - exp(y) sum_c dy) / T    [+ dx]
// Shapes    dy, y, dx [n, c] f32 bf16, y also f32 beside bf16
// Mapping   as the forward; a row of dy and y is read twice, the second time from the first cache
// Bytes     dy, y once; dx written, and read if added to
template <bool is_log, int threads, class T, class Y>
__global__ void __launch_bounds__(256)
    softmax_backward_kernel(const T* dy, const Y* y, T* dx, std::int64_t rows, int c, float temperature, bool add) {
    using Row = Team<threads>;
    const std::int64_t row = global_thread() / threads;
    if (row >= rows) return;
    dy += row * c;
    y += row * c;
    dx += row * c;
    float sum = 0;
    for (int i = Row::lane(); i < c; i += threads) sum += is_log ? to_float(dy[i]) : to_float(dy[i]) * to_float(y[i]);
    sum = Row::template all<SumOf>(sum);
    for (int i = Row::lane(); i < c; i += threads) {
        const float g = to_float(dy[i]), p = to_float(y[i]);
        const float d = (is_log ? g - expf(p) * sum : p * (g - sum)) / temperature;
        dx[i] = from_float<T>(add ? to_float(dx[i]) + d : d);
    }
}

constexpr int row_threads = 256;
constexpr std::int64_t widest_warp_row = 1024;

template <bool is_log, class Args>
void forward(Stream& stream, const Args& args) {
    const std::int64_t c = args.x.dim(-1), rows = args.x.count() / c;
    with_storage(args.x.dtype, [&]<class T>(T) {
        with_storage(args.y.dtype, [&]<class Y>(Y) {
            const auto run = [&]<int threads>(Team<threads>) {
                launch(stream, softmax_kernel<is_log, threads, T, Y>, blocks_for(rows * threads, row_threads),
                       row_threads, elements<T>(args.x), elements<Y>(args.y), rows, c, args.temperature);
            };
            c <= widest_warp_row ? run(Team<warp_size>{}) : run(Team<row_threads>{});
        });
    });
}

template <bool is_log, class Args>
void backward(Stream& stream, const Args& args) {
    const std::int64_t c = args.y.dim(-1), rows = args.y.count() / c;
    with_storage(args.dy.dtype, [&]<class T>(T) {
        with_storage(args.y.dtype, [&]<class Y>(Y) {
            const auto run = [&]<int threads>(Team<threads>) {
                launch(stream, softmax_backward_kernel<is_log, threads, T, Y>, blocks_for(rows * threads, row_threads),
                       row_threads, elements<T>(args.dy), elements<Y>(args.y), elements<T>(args.dx), rows, c,
                       args.temperature, args.dx.accumulate);
            };
            c <= widest_warp_row ? run(Team<warp_size>{}) : run(Team<row_threads>{});
        });
    });
}

}

void Activation::relu_forward(Stream& stream, const ReluForward& args) const {
    with_storage(args.x.dtype, [&]<class T>(T) {
        map(stream, args.x.count(), false, Relu{}, elements<T>(args.y), elements<T>(args.x));
    });
}

void Activation::relu_backward(Stream& stream, const ReluBackward& args) const {
    with_storage(args.y.dtype, [&]<class T>(T) {
        map(stream, args.y.count(), args.dx.accumulate, ReluSlope{}, elements<T>(args.dx), elements<T>(args.dy),
            elements<T>(args.y));
    });
}

void Activation::add_relu_forward(Stream& stream, const AddReluForward& args) const {
    with_storage(args.a.dtype, [&]<class T>(T) {
        map(stream, args.a.count(), false, AddRelu{}, elements<T>(args.y), elements<T>(args.a), elements<T>(args.b));
    });
}

void Activation::add_relu_backward(Stream& stream, const AddReluBackward& args) const {
    const bool is_same = args.da && args.da.view.data == args.db.view.data;
    const std::int64_t count = args.y.count();
    with_storage(args.y.dtype, [&]<class T>(T) {
        const auto *dy = elements<T>(args.dy), *y = elements<T>(args.y);
        auto *da = elements<T>(args.da), *db = is_same ? nullptr : elements<T>(args.db);
        widest<T>(
            full_width<T>,
            [&]<int width>(Width<width>) {
                launch(stream, add_relu_backward_kernel<width, T>, blocks_for(count / width + count % width, 256), 256,
                       dy, y, da, db, args.da.accumulate, args.db.accumulate, is_same ? 2 : 1, count);
            },
            dy, y, da, db);
    });
}

void Activation::softmax_forward(Stream& stream, const SoftmaxForward& args) const { forward<false>(stream, args); }
void Activation::softmax_backward(Stream& stream, const SoftmaxBackward& args) const { backward<false>(stream, args); }
void Activation::log_softmax_forward(Stream& stream, const LogSoftmaxForward& args) const {
    forward<true>(stream, args);
}
void Activation::log_softmax_backward(Stream& stream, const LogSoftmaxBackward& args) const {
    backward<true>(stream, args);
}

}
