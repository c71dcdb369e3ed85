// Batch normalisation. Contract: kernels/normalization.h
//
// Everything here is bound by memory: forward reads x twice, backward dy, x (and y) twice, and no pass more.
//
//   Statistics   in tiles that stay in the second-level cache: first the tile's mean as a shifted sum, then the squared
//                distances from it; tiles are merged in order in f64 (Chan, Golub, LeVeque 1979). One pass over memory,
//                with the exactness of two.
//   Wide rows    with few channels, several rows are taken as one of about 64 values, so that 3 or 16 channels fill
//                vectors as well as 64 do; their per-channel arrays are repeated to that width.
#include "kernels/normalization.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#include <cmath>

namespace bkd::kernels::cpu {
namespace {

// How [m, c] is cut: tiles of whole rows; `fold` rows of c channels taken as one wide row of `width`.
struct Cut {
    explicit Cut(const Shape& x)
        : c(x[-1]),
          m(x.product(0, x.rank() - 1)),
          fold(std::max<std::int64_t>(1, 64 / std::max<std::int64_t>(c, 1))),
          width(fold * c),
          rows_per_tile(std::max<std::int64_t>(64, 8192 / std::max<std::int64_t>(c, 1)) / fold * fold) {}

    std::int64_t tiles() const { return tile_count(m, rows_per_tile); }
    // body(first row, last row, tile)
    template <class Body>
    void for_each_tile(CpuStream& stream, std::int64_t operations, const Body& body) const {
        parallel_for(stream, m, rows_per_tile, m * c * operations, body);
    }
    // Calls part(offset, wide rows, width) for the wide rows of rows [first, last), then for those left over, in turn
    // as one narrower row.
    template <class Part>
    void for_each_part(std::int64_t first, std::int64_t last, const Part& part) const {
        const std::int64_t wide = (last - first) / fold, rest = (last - first) % fold;
        if (wide > 0) part(first * c, wide, width);
        if (rest > 0) part((first + wide * fold) * c, 1, rest * c);
    }

    // row[j] = value(channel of j)
    template <class Value>
    void repeat(float* row, const Value& value) const {
        for (std::int64_t channel = 0; channel < c; ++channel) row[channel] = value(channel);
        for (std::int64_t j = c; j < width; ++j) row[j] = row[j - c];
    }
    // The sum over the repetitions of a channel in a wide row.
    double folded(const float* row, std::int64_t channel) const {
        double sum = 0;
        for (std::int64_t j = channel; j < width; j += c) sum += static_cast<double>(row[j]);
        return sum;
    }

    const std::int64_t c, m, fold, width, rows_per_tile;
};

// One array of the width of a wide row for each of `count` per-channel quantities, in scratch.
class WideRows {
public:
    WideRows(Stream& stream, const Cut& cut, std::int64_t count)
        : cut_(cut), memory_(stream, static_cast<std::size_t>(cut.width * count) * sizeof(float)) {}
    // Array i holds value(channel), repeated.
    template <class Value>
    const float* fill(std::int64_t i, const Value& value) const {
        float* row = memory_.as<float>() + i * cut_.width;
        cut_.repeat(row, value);
        return row;
    }

private:
    const Cut& cut_;
    Scratch memory_;
};

// sum[j] += x[.,j] - shift[j]; four rows at a time, so that the sums are read and written once for four
BKD_SIMD void add_distances(const float* BKD_RESTRICT x, std::int64_t rows, std::int64_t width,
                            const float* BKD_RESTRICT shift, float* BKD_RESTRICT sum) {
    std::int64_t i = 0;
    for (; i + 4 <= rows; i += 4, x += 4 * width)
        for (std::int64_t j = 0; j < width; ++j)
            sum[j] += ((x[j] - shift[j]) + (x[width + j] - shift[j])) +
                      ((x[2 * width + j] - shift[j]) + (x[3 * width + j] - shift[j]));
    for (; i < rows; ++i, x += width)
        for (std::int64_t j = 0; j < width; ++j) sum[j] += x[j] - shift[j];
}

// sum[j] += (x[.,j] - mean[j])^2
BKD_SIMD void add_squares(const float* BKD_RESTRICT x, std::int64_t rows, std::int64_t width,
                          const float* BKD_RESTRICT mean, float* BKD_RESTRICT sum) {
    std::int64_t i = 0;
    for (; i + 4 <= rows; i += 4, x += 4 * width)
        for (std::int64_t j = 0; j < width; ++j) {
            const float a = x[j] - mean[j], b = x[width + j] - mean[j];
            const float c = x[2 * width + j] - mean[j], d = x[3 * width + j] - mean[j];
            sum[j] += (a * a + b * b) + (c * c + d * d);
        }
    for (; i < rows; ++i, x += width)
        for (std::int64_t j = 0; j < width; ++j) sum[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
}

template <bool relu, bool residual>
BKD_INLINE void normalize_rows(const float* x, const float* added, std::int64_t rows, std::int64_t width,
                               const float* BKD_RESTRICT mean, const float* BKD_RESTRICT scale,
                               const float* BKD_RESTRICT beta, float* y) {
    for (std::int64_t i = 0; i < rows; ++i, x += width, y += width) {
#pragma GCC ivdep  // y may be x or added, element on element
        for (std::int64_t j = 0; j < width; ++j) {
            float value = (x[j] - mean[j]) * scale[j] + beta[j];
            if constexpr (residual) value += added[j];
            if constexpr (relu) value = value < 0.0f ? 0.0f : value;
            y[j] = value;
        }
        if constexpr (residual) added += width;
    }
}

// y = (x - mean) scale + beta [+ added] [then max(., 0)]; added may be null
BKD_SIMD void normalize(const float* x, const float* added, std::int64_t rows, std::int64_t width, const float* mean,
                        const float* scale, const float* beta, bool relu, float* y) {
    if (added != nullptr) {
        if (relu)
            normalize_rows<true, true>(x, added, rows, width, mean, scale, beta, y);
        else
            normalize_rows<false, true>(x, added, rows, width, mean, scale, beta, y);
    } else {
        if (relu)
            normalize_rows<true, false>(x, added, rows, width, mean, scale, beta, y);
        else
            normalize_rows<false, false>(x, added, rows, width, mean, scale, beta, y);
    }
}

// g: the gradient that reaches the normalisation.
template <bool relu>
BKD_INLINE float masked(float dy, const float* y, std::int64_t j) {
    if constexpr (relu)
        return y[j] > 0.0f ? dy : 0.0f;
    else
        return dy;
}

template <bool relu>
BKD_INLINE void add_gradient_rows(const float* BKD_RESTRICT dy, const float* BKD_RESTRICT x,
                                  const float* BKD_RESTRICT y, std::int64_t rows, std::int64_t width,
                                  const float* BKD_RESTRICT mean, float* BKD_RESTRICT sum,
                                  float* BKD_RESTRICT sum_distance) {
    std::int64_t i = 0;
    for (; i + 2 <= rows; i += 2) {
        for (std::int64_t j = 0; j < width; ++j) {
            const float g0 = masked<relu>(dy[j], y, j), g1 = masked<relu>(dy[width + j], y, width + j);
            sum[j] += g0 + g1;
            sum_distance[j] += g0 * (x[j] - mean[j]) + g1 * (x[width + j] - mean[j]);
        }
        dy += 2 * width, x += 2 * width;
        if constexpr (relu) y += 2 * width;
    }
    for (; i < rows; ++i)
        for (std::int64_t j = 0; j < width; ++j) {
            const float g = masked<relu>(dy[j], y, j);
            sum[j] += g;
            sum_distance[j] += g * (x[j] - mean[j]);
        }
}

// sum[j] += g, sum_distance[j] += g (x - mean)
BKD_SIMD void add_gradients(const float* dy, const float* x, const float* y, std::int64_t rows, std::int64_t width,
                            const float* mean, bool relu, float* sum, float* sum_distance) {
    if (relu)
        add_gradient_rows<true>(dy, x, y, rows, width, mean, sum, sum_distance);
    else
        add_gradient_rows<false>(dy, x, y, rows, width, mean, sum, sum_distance);
}

template <bool relu, bool accumulate>
BKD_INLINE void write_gradient_rows(const float* dy, const float* x, const float* y, std::int64_t rows,
                                    std::int64_t width, const float* BKD_RESTRICT mean, const float* BKD_RESTRICT scale,
                                    const float* BKD_RESTRICT offset, const float* BKD_RESTRICT slope, float* dx) {
    for (std::int64_t i = 0; i < rows; ++i, dy += width, x += width, dx += width) {
#pragma GCC ivdep  // dx may be dy, element on element
        for (std::int64_t j = 0; j < width; ++j) {
            const float g = masked<relu>(dy[j], y, j);
            const float value = (g - offset[j] - (x[j] - mean[j]) * slope[j]) * scale[j];
            if constexpr (accumulate)
                dx[j] += value;
            else
                dx[j] = value;
        }
        if constexpr (relu) y += width;
    }
}

// dx (+)= (g - offset - (x - mean) slope) scale
BKD_SIMD void write_gradients(const float* dy, const float* x, const float* y, std::int64_t rows, std::int64_t width,
                              const float* mean, const float* scale, const float* offset, const float* slope, bool relu,
                              bool accumulate, float* dx) {
    if (relu) {
        if (accumulate)
            write_gradient_rows<true, true>(dy, x, y, rows, width, mean, scale, offset, slope, dx);
        else
            write_gradient_rows<true, false>(dy, x, y, rows, width, mean, scale, offset, slope, dx);
    } else {
        if (accumulate)
            write_gradient_rows<false, true>(dy, x, y, rows, width, mean, scale, offset, slope, dx);
        else
            write_gradient_rows<false, false>(dy, x, y, rows, width, mean, scale, offset, slope, dx);
    }
}

template <bool relu, bool accumulate>
BKD_INLINE void write_masked_values(const float* BKD_RESTRICT dy, const float* BKD_RESTRICT y, std::int64_t count,
                                    float* BKD_RESTRICT to) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float g = masked<relu>(dy[i], y, i);
        if constexpr (accumulate)
            to[i] += g;
        else
            to[i] = g;
    }
}

// to (+)= g
BKD_SIMD void write_masked(const float* dy, const float* y, std::int64_t count, bool relu, bool accumulate, float* to) {
    if (relu) {
        if (accumulate)
            write_masked_values<true, true>(dy, y, count, to);
        else
            write_masked_values<true, false>(dy, y, count, to);
    } else {
        if (accumulate)
            write_masked_values<false, true>(dy, y, count, to);
        else
            write_masked_values<false, false>(dy, y, count, to);
    }
}

// Mean and sum of squared distances from it of the rows of one tile: statistics[0, c) and [c, 2c). `work` has room for
// three wide rows.
void measure_tile(const Cut& cut, const float* x, std::int64_t first, std::int64_t last, float* work,
                  double* statistics) {
    float *center = work, *sum = work + cut.width, *squares = sum + cut.width;
    std::fill_n(sum, 2 * cut.width, 0.0f);
    const float* head = x + first * cut.c;  // any value near the mean will do; an infinite one would make NaN of all
    cut.repeat(center, [&](std::int64_t channel) { return std::isfinite(head[channel]) ? head[channel] : 0.0f; });
    cut.for_each_part(first, last, [&](std::int64_t at, std::int64_t rows, std::int64_t width) {
        add_distances(x + at, rows, width, center, sum);
    });
    const auto count = static_cast<double>(last - first);
    for (std::int64_t channel = 0; channel < cut.c; ++channel)
        statistics[channel] = static_cast<double>(center[channel]) + cut.folded(sum, channel) / count;
    cut.repeat(center, [&](std::int64_t channel) { return static_cast<float>(statistics[channel]); });
    cut.for_each_part(first, last, [&](std::int64_t at, std::int64_t rows, std::int64_t width) {
        add_squares(x + at, rows, width, center, squares);
    });
    for (std::int64_t channel = 0; channel < cut.c; ++channel)
        statistics[cut.c + channel] = cut.folded(squares, channel);
}

// Merges the tiles' statistics into the first one's, in order: n1, n2 values with means m1, m2 have together the mean
// m1 + d n2 / n and the squared distances q1 + q2 + d^2 n1 n2 / n, d = m2 - m1, n = n1 + n2.
const double* merge_tiles(const Cut& cut, const TileSums<double>& tiles) {
    double* total = tiles.row(0);
    for (std::int64_t tile = 1; tile < cut.tiles(); ++tile) {
        const std::int64_t before = tile * cut.rows_per_tile, after = std::min(cut.m, before + cut.rows_per_tile);
        const double share = static_cast<double>(after - before) / static_cast<double>(after);
        const double weight = static_cast<double>(before) * share;
        const double* next = tiles.row(tile);
        for (std::int64_t channel = 0; channel < cut.c; ++channel) {
            const double distance = next[channel] - total[channel];
            total[channel] += distance * share;
            total[cut.c + channel] += next[cut.c + channel] + distance * distance * weight;
        }
    }
    return total;
}

// y = (x - mean) scale + beta [+ residual] [then max(., 0)], per channel
void normalize_all(CpuStream& stream, const Cut& cut, const float* x, const ConstView& residual, const float* mean,
                   const float* scale, const float* beta, bool relu, float* y) {
    const float* added = residual ? residual.as<float>() : nullptr;
    cut.for_each_tile(stream, 2, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        cut.for_each_part(first, last, [&](std::int64_t at, std::int64_t rows, std::int64_t width) {
            normalize(x + at, added == nullptr ? nullptr : added + at, rows, width, mean, scale, beta, relu, y + at);
        });
    });
}

// Both backward ops: what they share is dy, x, y, the four outputs and relu.
// dx (+)= (g - offset - (x - mean) slope) scale, dresidual (+)= g
template <class Args>
void write_all(CpuStream& stream, const Cut& cut, const Args& args, const float* mean, const float* scale,
               const float* offset, const float* slope) {
    if (!args.dx && !args.dresidual) return;
    const float *dy = args.dy.template as<float>(), *x = args.x.template as<float>();
    const float* y = args.relu ? args.y.template as<float>() : nullptr;
    float* dx = args.dx ? args.dx.view.template as<float>() : nullptr;
    float* dresidual = args.dresidual ? args.dresidual.view.template as<float>() : nullptr;
    cut.for_each_tile(stream, 2, [&](std::int64_t first, std::int64_t last, std::int64_t) {
        cut.for_each_part(first, last, [&](std::int64_t at, std::int64_t rows, std::int64_t width) {
            const float* mask = y == nullptr ? nullptr : y + at;
            // First, because dx may lie where dy lies.
            if (dresidual != nullptr)
                write_masked(dy + at, mask, rows * width, args.relu, args.dresidual.accumulate, dresidual + at);
            if (dx != nullptr)
                write_gradients(dy + at, x + at, mask, rows, width, mean, scale, offset, slope, args.relu,
                                args.dx.accumulate, dx + at);
        });
    });
}

// sums[0, c) = sum g, sums[c, 2c) = sum g (x - mean)
template <class Args>
void sum_tile(const Cut& cut, const Args& args, const float* mean, std::int64_t first, std::int64_t last, float* work,
              double* sums) {
    const float *dy = args.dy.template as<float>(), *x = args.x.template as<float>();
    const float* y = args.relu ? args.y.template as<float>() : nullptr;
    std::fill_n(work, 2 * cut.width, 0.0f);
    cut.for_each_part(first, last, [&](std::int64_t at, std::int64_t rows, std::int64_t width) {
        add_gradients(dy + at, x + at, y == nullptr ? nullptr : y + at, rows, width, mean, args.relu, work,
                      work + cut.width);
    });
    for (std::int64_t channel = 0; channel < cut.c; ++channel) {
        sums[channel] = cut.folded(work, channel);
        sums[cut.c + channel] = cut.folded(work + cut.width, channel);
    }
}

// TileSums of sum_tile over all tiles, added in order.
template <class Args>
const double* sum_all(CpuStream& stream, const Cut& cut, const Args& args, const float* mean,
                      const TileSums<double>& sums) {
    const TileSums<float> work(stream, cut.tiles(), 2 * cut.width);
    cut.for_each_tile(stream, 4, [&](std::int64_t first, std::int64_t last, std::int64_t tile) {
        sum_tile(cut, args, mean, first, last, work.row(tile), sums.row(tile));
    });
    return sums.total();
}

// out[channel] (+)= value(channel), unless it is not wanted
template <class Value>
void write_channels(const Out& out, std::int64_t c, const Value& value) {
    if (!out) return;
    float* to = out.view.as<float>();
    for (std::int64_t channel = 0; channel < c; ++channel)
        to[channel] = (out.accumulate ? to[channel] : 0.0f) + static_cast<float>(value(channel));
}

}

// y = gamma (x - mean) rstd + beta [+ residual] [then max(., 0)]
void Normalization::batch_norm_forward(Stream& s, const BatchNormForward& args) const {
    CpuStream& stream = cpu_stream(s);
    const Cut cut(args.x.shape);
    const float *x = args.x.as<float>(), *gamma = args.gamma.as<float>(), *beta = args.beta.as<float>();
    float *mean = args.mean.as<float>(), *rstd = args.rstd.as<float>();
    {
        const TileSums<double> statistics(stream, cut.tiles(), 2 * cut.c);
        const TileSums<float> work(stream, cut.tiles(), 3 * cut.width);
        cut.for_each_tile(stream, 4, [&](std::int64_t first, std::int64_t last, std::int64_t tile) {
            measure_tile(cut, x, first, last, work.row(tile), statistics.row(tile));
        });
        const double* total = merge_tiles(cut, statistics);
        const auto m = static_cast<double>(cut.m);
        for (std::int64_t channel = 0; channel < cut.c; ++channel) {
            const double squares = total[cut.c + channel];
            mean[channel] = static_cast<float>(total[channel]);
            rstd[channel] = static_cast<float>(1 / std::sqrt(squares / m + args.eps));
            if (!args.running_mean) continue;
            float &running_mean = args.running_mean.as<float>()[channel],
                  &running_var = args.running_var.as<float>()[channel];
            running_mean += static_cast<float>(args.momentum * (total[channel] - static_cast<double>(running_mean)));
            running_var += static_cast<float>(args.momentum * (squares / (m - 1) - static_cast<double>(running_var)));
        }
    }
    const WideRows wide(stream, cut, 3);
    const float* center = wide.fill(0, [&](std::int64_t channel) { return mean[channel]; });
    const float* scale = wide.fill(1, [&](std::int64_t channel) { return gamma[channel] * rstd[channel]; });
    const float* offset = wide.fill(2, [&](std::int64_t channel) { return beta[channel]; });
    normalize_all(stream, cut, x, args.residual, center, scale, offset, args.relu, args.y.as<float>());
}

// dx = gamma rstd / m (m g - s1 - xhat s2), written as gamma rstd (g - s1 / m - (x - mean) rstd^2 t / m) with
// t = sum_m g (x - mean), s2 = rstd t
void Normalization::batch_norm_backward(Stream& s, const BatchNormBackward& args) const {
    CpuStream& stream = cpu_stream(s);
    const Cut cut(args.x.shape);
    const float *gamma = args.gamma.as<float>(), *mean = args.mean.as<float>(), *rstd = args.rstd.as<float>();
    const WideRows wide(stream, cut, 4);
    const float* center = wide.fill(0, [&](std::int64_t channel) { return mean[channel]; });
    const TileSums<double> tiles(stream, cut.tiles(), 2 * cut.c);
    const double* sums = sum_all(stream, cut, args, center, tiles);
    const auto m = static_cast<double>(cut.m);
    const auto deviation = [&](std::int64_t channel) { return static_cast<double>(rstd[channel]); };
    const float* scale = wide.fill(1, [&](std::int64_t channel) { return gamma[channel] * rstd[channel]; });
    const float* offset = wide.fill(2, [&](std::int64_t channel) { return static_cast<float>(sums[channel] / m); });
    const float* slope = wide.fill(3, [&](std::int64_t channel) {
        return static_cast<float>(sums[cut.c + channel] * deviation(channel) * deviation(channel) / m);
    });
    write_channels(args.dbeta, cut.c, [&](std::int64_t channel) { return sums[channel]; });
    write_channels(args.dgamma, cut.c,
                   [&](std::int64_t channel) { return sums[cut.c + channel] * deviation(channel); });
    write_all(stream, cut, args, center, scale, offset, slope);
}

// y = gamma (x - running_mean) / sqrt(running_var + eps) + beta [+ residual] [then max(., 0)]
void Normalization::batch_norm_inference(Stream& s, const BatchNormInference& args) const {
    CpuStream& stream = cpu_stream(s);
    const Cut cut(args.x.shape);
    const float *gamma = args.gamma.as<float>(), *beta = args.beta.as<float>();
    const float *mean = args.running_mean.as<float>(), *variance = args.running_var.as<float>();
    const WideRows wide(stream, cut, 3);
    const float* center = wide.fill(0, [&](std::int64_t channel) { return mean[channel]; });
    const float* scale = wide.fill(1, [&](std::int64_t channel) {
        return static_cast<float>(static_cast<double>(gamma[channel]) /
                                  std::sqrt(static_cast<double>(variance[channel]) + args.eps));
    });
    const float* offset = wide.fill(2, [&](std::int64_t channel) { return beta[channel]; });
    normalize_all(stream, cut, args.x.as<float>(), args.residual, center, scale, offset, args.relu, args.y.as<float>());
}

// dx = gamma g / sqrt(running_var + eps): the statistics take no gradient, so offset and slope are 0
void Normalization::batch_norm_inference_backward(Stream& s, const BatchNormInferenceBackward& args) const {
    CpuStream& stream = cpu_stream(s);
    const Cut cut(args.x.shape);
    const float *gamma = args.gamma.as<float>(), *mean = args.running_mean.as<float>();
    const float* variance = args.running_var.as<float>();
    const auto deviation = [&](std::int64_t channel) {
        return 1 / std::sqrt(static_cast<double>(variance[channel]) + args.eps);
    };
    const WideRows wide(stream, cut, 3);
    const float* center = wide.fill(0, [&](std::int64_t channel) { return mean[channel]; });
    const float* scale = wide.fill(1, [&](std::int64_t channel) {
        return static_cast<float>(static_cast<double>(gamma[channel]) * deviation(channel));
    });
    const float* zero = wide.fill(2, [](std::int64_t) { return 0.0f; });
    if (args.dgamma || args.dbeta) {
        const TileSums<double> tiles(stream, cut.tiles(), 2 * cut.c);
        const double* sums = sum_all(stream, cut, args, center, tiles);
        write_channels(args.dbeta, cut.c, [&](std::int64_t channel) { return sums[channel]; });
        write_channels(args.dgamma, cut.c,
                       [&](std::int64_t channel) { return sums[cut.c + channel] * deviation(channel); });
    }
    write_all(stream, cut, args, center, scale, zero, zero);
}

}
