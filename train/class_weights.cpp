#include "train/class_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bkd {
namespace {

// paper: Eq. 2, Fig. 6
double raw_weight(std::int64_t count, const ClassWeightOptions& options) {
    const auto n = static_cast<double>(count);
    if (options.kind == WeightKind::effective_number) return (1.0 - options.beta) / (1.0 - std::pow(options.beta, n));
    return options.kind == WeightKind::inverse_frequency ? 1.0 / n : 1.0;
}

}

ClassWeightOptions class_weight_options(const Recipe& recipe) {
    const std::string kind = recipe.text("weights.kind"), scale = recipe.text("weights.normalize");
    return {.kind = kind == "en"   ? WeightKind::effective_number
                    : kind == "if" ? WeightKind::inverse_frequency
                                   : WeightKind::uniform,
            .beta = recipe.number("weights.beta"),
            .scale = scale == "sum_c"  ? WeightScale::sum_c
                     : scale == "max1" ? WeightScale::max1
                                       : WeightScale::none,
            .defer_until = recipe.integer("weights.defer_until")};
}

std::vector<double> class_weights(std::span<const std::int64_t> counts, const ClassWeightOptions& options) {
    if (!(options.beta >= 0 && options.beta < 1))
        throw InputError({.id = 304,
                          .what = fmt::format("weights.beta must be in [0, 1), got {}", options.beta),
                          .why = "the weight is (1 - beta)/(1 - beta^n): 1 divides by 0"});
    std::vector<double> weights;
    for (std::size_t c = 0; c < counts.size(); ++c) {
        if (counts[c] < 1)
            throw InputError({.id = 439,
                              .what = fmt::format("class {} has no training samples", c),
                              .why = "its weight would be infinite"});
        weights.push_back(raw_weight(counts[c], options));
    }
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const double largest = weights.empty() ? 1 : *std::max_element(weights.begin(), weights.end());
    const auto classes = static_cast<double>(counts.size());
    for (double& weight : weights) {
        if (options.scale == WeightScale::sum_c) weight = weight / sum * classes;
        if (options.scale == WeightScale::max1) weight /= largest;
    }
    return weights;
}

std::vector<float> class_weights_at(std::int64_t epoch, std::span<const std::int64_t> counts,
                                    const ClassWeightOptions& options) {
    ClassWeightOptions now = options;
    if (epoch < options.defer_until) now.kind = WeightKind::uniform;
    const std::vector<double> weights = class_weights(counts, now);
    return {weights.begin(), weights.end()};
}

}
