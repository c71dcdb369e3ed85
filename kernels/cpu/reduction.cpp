// Sums over axes on the CPU. Contract: kernels/reduction.h. Neighbouring axes of one kind are merged, so that any set
// of axes of a tensor of rank 5 becomes one nest [r0, k0, r1, k1, r2, c]: r are summed over, k and c are kept (1 where
// absent). One run, r2 rows of c numbers, lies together in memory.
#include "kernels/reduction.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/runs.h"
#include "kernels/cpu/simd.h"

namespace bkd::kernels::cpu {
namespace {

struct Nest {
    std::int64_t r0 = 1, k0 = 1, r1 = 1, k1 = 1, r2 = 1, c = 1;

    Nest(const Shape& x, Axes axes) {
        std::int64_t* const levels[] = {&c, &r2, &k1, &r1, &k0, &r0};
        std::size_t level = 0;  // even levels are kept
        for (int axis = x.rank() - 1; axis >= 0; --axis) {
            if (x[axis] == 1) continue;
            if (axes.has(axis) == (level % 2 == 0)) ++level;
            *levels[level] *= x[axis];
        }
    }
    std::int64_t kept() const { return k0 * k1; }      // rows of c numbers of the sum
    std::int64_t runs() const { return r0 * r1; }      // runs behind each of them
    std::int64_t rows() const { return runs() * r2; }  // rows of c numbers behind each of them
    std::int64_t count() const { return kept() * rows() * c; }
    // Where run `run` of kept row `row` begins in x.
    std::int64_t at(std::int64_t row, std::int64_t run) const {
        return (((run / r1 * k0 + row / k1) * r1 + run % r1) * k1 + row % k1) * r2 * c;
    }
};

// Rows narrower than this are summed several side by side, so that vectors are full whatever c is.
constexpr std::int64_t lane_numbers = 256;

// How the sums are cut: c into blocks of columns whose sums stay in the first cache, rows into tiles of partial sums.
// Tiles hold at least 32 Ki numbers, and there are no more of them than 256 units of work need: their sums are scratch
// memory.
struct Cut {
    explicit Cut(const Nest& nest) {
        width = std::clamp<std::int64_t>(nest.c, 1, 2048);
        blocks = tile_count(nest.c, width);
        const std::int64_t chains = std::max<std::int64_t>(1, nest.kept() * blocks);
        const std::int64_t most = std::max<std::int64_t>(1, 256 / chains);
        tiles = std::clamp<std::int64_t>(nest.rows() * width / (2 * element_tile), 1, most);
        tile_rows = tile_count(nest.rows(), tiles);
    }
    std::int64_t width, blocks, tiles, tile_rows;
};

// y[i] = sum over rows of x[row * stride + i], i < width.
BKD_SIMD void sum_rows(const float* BKD_RESTRICT x, std::int64_t rows, std::int64_t stride, std::int64_t width,
                       float* BKD_RESTRICT y) {
    for (std::int64_t i = 0; i < width; ++i) y[i] = 0;
    std::int64_t row = 0;
    for (; row + 4 <= rows; row += 4, x += 4 * stride)
        for (std::int64_t i = 0; i < width; ++i)
            y[i] += (x[i] + x[i + stride]) + (x[i + 2 * stride] + x[i + 3 * stride]);
    for (; row < rows; ++row, x += stride)
        for (std::int64_t i = 0; i < width; ++i) y[i] += x[i];
}

// The same for narrow rows that lie together: groups of rows are summed as one wide row, whose parts are added in
// order.
void sum_narrow_rows(const float* x, std::int64_t rows, std::int64_t width, float* y) {
    const std::int64_t group = lane_numbers / width, wide = group * width;
    float lanes[lane_numbers];
    sum_rows(x, rows / group, wide, wide, lanes);
    sum_rows(lanes, group, width, width, y);
    for (std::int64_t row = rows / group * group; row < rows; ++row) add_run(x + row * width, y, width);
}

// Numbers side by side: many short chains and a tree over them, whose roundings do not grow with n, whatever the
// compiler makes of the loops.
float sum_contiguous(const float* x, std::int64_t n) {
    float lanes[lane_numbers];
    const std::int64_t rows = n / lane_numbers;
    sum_rows(x, rows, lane_numbers, lane_numbers, lanes);
    add_run(x + rows * lane_numbers, lanes, n % lane_numbers);
    for (std::int64_t half = lane_numbers / 2; half > 0; half /= 2) add_run(lanes + half, lanes, half);
    return lanes[0];
}

void sum_run(const float* x, std::int64_t rows, std::int64_t stride, std::int64_t width, float* y) {
    if (stride == 1)
        y[0] = sum_contiguous(x, rows);
    else if (stride == width && rows * width >= 4 * lane_numbers && 2 * width <= lane_numbers)
        sum_narrow_rows(x, rows, width, y);
    else
        sum_rows(x, rows, stride, width, y);
}

// y [width] = the sum of rows [first, last) behind one kept row, from column `column` on; `part` [width] is scratch.
struct Tile {
    std::int64_t kept_row, first, last, column, width;
};
void sum_tile(const Nest& nest, const float* x, const Tile& tile, float* y, float* part) {
    if (tile.first >= tile.last) std::fill_n(y, tile.width, 0.0f);
    for (std::int64_t at = tile.first; at < tile.last;) {
        const std::int64_t row = at % nest.r2, rows = std::min(tile.last - at, nest.r2 - row);
        const float* run = x + nest.at(tile.kept_row, at / nest.r2) + row * nest.c + tile.column;
        sum_run(run, rows, nest.c, tile.width, at == tile.first ? y : part);
        if (at != tile.first) add_run(part, y, tile.width);
        at += rows;
    }
}

BKD_SIMD void spread_run(float value, float* y, std::int64_t n, bool accumulate) {
    if (accumulate)
        for (std::int64_t i = 0; i < n; ++i) y[i] += value;
    else
        for (std::int64_t i = 0; i < n; ++i) y[i] = value;
}

BKD_SIMD std::int64_t nonfinite_in(const float* x, std::int64_t n) {
    constexpr std::uint32_t exponent = 0x7F800000;
    std::int32_t found = 0;
#pragma omp simd reduction(+ : found)
    for (std::int64_t i = 0; i < n; ++i) found += (std::bit_cast<std::uint32_t>(x[i]) & exponent) == exponent ? 1 : 0;
    return found;
}

// out = factor times the sums of the nest. Partial sums lie tile by tile, each as the sum itself lies: [tiles, kept,
// c].
void sum_nest(Stream& stream, const Nest& nest, const float* x, double factor, const Out& out) {
    const Cut cut(nest);
    const std::int64_t numbers = nest.kept() * nest.c, chains = nest.kept() * cut.blocks, units = chains * cut.tiles;
    if (numbers == 0) return;
    const std::int64_t together =
        std::max<std::int64_t>(1, element_tile / std::max<std::int64_t>(1, cut.tile_rows * cut.width));
    const std::int64_t scratch = numbers * cut.tiles + tile_count(units, together) * cut.width;
    const Scratch memory(stream, static_cast<std::size_t>(scratch) * sizeof(float));
    auto *sums = memory.as<float>(), *parts = sums + numbers * cut.tiles;

    parallel_for(cpu_stream(stream), units, together, nest.count(),
                 [&](std::int64_t begin, std::int64_t end, std::int64_t index) {
                     for (std::int64_t unit = begin; unit < end; ++unit) {
                         const std::int64_t tile = unit / chains, row = unit % chains / cut.blocks;
                         const std::int64_t column = unit % cut.blocks * cut.width, first = tile * cut.tile_rows;
                         sum_tile(nest, x,
                                  {row, first, std::min(nest.rows(), first + cut.tile_rows), column,
                                   std::min(cut.width, nest.c - column)},
                                  sums + tile * numbers + row * nest.c + column, parts + index * cut.width);
                     }
                 });
    for (std::int64_t tile = 1; tile < cut.tiles; ++tile) add_run(sums + tile * numbers, sums, numbers);
    scale_run(sums, static_cast<float>(factor), out.view.as<float>(), numbers, out.accumulate);
}

}

void Reduction::sum(Stream& stream, const Sum& args) const {
    sum_nest(stream, Nest(args.x.shape, args.axes), args.x.as<float>(), args.factor, args.y);
}

void Reduction::column_sum(Stream& stream, const ColumnSum& args) const {
    Axes all_but_last;
    all_but_last.bits = static_cast<std::uint8_t>((1 << (args.x.rank() - 1)) - 1);
    sum_nest(stream, Nest(args.x.shape, all_but_last), args.x.as<float>(), 1, args.y);
}

void Reduction::broadcast(Stream& stream, const Broadcast& args) const {
    const Nest nest(args.y.view.shape, args.axes);
    const auto* x = args.x.as<float>();
    auto* y = args.y.view.as<float>();
    const auto factor = static_cast<float>(args.factor);
    const std::int64_t c = nest.c, units = nest.kept() * nest.runs();
    if (nest.count() == 0) return;
    const std::int64_t tile = std::max<std::int64_t>(1, element_tile / (nest.r2 * c));
    parallel_for(cpu_stream(stream), units, tile, nest.count(),
                 [&](std::int64_t first, std::int64_t last, std::int64_t) {
                     for (std::int64_t unit = first; unit < last; ++unit) {
                         const std::int64_t row = unit / nest.runs(), at = nest.at(row, unit % nest.runs());
                         if (c == 1)
                             spread_run(factor * x[row], y + at, nest.r2, args.y.accumulate);
                         else
                             for (std::int64_t i = 0; i < nest.r2; ++i)
                                 scale_run(x + row * c, factor, y + at + i * c, c, args.y.accumulate);
                     }
                 });
}

void Reduction::count_nonfinite(Stream& stream, const CountNonfinite& args) const {
    const auto* x = args.x.as<float>();
    const std::int64_t n = args.x.count(), tiles = tile_count(n, element_tile);
    const TileSums<std::int64_t> found(stream, tiles, 1);
    parallel_for(cpu_stream(stream), n, element_tile, n,
                 [&](std::int64_t first, std::int64_t last, std::int64_t index) {
                     *found.row(index) = nonfinite_in(x + first, last - first);
                 });
    auto* const count = args.count.view.as<std::int32_t>();
    const std::int64_t before = args.count.accumulate ? *count : 0;
    *count = static_cast<std::int32_t>(
        std::min<std::int64_t>(before + *found.total(), std::numeric_limits<std::int32_t>::max()));
}

}
