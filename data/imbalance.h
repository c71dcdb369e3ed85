#pragma once
// Long-tailed and step subsets of a labelled set, bit-identical to the selection of the public code (imbalance_cifar.py
// of LDAM-DRW), and what can be checked of a selection: three fingerprints.
//
//   imbalanced_counts   how many samples each class keeps
//   select_subset       which: one MT19937 stream for all classes in turn, each class shuffled whole, then cut. So a
//   class's
//                       smaller selections are prefixes of its larger ones, whatever the ratio.
//   hold_out            a validation part of a selection, ours
#include "data/image_set.h"

#include <random>
#include <string_view>

namespace bkd {

enum class Imbalance { none, long_tailed, step };
Imbalance parse_imbalance(std::string_view text);  // "none", "long_tailed", "step"; E0304
std::string_view name_of(Imbalance kind);

// f = 1 / ratio, C classes, largest n:   long_tailed  n_c = trunc(n f^(c / (C - 1)))
//                                        step         n_c = n in the first C / 2 classes, trunc(n f) in the others
// both in f64. E0304 for a ratio that is not a number of at least 1, or that leaves a class without samples.
std::vector<std::int64_t> imbalanced_counts(Imbalance kind, double ratio, std::int64_t largest, std::int64_t classes);

// NumPy's legacy shuffle of RandomState: for i = n-1 .. 1 swap a[i] and a[j], j the first of the stream's numbers,
// masked to the bits of i, that is at most i. std::shuffle and uniform_int_distribution give other orders.
void shuffle_as_numpy(std::span<std::int32_t> values, std::mt19937& generator);

// Indices of the first counts[c] samples of every shuffled class c, class after class. E0304 if a class has fewer
// samples.
std::vector<std::int32_t> select_subset(std::span<const std::int32_t> labels, std::span<const std::int64_t> counts,
                                        std::uint32_t seed);

// The cut of a whole set: `largest` is its largest class. With Imbalance::none all samples in file order.
struct SubsetOptions {
    Imbalance kind = Imbalance::none;
    double ratio = 1;        // data.imbalance_ratio
    std::uint32_t seed = 0;  // data.subset_seed
};
std::vector<std::int32_t> select_subset(const Dataset& set, const SubsetOptions& options);

// Splits a selection by class: of each class's n samples round(n fraction) go to `validation`, but at least one stays
// in `train`; which, is the order of Philox numbers with key (seed, "data/validation") and the sample's index as
// counter: so it depends on the sample, not on the selection it stands in. Both parts keep the selection's order. E0304
// unless 0 <= fraction < 1.
struct HoldOut {
    std::vector<std::int32_t> train{}, validation{};
};
HoldOut hold_out(const Dataset& set, std::span<const std::int32_t> selection, double fraction, std::uint64_t seed);

// Lower-case hex SHA-256 over little-endian 32-bit numbers: the indices; the positions of the samples within their
// class (0 = the first of the class in the file), which do not depend on the order of labels.
std::string index_fingerprint(std::span<const std::int32_t> selection);
std::string position_fingerprint(const Dataset& set, std::span<const std::int32_t> selection);
// SHA-256 over what the samples are, in this order: the label (one byte up to 256 classes, else little-endian 32 bits),
// then the pixels, planar (channel, row, column). For CIFAR-10 these are the bytes of its records.
std::string byte_fingerprint(const ImageSet& set, std::span<const std::int32_t> selection);

}
