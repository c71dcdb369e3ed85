#pragma once
// Loops over fixed tiles. How a loop is cut depends on its extents alone, never on the number of threads; partial sums
// lie one row a tile and are added in tile order: the same bits for any number of threads.
#include "kernels/cpu/stream.h"

#include <algorithm>

namespace bkd::kernels::cpu {

constexpr std::int64_t tile_count(std::int64_t count, std::int64_t tile) { return (count + tile - 1) / tile; }

// Entering a parallel region costs about 5 us; 16 Ki element operations on one core take about as long.
constexpr std::int64_t work_worth_a_thread = 16 * 1024;

// body(first, last, index) for every tile [first, last) of [0, count), each `tile` long but the last. `work` is the
// number of element operations of the whole loop (an exp counts about 10): little work stays on few threads, or on the
// calling one. A body must not throw; each tile runs exactly once, tiles of one thread in rising order.
template <class Body>
void parallel_for(const CpuStream& stream, std::int64_t count, std::int64_t tile, std::int64_t work, const Body& body) {
    const std::int64_t tiles = tile_count(count, tile);
    const auto run = [&](std::int64_t index) { body(index * tile, std::min(count, (index + 1) * tile), index); };
    const auto threads =
        static_cast<int>(std::min({static_cast<std::int64_t>(stream.threads), tiles, work / work_worth_a_thread}));
    if (threads <= 1) {
        for (std::int64_t index = 0; index < tiles; ++index) run(index);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t index = 0; index < tiles; ++index) run(index);
}

// Elements a tile of a plain element loop: 64 KiB of f32, so that a tile of each of a handful of tensors fits in the
// second cache.
constexpr std::int64_t element_tile = 16 * 1024;

// Scratch memory for `tiles` rows of `width` partial sums.
template <class T>
class TileSums {
public:
    TileSums(Stream& stream, std::int64_t tiles, std::int64_t width)
        : tiles_(tiles), width_(width), memory_(stream, static_cast<std::size_t>(tiles * width) * sizeof(T)) {}

    T* row(std::int64_t tile) const { return memory_.template as<T>() + tile * width_; }
    // The sums over all tiles, added in tile order into the first row; zeros if there is no tile.
    const T* total() const {
        T* sum = memory_.template as<T>();
        if (tiles_ == 0) std::fill_n(sum, width_, T{});
        for (std::int64_t tile = 1; tile < tiles_; ++tile)
            for (std::int64_t i = 0; i < width_; ++i) sum[i] += row(tile)[i];
        return sum;
    }

private:
    std::int64_t tiles_, width_;
    Scratch memory_;
};

}
