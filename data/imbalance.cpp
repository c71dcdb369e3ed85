#include "data/imbalance.h"

#include "engine/rng.h"
#include "kernels/error.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace bkd {

namespace {

std::vector<std::vector<std::int32_t>> indices_by_class(std::span<const std::int32_t> labels, std::size_t classes) {
    std::vector<std::vector<std::int32_t>> members(classes);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto label = static_cast<std::size_t>(labels[i]);
        BKD_CHECK(label < classes, "label {} of {} classes", labels[i], classes);
        members[label].push_back(static_cast<std::int32_t>(i));
    }
    return members;
}

}

Imbalance parse_imbalance(std::string_view text) {
    for (const Imbalance kind : {Imbalance::none, Imbalance::long_tailed, Imbalance::step})
        if (text == name_of(kind)) return kind;
    throw InputError({.id = 304,
                      .what = fmt::format("data.imbalance is \"{}\"", printable(text)),
                      .try_ = "one of: none, long_tailed, step"});
}

std::string_view name_of(Imbalance kind) {
    constexpr std::string_view names[] = {"none", "long_tailed", "step"};
    return names[static_cast<std::size_t>(kind)];
}

// paper: section 5.1
std::vector<std::int64_t> imbalanced_counts(Imbalance kind, double ratio, std::int64_t largest, std::int64_t classes) {
    BKD_CHECK(largest >= 1 && classes >= 1, "{} samples in the largest of {} classes", largest, classes);
    std::vector<std::int64_t> counts(static_cast<std::size_t>(classes), largest);
    if (kind == Imbalance::none) return counts;
    if (!(ratio >= 1) || std::isinf(ratio))
        throw InputError({.id = 304,
                          .what = fmt::format("data.imbalance_ratio must be at least 1, got {}", ratio),
                          .why = "it is the largest class's count over the smallest one's"});
    const double n = static_cast<double>(largest), f = 1 / ratio;
    for (std::int64_t c = 0; c < classes; ++c) {
        const double exponent = classes == 1 ? 0 : static_cast<double>(c) / static_cast<double>(classes - 1);
        const double kept = kind == Imbalance::long_tailed ? n * std::pow(f, exponent) : c < classes / 2 ? n : n * f;
        counts[static_cast<std::size_t>(c)] = static_cast<std::int64_t>(kept);
    }
    if (counts.back() < 1)
        throw InputError({.id = 304,
                          .what = fmt::format("data.imbalance_ratio {} leaves class {} without samples", ratio,
                                              std::ranges::find(counts, 0) - counts.begin()),
                          .why = fmt::format("the largest class has {} samples", largest),
                          .try_ = fmt::format("a ratio of at most {}", largest)});
    return counts;
}

void shuffle_as_numpy(std::span<std::int32_t> values, std::mt19937& generator) {
    for (std::size_t i = values.size(); i-- > 1;) {
        const std::uint32_t mask = ~std::uint32_t{0} >> std::countl_zero(static_cast<std::uint32_t>(i));
        std::uint32_t j = 0;
        do j = static_cast<std::uint32_t>(generator()) & mask;
        while (j > i);
        std::swap(values[i], values[j]);
    }
}

std::vector<std::int32_t> select_subset(std::span<const std::int32_t> labels, std::span<const std::int64_t> counts,
                                        std::uint32_t seed) {
    std::vector<std::vector<std::int32_t>> members = indices_by_class(labels, counts.size());
    std::mt19937 generator(seed);
    std::vector<std::int32_t> selection;
    for (std::size_t c = 0; c < counts.size(); ++c) {
        if (counts[c] > static_cast<std::int64_t>(members[c].size()))
            throw InputError({.id = 304,
                              .what = fmt::format("the subset needs {} samples of class {}, the set has {}", counts[c],
                                                  c, members[c].size()),
                              .at = "data.imbalance_ratio",
                              .try_ = "a larger ratio, or data.imbalance = \"none\""});
        shuffle_as_numpy(members[c], generator);
        selection.insert(selection.end(), members[c].begin(), members[c].begin() + counts[c]);
    }
    return selection;
}

std::vector<std::int32_t> select_subset(const Dataset& set, const SubsetOptions& options) {
    if (options.kind == Imbalance::none) {
        std::vector<std::int32_t> all(set.labels.size());
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
        return all;
    }
    const std::int64_t largest = std::ranges::max(class_counts(set.labels, set.classes()));
    return select_subset(set.labels, imbalanced_counts(options.kind, options.ratio, largest, set.classes()),
                         options.seed);
}

HoldOut hold_out(const Dataset& set, std::span<const std::int32_t> selection, double fraction, std::uint64_t seed) {
    if (!(fraction >= 0 && fraction < 1))
        throw InputError({.id = 304, .what = fmt::format("validation fraction must be in [0, 1), got {}", fraction)});
    const PhiloxKey key = philox_key(seed, "data/validation");
    using Ranked = std::pair<std::uint64_t, std::int32_t>;  // random number, index
    std::vector<std::vector<Ranked>> members(static_cast<std::size_t>(set.classes()));
    for (const std::int32_t index : selection) {
        const PhiloxCounter bits = philox({static_cast<std::uint32_t>(index), 0, 0, 0}, key);
        const std::uint64_t rank = std::uint64_t{bits[0]} << 32 | bits[1];
        members[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(index)])].emplace_back(rank, index);
    }
    std::vector<bool> is_held(set.labels.size());
    for (std::vector<Ranked>& ranked : members) {
        std::ranges::sort(ranked);
        const double wanted = std::floor(static_cast<double>(ranked.size()) * fraction + 0.5);
        const std::size_t held = std::min(static_cast<std::size_t>(wanted), ranked.empty() ? 0 : ranked.size() - 1);
        for (std::size_t i = 0; i < held; ++i) is_held[static_cast<std::size_t>(ranked[i].second)] = true;
    }
    HoldOut parts;
    for (const std::int32_t index : selection)
        (is_held[static_cast<std::size_t>(index)] ? parts.validation : parts.train).push_back(index);
    return parts;
}

}
