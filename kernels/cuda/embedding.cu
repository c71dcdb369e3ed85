// Rows of a table by token on a device. Contract: kernels/embedding.h
#include "kernels/embedding.h"

#include "kernels/cuda/launch.cuh"
#include "kernels/elementwise.h"

namespace bkd::kernels::cuda {
namespace {

// Formula   y[i] = w[token_i]
// Shapes    tokens [i] i32, w [v, d] f32 bf16, y [i, d] as w
// Mapping   a thread a vector of y
// Bytes     y written, its rows of w read
template <int width, class T>
__global__ void __launch_bounds__(256)
    gather_rows(const std::int32_t* tokens, const T* w, T* y, Divider row, std::int64_t vectors,
                std::int64_t vocabulary, std::int64_t d, StreamState* state) {
    const std::int64_t at = global_thread();
    if (at >= vectors) return;
    const auto [i, column] = row(static_cast<std::uint32_t>(at));
    const std::int64_t token = checked_index(state, Indexed::token, tokens[i], vocabulary, i);
    store(y + at * width, load<width>(w + token * d + std::int64_t{column} * width));
}

// Formula   dw[word] = sum of dy[i] over the i with token_i = word, in the order of i [+ dw]; 0 for padding
// Shapes    tokens [count] i32, dy [count, d] f32 bf16, dw [v, d] f32
// Mapping   a warp a word and 128 columns, four a lane. It looks at 32 tokens at a time, votes which are its own, and
//           adds their rows one after another: no atomics, the same bits every time, no sorting. by_token: a warp a
//           token instead, which leaves where the word has come earlier: for batches that hold few of many words
// Bytes     dw written, and read if added to or by_token; dy read once; tokens are read up to min(v, count) times for
//           every 128 columns, from the cache
template <bool by_token, class T>
__global__ void __launch_bounds__(256)
    gather_gradients(const std::int32_t* tokens, const T* dy, float* dw, std::int64_t count, std::int64_t vocabulary,
                     std::int64_t d, std::int64_t padding, bool add, StreamState* state) {
    constexpr int per_lane = 4;
    const std::int64_t warp = global_thread() / warp_size;
    if (warp >= (by_token ? count : vocabulary)) return;  // whole warps leave
    const std::int64_t word = by_token ? checked_index(state, Indexed::token, tokens[warp], vocabulary, warp) : warp;
    if (by_token && word == padding) return;
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    const std::int64_t first = std::int64_t{blockIdx.y} * (per_lane * warp_size) + lane;
    float sums[per_lane] = {};
    bool is_found = false;
    for (std::int64_t start = 0; start < count; start += warp_size) {
        const std::int64_t i = start + lane;
        const std::int64_t token = i < count ? tokens[i] : word + 1;
        if (!by_token && word == 0 && i < count) checked_index(state, Indexed::token, token, vocabulary, i);
        unsigned mine = __ballot_sync(all_lanes, i < count && token == word && word != padding);
        if (by_token && !is_found && mine != 0) {
            if (start + __ffs(static_cast<int>(mine)) - 1 < warp) return;
            is_found = true;
        }
        for (; mine != 0; mine &= mine - 1) {
            const T* from = dy + (start + __ffs(static_cast<int>(mine)) - 1) * d;
#pragma unroll
            for (int k = 0; k < per_lane; ++k)
                if (first + k * warp_size < d) sums[k] += to_float(from[first + k * warp_size]);
        }
    }
#pragma unroll
    for (int k = 0; k < per_lane; ++k) {
        const std::int64_t column = first + k * warp_size;
        if (column >= d) continue;
        float* to = dw + word * d + column;
        *to = add ? *to + sums[k] : sums[k];
    }
}

}

void Embedding::embedding_forward(Stream& stream, const EmbeddingForward& args) const {
    const std::int64_t vocabulary = args.w.dim(0), d = args.w.dim(1), count = args.y.count();
    const auto* tokens = elements<std::int32_t>(args.tokens);
    with_storage(args.w.dtype, [&]<class T>(T) {
        const auto* w = elements<T>(args.w);
        auto* y = elements<T>(args.y);
        widest<T>(
            d,
            [&]<int width>(Width<width>) {
                launch(stream, gather_rows<width, T>, blocks_for(count / width, 256), 256, tokens, w, y,
                       Divider(d / width, count / width), count / width, vocabulary, d, cuda_stream(stream).state);
            },
            w, y);
    });
}

void Embedding::embedding_backward(Stream& stream, const EmbeddingBackward& args) const {
    const std::int64_t vocabulary = args.dw.view.dim(0), d = args.dw.view.dim(1);
    const std::int64_t count = args.tokens.count();
    const bool by_token = count < vocabulary;
    const dim3 grid(blocks_for((by_token ? count : vocabulary) * warp_size, 256), blocks_for(d, 128));
    if (by_token && !args.dw.accumulate) Elementwise().fill(stream, {.y = args.dw.view});
    with_storage(args.dy.dtype, [&]<class T>(T) {
        launch(stream, by_token ? gather_gradients<true, T> : gather_gradients<false, T>, grid, 256,
               elements<std::int32_t>(args.tokens), elements<T>(args.dy), elements<float>(args.dw), count, vocabulary,
               d, args.padding_index, by_token || args.dw.accumulate, cuda_stream(stream).state);
    });
}

}
