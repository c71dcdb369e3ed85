// Rows of a table by token on the CPU. Contract: kernels/embedding.h. For the gradient the places of each token are
// listed by a counting sort, in the order of the text; then every row of the table belongs to one tile: no atomics, and
// the same sums for any number of threads.
#include "kernels/embedding.h"

#include "kernels/cpu/indices.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/runs.h"

namespace bkd::kernels::cpu {
namespace {

// place[start[t]] ... place[start[t + 1] - 1] are the places of token t in the text, rising. start [v + 1], place [n].
void list_places(const std::int32_t* tokens, std::int64_t n, std::int64_t v, std::int64_t* start, std::int64_t* place) {
    std::fill_n(start, v + 1, 0);
    for (std::int64_t i = 0; i < n; ++i) ++start[tokens[i]];
    std::int64_t end = 0;
    for (std::int64_t t = 0; t <= v; ++t) start[t] = end += start[t];
    for (std::int64_t i = n - 1; i >= 0; --i) place[--start[tokens[i]]] = i;
}

}

void Embedding::embedding_forward(Stream& stream, const EmbeddingForward& args) const {
    const std::int64_t n = args.tokens.count(), v = args.w.dim(0), d = args.w.dim(1);
    check_indices("tokens", args.tokens, v);
    const auto* tokens = args.tokens.as<std::int32_t>();
    const auto* w = args.w.as<float>();
    auto* y = args.y.as<float>();
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, d));
    parallel_for(cpu_stream(stream), n, tile, n * d, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        for (std::int64_t i = first; i < last; ++i) std::copy_n(w + tokens[i] * d, d, y + i * d);
    });
}

void Embedding::embedding_backward(Stream& stream, const EmbeddingBackward& args) const {
    const std::int64_t n = args.tokens.count(), v = args.dw.view.dim(0), d = args.dw.view.dim(1);
    check_indices("tokens", args.tokens, v);
    const auto* dy = args.dy.as<float>();
    auto* dw = args.dw.view.as<float>();
    const Scratch memory(stream, static_cast<std::size_t>(v + 1 + n) * sizeof(std::int64_t));
    std::int64_t *start = memory.as<std::int64_t>(), *place = start + v + 1;
    list_places(args.tokens.as<std::int32_t>(), n, v, start, place);

    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, d));
    parallel_for(cpu_stream(stream), v, tile, (v + n) * d, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        if (!args.dw.accumulate) std::fill_n(dw + first * d, (last - first) * d, 0.0f);
        for (std::int64_t token = first; token < last; ++token) {
            if (token == args.padding_index) continue;
            for (std::int64_t i = start[token]; i < start[token + 1]; ++i)
                add_run(dy + place[i] * d, dw + token * d, d);
        }
    });
}

}
