#pragma once
// The draws of augmentation and mixup, as small host arrays. Pixels are touched once, later, by the kernel load_images
// (kernels/image.h), which takes these arrays as they are.
//
// Keys are philox_key(seed, "stage/feed/crop") and (seed, "stage/feed/mixup"); a feed with several views gives each a
// key of its own. Distributions: docs/paper-and-code.md.
#include "kernels/philox.h"

#include <cstdint>
#include <functional>
#include <span>

namespace bkd {

struct CropFlip {
    std::int64_t padding = 0;  // zeros on each side; 0: no crop. CIFAR's standard: 4
    bool flip = false;         // mirror left-right with probability 1/2
};

// Counter {sample, position, epoch, 0}: `indices` are samples of the set, the first at `position` of the epoch's order.
// Both count, as a sampler with replacement shows a sample often in an epoch, each time to be cut another way.
//   offsets [n, 2]  top, left, each uniform in 0..2 padding, in padded coordinates
//   flips   [n]     1: mirrored
// An array may be empty: not wanted.
void draw_crops_and_flips(PhiloxKey key, std::uint64_t epoch, std::int64_t position,
                          std::span<const std::int32_t> indices, const CropFlip& options,
                          std::span<std::int32_t> offsets, std::span<std::uint8_t> flips);

// lambda ~ Beta(alpha, alpha) of one batch; 1, that is no mixing, for alpha <= 0. Not folded to >= 1/2.
double draw_mix_lambda(PhiloxKey key, std::uint64_t epoch, std::int64_t batch, double alpha);
// One lambda for each sample of the batch: mixup.per_sample.
void draw_mix_lambdas(PhiloxKey key, std::uint64_t epoch, std::int64_t batch, double alpha, std::span<float> lambdas);
// mix_partner: a uniform permutation of 0..n-1, fixed points allowed.
void draw_mix_partner(PhiloxKey key, std::uint64_t epoch, std::int64_t batch, std::span<std::int32_t> partner);

// Beta(alpha, alpha), alpha > 0, from uniform numbers in [0, 1). alpha <= 1: Joehnk, X = U^(1/alpha), Y = V^(1/alpha),
// accepted if X + Y <= 1, lambda = X / (X + Y), in logarithms where both underflow (as NumPy's legacy generator does
// it). Else G1 / (G1 + G2) of two Gamma(alpha) by Marsaglia and Tsang, "A simple method for generating gamma
// variables", 2000.
double symmetric_beta(double alpha, const std::function<double()>& uniform);

}
