#pragma once
// The inner loops of winograd.cpp, on blocks of tiles that stay in a core's caches, one version an instruction set.
//
//   planes   a transformed tile has 4 x 4 values a channel; value i of all tiles of a block is one plane
//            [tiles, channels], and the planes lie plane_stride() apart: a power of two would put all of them into the
//            same sets of the first cache.
#include <cstdint>

namespace bkd::kernels::cpu {

// Some tiles side by side in one image, NHWC. What lies outside the image is 0 where read and left out where written.
struct TileStrip {
    std::int64_t height, width, channels;  // of the image; channels: a multiple of 16
    std::int64_t top, left;                // of the first tile's pixels; may be negative
    std::int64_t tiles;                    // each two columns to the right of the one before
};

struct WinogradKernels {
    // v = B^T x B of the 4 x 4 pixels of each tile; false if some |x| is not below winograd_limit.
    bool (*transform_image)(const TileStrip& strip, const float* x, float* v, std::int64_t plane);
    // d = A dy A^T of the 2 x 2 pixels of each tile; likewise.
    bool (*transform_gradient)(const TileStrip& strip, const float* dy, float* d, std::int64_t plane);
    // y (+)= A^T m A [+ bias], 2 x 2 pixels a tile.
    void (*write_outputs)(const TileStrip& strip, const float* m, std::int64_t plane, const float* bias, bool adds,
                          float* y);
    // m [tiles, k] = v [tiles, c] u [c, k], one plane; k: a multiple of 16.
    void (*multiply)(const float* v, const float* u, std::int64_t tiles, std::int64_t c, std::int64_t k, float* m);
    // m [c, k] += v [tiles, c]^T d [tiles, k], one plane; c, k: multiples of 16.
    void (*add_products)(const float* v, const float* d, std::int64_t tiles, std::int64_t c, std::int64_t k, float* m);
};

// With registers of 16 floats (AVX-512) or 8 (AVX2); null where this processor has none.
const WinogradKernels* winograd_kernels(int lanes);
// With the widest; null where there are neither.
const WinogradKernels* winograd_kernels();

// Images and weights below it leave no step of a convolution of up to 2^16 channels with a number that is not finite.
constexpr float winograd_limit = 0x1p50f;

// Floats from one plane to the next.
constexpr std::int64_t plane_stride(std::int64_t tiles, std::int64_t channels) { return tiles * channels + 16; }

}
