// Convolutions on a device. Contract: kernels/convolution.h. Those of small networks are our own (convolution_tile.h,
// convolution_weight.h), the rest cuDNN's where it has a plan (library.h); the kernels here are what runs where there
// is neither: plain sums in a fixed order, correct for every geometry, not made for speed.
#include "kernels/convolution.h"

#include "kernels/cuda/convolution_tile.h"
#include "kernels/cuda/convolution_weight.h"
#include "kernels/cuda/library.h"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/elementwise.h"

namespace bkd::kernels::cuda {
namespace {

struct Geometry {
    std::int64_t n, h, w, c, k, r, s, p, q, c_per_group, k_per_group;
    std::int64_t stride_h, stride_w, padding_h, padding_w;

    Geometry(const Shape& x, const Shape& filter, const Shape& y, const ConvolutionGeometry& g)
        : n(x[0]),
          h(x[1]),
          w(x[2]),
          c(x[3]),
          k(filter[0]),
          r(filter[1]),
          s(filter[2]),
          p(y[1]),
          q(y[2]),
          c_per_group(filter[3]),
          k_per_group(filter[0] / g.groups),
          stride_h(g.stride[0]),
          stride_w(g.stride[1]),
          padding_h(g.padding[0]),
          padding_w(g.padding[1]) {}
};

// Formula   y[n,p,q,k] = b[k] + sum_{r,s,c} x[n, p sh - ph + r, q sw - pw + s, group c] w[k,r,s,c]
// Shapes    x [n, h, w, c], w [k, r, s, c / groups], y [n, p, q, k] f32 bf16; b [k] f32 or null
// Mapping   a thread an element of y
// Bytes     r s c / groups numbers of x and as many of w an element of y, without taps in the padding: from the caches
//           where neighbours have read them; y written
template <class T>
__global__ void __launch_bounds__(256)
    direct_forward(const T* x, const T* filter, const float* bias, T* y, Geometry g) {
    const std::int64_t at = global_thread();
    if (at >= g.n * g.p * g.q * g.k) return;
    const std::int64_t k = at % g.k, q = at / g.k % g.q, p = at / g.k / g.q % g.p, n = at / g.k / g.q / g.p;
    const std::int64_t first_channel = k / g.k_per_group * g.c_per_group;
    float sum = 0;
    for (std::int64_t r = 0; r < g.r; ++r)
        for (std::int64_t s = 0; s < g.s; ++s) {
            const std::int64_t i = p * g.stride_h - g.padding_h + r, j = q * g.stride_w - g.padding_w + s;
            if (i < 0 || i >= g.h || j < 0 || j >= g.w) continue;
            const T* pixel = x + ((n * g.h + i) * g.w + j) * g.c + first_channel;
            const T* tap = filter + ((k * g.r + r) * g.s + s) * g.c_per_group;
            for (std::int64_t c = 0; c < g.c_per_group; ++c) sum = fmaf(to_float(pixel[c]), to_float(tap[c]), sum);
        }
    y[at] = from_float<T>(bias == nullptr ? sum : sum + bias[k]);
}

// Formula   dx[n,h,w,c] = sum over the (p, q, k, r, s) that read x[n,h,w,c] of dy[n,p,q,k] w[k,r,s,c] [+ dx]
// Shapes    dy [n, p, q, k], w [k, r, s, c / groups], dx [n, h, w, c] f32 bf16
// Mapping   a thread an element of dx
// Bytes     k / groups numbers of dy and as many of w for every (p, q, r, s) of an element of dx, r s / (sh sw) of them
//           away from edges: from the caches where neighbours have read them; dx written, and read if added to
template <class T>
__global__ void __launch_bounds__(256) direct_data(const T* dy, const T* filter, T* dx, Geometry g, bool accumulate) {
    const std::int64_t at = global_thread();
    if (at >= g.n * g.h * g.w * g.c) return;
    const std::int64_t c = at % g.c, w = at / g.c % g.w, h = at / g.c / g.w % g.h, n = at / g.c / g.w / g.h;
    const std::int64_t group = c / g.c_per_group, in_group = c - group * g.c_per_group;
    float sum = 0;
    for (std::int64_t r = 0; r < g.r; ++r)
        for (std::int64_t s = 0; s < g.s; ++s) {
            const std::int64_t i = h + g.padding_h - r, j = w + g.padding_w - s;
            if (i < 0 || j < 0 || i % g.stride_h != 0 || j % g.stride_w != 0) continue;
            const std::int64_t p = i / g.stride_h, q = j / g.stride_w;
            if (p >= g.p || q >= g.q) continue;
            const T* upstream = dy + ((n * g.p + p) * g.q + q) * g.k;
            for (std::int64_t k = group * g.k_per_group; k < (group + 1) * g.k_per_group; ++k)
                sum = fmaf(to_float(upstream[k]),
                           to_float(filter[((k * g.r + r) * g.s + s) * g.c_per_group + in_group]), sum);
        }
    dx[at] = from_float<T>(accumulate ? to_float(dx[at]) + sum : sum);
}

// Formula   dw[k,r,s,c] = sum_{n,p,q} dy[n,p,q,k] x[n, p sh - ph + r, q sw - pw + s, c] [+ dw]
// Shapes    x [n, h, w, c], dy [n, p, q, k] f32 bf16; dw [k, r, s, c / groups] f32
// Mapping   a warp an element of dw, its lanes output pixels
// Bytes     n p q numbers of dy and as many of x an element of dw, without pixels whose tap is in the padding, k and c
//           numbers apart: from the caches where other warps have read their lines; dw written, and read if added to
template <class T>
__global__ void __launch_bounds__(256) direct_weight(const T* x, const T* dy, float* dw, Geometry g, bool accumulate) {
    const std::int64_t at = global_thread() / warp_size;
    if (at >= g.k * g.r * g.s * g.c_per_group) return;
    const std::int64_t in_group = at % g.c_per_group, s = at / g.c_per_group % g.s, r = at / g.c_per_group / g.s % g.r,
                       k = at / g.c_per_group / g.s / g.r, c = k / g.k_per_group * g.c_per_group + in_group;
    float sum = 0;
    for (std::int64_t pixel = threadIdx.x % warp_size; pixel < g.n * g.p * g.q; pixel += warp_size) {
        const std::int64_t q = pixel % g.q, p = pixel / g.q % g.p, n = pixel / g.q / g.p;
        const std::int64_t i = p * g.stride_h - g.padding_h + r, j = q * g.stride_w - g.padding_w + s;
        if (i < 0 || i >= g.h || j < 0 || j >= g.w) continue;
        sum = fmaf(to_float(dy[pixel * g.k + k]), to_float(x[((n * g.h + i) * g.w + j) * g.c + c]), sum);
    }
    sum = warp_all<SumOf>(sum);
    if (threadIdx.x % warp_size == 0) dw[at] = accumulate ? dw[at] + sum : sum;
}

struct Rounded {
    __device__ float operator()(float x) const { return x; }
};

}

void Convolution::conv2d_forward(Stream& stream, const Conv2dForward& args) const {
    const std::int64_t count = args.y.count();
    if (count == 0) return;
    if (tiled_forward(stream, args, allows_tf32(cuda_stream(stream)))) return;
    ConvolutionCall call = forward_call(args);
    const bool is_wide = call.result != args.y.dtype;
    const Scratch memory(stream, is_wide ? static_cast<std::size_t>(count) * sizeof(float) : 0);
    const View y = is_wide ? View{memory.as<void>(), args.y.shape, DType::f32, stream.device} : args.y;
    call.out = y.data;
    if (library_convolution(cuda_stream(stream), call)) {
        if (args.bias) Elementwise().bias_add(stream, {.x = y, .bias = args.bias, .y = y});
        if (is_wide) Elementwise().cast(stream, {.x = y, .y = args.y});
        return;
    }
    with_storage(args.x.dtype, [&]<class T>(T) {
        launch(stream, direct_forward<T>, blocks_for(count, 256), 256, elements<T>(args.x), elements<T>(args.w),
               elements<float>(args.bias), elements<T>(args.y),
               Geometry(args.x.shape, args.w.shape, args.y.shape, args.geometry));
    });
}

namespace {

void write_data_gradient(Stream& stream, const Conv2dBackward& args) {
    const View& dx = args.dx.view;
    if (dx.count() == 0) return;
    if (tiled_data_gradient(stream, args, allows_tf32(cuda_stream(stream)))) return;
    ConvolutionCall call = data_call(args);
    const bool is_wide = call.result != dx.dtype;
    const Scratch memory(stream, is_wide ? static_cast<std::size_t>(dx.count()) * sizeof(float) : 0);
    if (is_wide) call.out = memory.as<void>();
    if (library_convolution(cuda_stream(stream), call)) {
        if (is_wide)
            map(stream, dx.count(), true, Rounded{}, elements<Bf16>(dx), static_cast<const float*>(memory.as<float>()));
        return;
    }
    with_storage(args.dy.dtype, [&]<class T>(T) {
        launch(stream, direct_data<T>, blocks_for(dx.count(), 256), 256, elements<T>(args.dy), elements<T>(args.w),
               elements<T>(args.dx), Geometry(dx.shape, args.w.shape, args.dy.shape, args.geometry),
               args.dx.accumulate);
    });
}

void write_weight_gradient(Stream& stream, const Conv2dBackward& args) {
    const View& dw = args.dw.view;
    if (dw.count() == 0) return;
    if (tiled_weight_gradient(stream, args, allows_tf32(cuda_stream(stream)))) return;
    if (library_convolution(cuda_stream(stream), weight_call(args))) return;
    with_storage(args.x.dtype, [&]<class T>(T) {
        launch(stream, direct_weight<T>, blocks_for(dw.count() * warp_size, 256), 256, elements<T>(args.x),
               elements<T>(args.dy), elements<float>(args.dw),
               Geometry(args.x.shape, dw.shape, args.dy.shape, args.geometry), args.dw.accumulate);
    });
}

}

void Convolution::conv2d_backward(Stream& stream, const Conv2dBackward& args) const {
    if (args.dw) write_weight_gradient(stream, args);
    if (args.dx) write_data_gradient(stream, args);
}

}
