#include "engine/optimizer/schedule.h"

#include "kernels/error.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bkd {
namespace {

double cosine(double base, double minimum, double fraction) {
    return minimum + 0.5 * (base - minimum) * (1 + std::cos(std::numbers::pi * fraction));
}

// Whole epochs of warm-up rise by epoch, a fraction of one by step.
double warmup(double epochs, std::int64_t steps_per_epoch, std::int64_t epoch, std::int64_t step) {
    if (epochs <= 0) return 1;
    if (epochs == std::floor(epochs)) return std::min(1.0, static_cast<double>(epoch + 1) / epochs);
    const double steps = std::max(1.0, std::floor(epochs * static_cast<double>(steps_per_epoch)));
    return std::min(1.0, static_cast<double>(step + 1) / steps);
}

}

// paper: section 5.1
double Schedule::at(std::int64_t epoch, std::int64_t step) const {
    const auto e = static_cast<double>(epoch);
    double rate = base;
    switch (kind) {
        case Kind::constant:
            break;
        case Kind::step:
            rate = base * std::pow(gamma, std::floor(e / step_epochs));
            break;
        case Kind::multistep:
            rate = base * std::pow(gamma, static_cast<double>(std::count_if(milestones.begin(), milestones.end(),
                                                                            [&](double m) { return e >= m; })));
            break;
        case Kind::cosine:
            rate = cosine(base, minimum, (e + cosine_offset) / epochs);
            break;
        case Kind::cosine_step:
            rate = cosine(base, minimum, static_cast<double>(step) / (epochs * static_cast<double>(steps_per_epoch)));
            break;
    }
    return rate * (warmup_from + (1 - warmup_from) * warmup(warmup_epochs, steps_per_epoch, epoch, step));
}

}
