#include "data/augment.h"

#include "data/draws.h"
#include "kernels/error.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace bkd {

namespace {

// Last word of the mixup counters; sample n of a batch has sample_purpose + n.
constexpr std::uint32_t lambda_purpose = 0, partner_purpose = 1, sample_purpose = 2;

double keyed_beta(PhiloxKey key, std::uint64_t epoch, std::int64_t batch, double alpha, std::uint32_t purpose) {
    if (!(alpha > 0)) return 1;
    std::uint32_t draw = 0;
    const auto uniform = [&] {
        const PhiloxCounter bits =
            philox({static_cast<std::uint32_t>(batch), draw++, static_cast<std::uint32_t>(epoch), purpose}, key);
        return uniform53(bits[0], bits[1]);
    };
    return symmetric_beta(alpha, std::cref(uniform));  // a reference: a copy of it would be allocated
}

double johnk(double alpha, const std::function<double()>& uniform) {
    for (;;) {
        const double u = uniform(), v = uniform();
        const double x = std::pow(u, 1 / alpha), y = std::pow(v, 1 / alpha);
        if (x + y > 1) continue;
        if (x + y > 0) return x / (x + y);
        constexpr double least = 0x1p-54;  // half the smallest step, for a uniform number of 0
        const double a = std::log(std::max(u, least)) / alpha, b = std::log(std::max(v, least)) / alpha;
        return 1 / (1 + std::exp(b - a));  // = exp(a - logaddexp(a, b))
    }
}

double standard_normal(const std::function<double()>& uniform) {  // Box and Muller
    const double radius = std::sqrt(-2 * std::log1p(-uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
}

double gamma_above_one(double alpha, const std::function<double()>& uniform) {  // Marsaglia and Tsang, alpha >= 1
    const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
        const double x = standard_normal(uniform), v = std::pow(1 + c * x, 3);
        if (v > 0 && std::log1p(-uniform()) < 0.5 * x * x + d * (1 - v + std::log(v))) return d * v;
    }
}

}

void draw_crops_and_flips(PhiloxKey key, std::uint64_t epoch, std::int64_t position,
                          std::span<const std::int32_t> indices, const CropFlip& options,
                          std::span<std::int32_t> offsets, std::span<std::uint8_t> flips) {
    BKD_CHECK(offsets.empty() || offsets.size() == 2 * indices.size(), "{} offsets for {} samples", offsets.size(),
              indices.size());
    BKD_CHECK(flips.empty() || flips.size() == indices.size(), "{} flips for {} samples", flips.size(), indices.size());
    const auto choices = static_cast<std::uint64_t>(2 * options.padding + 1);
    for (std::size_t i = 0; i < indices.size(); ++i) {
        const auto place = static_cast<std::uint32_t>(position + static_cast<std::int64_t>(i));
        const PhiloxCounter bits =
            philox({static_cast<std::uint32_t>(indices[i]), place, static_cast<std::uint32_t>(epoch), 0}, key);
        for (std::size_t axis = 0; axis < 2 && !offsets.empty(); ++axis)
            offsets[2 * i + axis] = static_cast<std::int32_t>(bits[axis] * choices >> 32);
        if (!flips.empty()) flips[i] = options.flip ? static_cast<std::uint8_t>(bits[2] >> 31) : 0;
    }
}

double draw_mix_lambda(PhiloxKey key, std::uint64_t epoch, std::int64_t batch, double alpha) {
    return keyed_beta(key, epoch, batch, alpha, lambda_purpose);
}

void draw_mix_lambdas(PhiloxKey key, std::uint64_t epoch, std::int64_t batch, double alpha, std::span<float> lambdas) {
    for (std::size_t n = 0; n < lambdas.size(); ++n)
        lambdas[n] =
            static_cast<float>(keyed_beta(key, epoch, batch, alpha, sample_purpose + static_cast<std::uint32_t>(n)));
}

void draw_mix_partner(PhiloxKey key, std::uint64_t epoch, std::int64_t batch, std::span<std::int32_t> partner) {
    std::iota(partner.begin(), partner.end(), 0);
    shuffle_by_philox(partner, key, static_cast<std::uint32_t>(batch), static_cast<std::uint32_t>(epoch),
                      partner_purpose);
}

double symmetric_beta(double alpha, const std::function<double()>& uniform) {
    BKD_CHECK(alpha > 0, "alpha {}", alpha);
    if (alpha <= 1) return johnk(alpha, uniform);
    const double first = gamma_above_one(alpha, uniform), second = gamma_above_one(alpha, uniform);
    return first / (first + second);
}

}
