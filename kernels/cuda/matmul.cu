// Products of matrices and the cosine classifier on a device. Contract: kernels/matmul.h. Products are cuBLASLt's where
// it has a way (library.h); gemm_kernel is what runs where not, and the cosine classifier's, whose operands differ in
// type.
#include "kernels/matmul.h"

#include "kernels/cuda/library.h"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/reduce.cuh"

namespace bkd::kernels::cuda {
namespace {

constexpr int tile = 16;

struct Matrix {
    std::int64_t row_step, column_step, batch_step;
};
Matrix matrix(std::int64_t rows, std::int64_t columns, bool is_transposed) {
    return is_transposed ? Matrix{1, rows, rows * columns} : Matrix{columns, 1, rows * columns};
}

// Formula   out[m, n] = sum_k a[m, k] b[k, n] + bias[n] [+ out]
// Shapes    a, b of any strides; out [batch, m, n]
// Mapping   blockIdx.z the matrix, a block 16 x 16 of out, a thread an element; tiles of a and b in shared memory
// Bytes     m n k (1 / 16) numbers of each operand: for small classifiers, not for speed
template <class A, class B, class Y>
__global__ void __launch_bounds__(tile* tile)
    gemm_kernel(const A* a, Matrix of_a, const B* b, Matrix of_b, const float* bias, Y* out, std::int64_t m,
                std::int64_t n, std::int64_t k, bool accumulate) {
    BKD_SHARED(float, left, [tile][tile + 1]);
    BKD_SHARED(float, right, [tile][tile + 1]);
    const int row = static_cast<int>(threadIdx.x) / tile, column = static_cast<int>(threadIdx.x) % tile;
    const std::int64_t i = std::int64_t{blockIdx.y} * tile + row, j = std::int64_t{blockIdx.x} * tile + column;
    a += blockIdx.z * of_a.batch_step;
    b += blockIdx.z * of_b.batch_step;
    float sum = 0;
    for (std::int64_t first = 0; first < k; first += tile) {
        const std::int64_t left_k = first + column, right_k = first + row;
        left[row][column] = i < m && left_k < k ? to_float(a[i * of_a.row_step + left_k * of_a.column_step]) : 0.0f;
        right[row][column] = right_k < k && j < n ? to_float(b[right_k * of_b.row_step + j * of_b.column_step]) : 0.0f;
        __syncthreads();
#pragma unroll
        for (int l = 0; l < tile; ++l) sum = fmaf(left[row][l], right[l][column], sum);
        __syncthreads();
    }
    if (i >= m || j >= n) return;
    if (bias != nullptr) sum += bias[j];
    Y& to = out[(std::int64_t{blockIdx.z} * m + i) * n + j];
    to = from_float<Y>(accumulate ? to_float(to) + sum : sum);
}

template <class A, class B, class Y>
void own_product(Stream& stream, const A* a, bool transpose_a, const B* b, bool transpose_b, const float* bias, Y* out,
                 std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
    BKD_CHECK(batch <= 65535 && (m + tile - 1) / tile <= 65535, "a product of {} x {} x {}, {} times", m, n, k, batch);
    if (batch == 0 || m == 0) return;
    const dim3 grid(blocks_for(n, tile), blocks_for(m, tile), static_cast<unsigned>(batch));
    launch(stream, gemm_kernel<A, B, Y>, grid, tile * tile, a, matrix(m, k, transpose_a), b, matrix(k, n, transpose_b),
           bias, out, m, n, k, accumulate);
}

// Formula   norm[row] = max(|x_row|, 1e-12)
// Shapes    x [rows, d] f32 bf16; norm [rows] f32
// Mapping   a warp a row
// Bytes     x once, norm written
template <class T>
__global__ void __launch_bounds__(256) row_norms(const T* x, float* norm, std::int64_t rows, std::int64_t d) {
    const std::int64_t row = global_thread() / warp_size;
    if (row >= rows) return;
    float squares = 0;
    for (std::int64_t i = threadIdx.x % warp_size; i < d; i += warp_size) {
        const float value = to_float(x[row * d + i]);
        squares = fmaf(value, value, squares);
    }
    squares = warp_all<SumOf>(squares);
    const float root = sqrtf(squares);
    if (threadIdx.x % warp_size == 0) norm[row] = root < 1e-12f ? 1e-12f : root;  // NaN stays, which fmaxf drops
}

// Formula   y[n, o] = scale dot[n, o] / (x_norm[n] w_norm[o])
// Shapes    dot [n, o], x_norm [n], w_norm [o] f32; y [n, o] f32 bf16
// Mapping   a thread an element
// Bytes     dot once, y written; norms from the cache after the first
template <class T>
__global__ void __launch_bounds__(256) cosine_quotients(const float* dot, const float* x_norm, const float* w_norm,
                                                        T* y, Divider row, std::int64_t count, float scale) {
    const std::int64_t at = global_thread();
    if (at >= count) return;
    const auto [n, o] = row(static_cast<std::uint32_t>(at));
    y[at] = from_float<T>(scale * dot[at] / (x_norm[n] * w_norm[o]));
}

// Formula   along[n] = sum_o dy y;  product[n, o] = dy y, over_w[n, o] = dy / w_norm[o], over_x[n, o] = dy / x_norm[n]
// Shapes    dy, y [n, o] f32 bf16, y also f32 beside bf16; along, x_norm [n], w_norm [o], the other three [n, o] f32
// Mapping   a warp a row of y
// Bytes     dy, y once; product, over_w, over_x written; norms from the cache after the first
template <class T, class Y>
__global__ void __launch_bounds__(256)
    cosine_upstream(const T* dy, const Y* y, const float* x_norm, const float* w_norm, float* along, float* product,
                    float* over_w, float* over_x, std::int64_t rows, std::int64_t outputs) {
    const std::int64_t n = global_thread() / warp_size;
    if (n >= rows) return;
    float sum = 0;
    for (std::int64_t o = threadIdx.x % warp_size; o < outputs; o += warp_size) {
        const std::int64_t i = n * outputs + o;
        const float g = to_float(dy[i]), p = g * to_float(y[i]);
        sum += p;
        product[i] = p;
        over_w[i] = g / w_norm[o];
        over_x[i] = g / x_norm[n];
    }
    sum = warp_all<SumOf>(sum);
    if (threadIdx.x % warp_size == 0) along[n] = sum;
}

// Formula   dx[row, i] = (scale direction[row, i] - along[row] x[row, i] / norm[row]) / norm[row] [+ dx]
// Shapes    direction [rows, d], along, norm [rows] f32; x, dx [rows, d] f32 bf16, dx also f32 beside bf16. dw likewise
// Mapping   a thread an element
// Bytes     direction, x once; dx written, and read if added to; along, norm from the cache after the first of a row
template <class T, class Y>
__global__ void __launch_bounds__(256)
    cosine_gradient(const float* direction, const float* along, const T* x, const float* norm, Y* dx, Divider row,
                    std::int64_t count, float scale, bool accumulate) {
    const std::int64_t at = global_thread();
    if (at >= count) return;
    const std::uint32_t n = row(static_cast<std::uint32_t>(at)).quotient;
    const float value = (scale * direction[at] - along[n] * to_float(x[at]) / norm[n]) / norm[n];
    dx[at] = from_float<Y>(accumulate ? to_float(dx[at]) + value : value);
}

struct Rounded {
    __device__ float operator()(float x) const { return x; }
};

// cuBLASLt adds an f32 bias to f32 alone, and some of its kernels round a bf16 product before they add it to what is
// there: the product goes to f32 memory and is rounded once.
void gemm_with_narrow_result(Stream& stream, const Gemm& args) {
    const std::int64_t count = args.out.view.count();
    const Scratch wide(stream, static_cast<std::size_t>(count) * sizeof(float));
    Gemm product = args;
    product.out = View{wide.as<void>(), args.out.view.shape, DType::f32, stream.device};
    Matmul().gemm(stream, product);
    map(stream, count, args.out.accumulate, Rounded{}, elements<Bf16>(args.out),
        static_cast<const float*>(wide.as<float>()));
}

}

void Matmul::gemm(Stream& stream, const Gemm& args) const {
    const Shape& out = args.out.view.shape;
    const std::int64_t batch = out.product(0, out.rank() - 2), m = out[-2], n = out[-1];
    const std::int64_t k = args.a.dim(args.transpose_a ? -2 : -1);
    if (out.count() == 0) return;
    const auto* bias = elements<float>(args.bias);
    const Product product{
        args.a.data, args.b.data, bias, args.out.view.data, args.a.dtype,     args.out.view.dtype, batch,
        m,           n,           k,    args.transpose_a,   args.transpose_b, args.out.accumulate};
    if ((bias != nullptr || args.out.accumulate) && args.out.view.dtype == DType::bf16)
        return gemm_with_narrow_result(stream, args);
    if (library_product(cuda_stream(stream), product)) return;
    with_storage(args.a.dtype, [&]<class T>(T) {
        with_storage(args.out.view.dtype, [&]<class Y>(Y) {
            own_product(stream, elements<T>(args.a), args.transpose_a, elements<T>(args.b), args.transpose_b, bias,
                        elements<Y>(args.out), batch, m, n, k, args.out.accumulate);
        });
    });
}

void Matmul::cosine_linear_forward(Stream& stream, const CosineLinearForward& args) const {
    const std::int64_t samples = args.x.dim(0), outputs = args.w.dim(0), d = args.x.dim(1), count = args.y.count();
    const Scratch dot(stream, static_cast<std::size_t>(count) * sizeof(float));
    auto *x_norm = elements<float>(args.x_norm), *w_norm = elements<float>(args.w_norm);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto *x = elements<T>(args.x), *w = elements<T>(args.w);
        launch(stream, row_norms<T>, blocks_for(samples * warp_size, 256), 256, x, x_norm, samples, d);
        launch(stream, row_norms<T>, blocks_for(outputs * warp_size, 256), 256, w, w_norm, outputs, d);
        own_product(stream, x, false, w, true, nullptr, dot.as<float>(), 1, samples, outputs, d, false);
        with_storage(args.y.dtype, [&]<class Y>(Y) {
            launch(stream, cosine_quotients<Y>, blocks_for(count, 256), 256, dot.as<float>(), x_norm, w_norm,
                   elements<Y>(args.y), Divider(outputs, count), count, args.scale);
        });
    });
}

void Matmul::cosine_linear_backward(Stream& stream, const CosineLinearBackward& args) const {
    const std::int64_t samples = args.x.dim(0), outputs = args.w.dim(0), d = args.x.dim(1), count = args.y.count();
    const auto floats = [](std::int64_t n) { return static_cast<std::size_t>(n) * sizeof(float); };
    const Scratch upstream(stream, floats(3 * count)), along(stream, floats(samples + outputs)),
        direction(stream, floats(std::max(samples, outputs) * d));
    float *product = upstream.as<float>(), *over_w = product + count, *over_x = over_w + count;
    float *along_x = along.as<float>(), *along_w = along_x + samples, *towards = direction.as<float>();
    const auto *x_norm = elements<float>(args.x_norm), *w_norm = elements<float>(args.w_norm);
    const auto scale = static_cast<float>(args.scale);
    with_storage(args.x.dtype, [&]<class T>(T) {
        const auto *x = elements<T>(args.x), *w = elements<T>(args.w);
        auto* dx = elements<T>(args.dx);
        with_storage(args.y.dtype, [&]<class Y>(Y) {
            launch(stream, cosine_upstream<T, Y>, blocks_for(samples * warp_size, 256), 256, elements<T>(args.dy),
                   elements<Y>(args.y), x_norm, w_norm, along_x, product, over_w, over_x, samples, outputs);
        });
        if (dx != nullptr) {
            own_product(stream, over_w, false, w, false, nullptr, towards, 1, samples, d, outputs, false);
            launch(stream, cosine_gradient<T, T>, blocks_for(samples * d, 256), 256, towards, along_x, x, x_norm, dx,
                   Divider(d, samples * d), samples * d, scale, args.dx.accumulate);
        }
        if (args.dw) {
            sum_chunks(stream, ChunkSum<float>{product, static_cast<int>(samples), outputs, along_w});
            own_product(stream, over_x, true, x, false, nullptr, towards, 1, outputs, d, samples, false);
            with_storage(args.dw.view.dtype, [&]<class Y>(Y) {
                launch(stream, cosine_gradient<T, Y>, blocks_for(outputs * d, 256), 256, towards, along_w, w, w_norm,
                       elements<Y>(args.dw), Divider(d, outputs * d), outputs * d, scale, args.dw.accumulate);
            });
        }
    });
}

}
