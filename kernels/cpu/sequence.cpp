// Texts as sequences on the CPU. Contract: kernels/sequence.h. Filters lie innermost, so the maximum of many is one
// vector.
#include "kernels/sequence.h"

#include "kernels/cpu/indices.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {
namespace {

// y = max(y, x) with the time l of x where x is larger; the first NaN stays.
BKD_SIMD void take_larger(const float* BKD_RESTRICT x, std::int32_t l, float* BKD_RESTRICT y,
                          std::int32_t* BKD_RESTRICT index, std::int64_t k) {
    for (std::int64_t i = 0; i < k; ++i) {
        const bool replaces = !(x[i] <= y[i]) && y[i] == y[i];
        index[i] = replaces ? l : index[i];
        y[i] = replaces ? x[i] : y[i];
    }
}

// Texts a tile of about element_tile numbers.
std::int64_t texts_a_tile(std::int64_t numbers) {
    return std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, numbers));
}

}

void Sequence::max_over_time_forward(Stream& stream, const MaxOverTimeForward& args) const {
    const std::int64_t b = args.x.dim(0), l = args.x.dim(1), k = args.x.dim(2);
    const auto* x = args.x.as<float>();
    auto* y = args.y.as<float>();
    auto* index = args.index.as<std::int32_t>();
    parallel_for(cpu_stream(stream), b, texts_a_tile(l * k), b * l * k,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t text = first; text < last; ++text) {
                         const float* row = x + text * l * k;
                         std::copy_n(row, k, y + text * k);
                         std::fill_n(index + text * k, k, 0);
                         for (std::int64_t time = 1; time < l; ++time)
                             take_larger(row + time * k, static_cast<std::int32_t>(time), y + text * k,
                                         index + text * k, k);
                     }
                 });
}

void Sequence::max_over_time_backward(Stream& stream, const MaxOverTimeBackward& args) const {
    const std::int64_t b = args.dx.view.dim(0), l = args.dx.view.dim(1), k = args.dx.view.dim(2);
    check_indices("index", args.index, l);
    const auto* dy = args.dy.as<float>();
    const auto* index = args.index.as<std::int32_t>();
    auto* dx = args.dx.view.as<float>();
    parallel_for(cpu_stream(stream), b, texts_a_tile(l * k), b * l * k,
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     if (!args.dx.accumulate) std::fill_n(dx + first * l * k, (last - first) * l * k, 0.0f);
                     for (std::int64_t text = first; text < last; ++text)
                         for (std::int64_t i = text * k; i < (text + 1) * k; ++i)
                             dx[(text * l + index[i]) * k + i - text * k] += dy[i];
                 });
}

}
