#pragma once
// Class weights omega from the training counts n of the classes: computed and normalised in f64, then rounded once to
// f32.
//
//   effective_number   (1 - beta) / (1 - beta^n)      Cui et al. 2019; paper: Eq. 2
//   inverse_frequency  1 / n                          paper: Fig. 6
//   uniform            1
// Normalised: none; sum_c: omega C / sum omega, mean 1; max1: omega / max omega.
#include "train/recipe.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bkd {

enum class WeightKind : std::uint8_t { effective_number, inverse_frequency, uniform };
enum class WeightScale : std::uint8_t { none, sum_c, max1 };

struct ClassWeightOptions {
    WeightKind kind = WeightKind::effective_number;
    double beta = 0.9999;
    WeightScale scale = WeightScale::sum_c;
    std::int64_t defer_until = 0;  // first epoch, from 0, with these weights; before it they are uniform
};
ClassWeightOptions class_weight_options(const Recipe& recipe);  // weights.*

// [classes], > 0. InputError E0304 for a beta outside [0, 1), E0439 for a class without samples.
std::vector<double> class_weights(std::span<const std::int64_t> counts, const ClassWeightOptions& options);

// What a step of this epoch uses, as f32.
std::vector<float> class_weights_at(std::int64_t epoch, std::span<const std::int64_t> counts,
                                    const ClassWeightOptions& options);

}
