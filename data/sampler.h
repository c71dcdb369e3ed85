#pragma once
// Samplers: which samples an epoch of a feed shows, in which order, as a pure function of (key, epoch).
//
//   by image   a permutation of the set, or draws with replacement by a weight for each sample
//   by class   first a class, drawn by a law or next in a random cycle; then one of its samples, drawn with
//              replacement, or next in the class's own cycle, which is shuffled anew at each turn; `in_a_row` samples
//              of a class at a time
//   in order   as listed
//
// clang-format off
//   balanced draw (BBN)         ByClass{}
//   reversed draw (BBN)         ByClass{.law = reversed_law(n)}
//   class-aware, 4 (cRT, LWS)   ByClass{.classes = Take::cycle, .samples = Take::cycle, .in_a_row = 4}
//   bucket-balanced (RIDE)      ByClass{.samples = Take::cycle}
//   by effective number (DRW)   ByImage{image_weights(y, w)}
// clang-format on
//
// Each over all classes or a list of them, with labels numbered anew in the order of the list.
// methods-competitors.md 6.0.4.
#include "data/image_set.h"
#include "kernels/philox.h"

#include <variant>

namespace bkd {

struct ByImage {
    std::vector<double> weights{};  // one for each sample of the set; empty: a permutation
};

enum class Take { draw, cycle };

struct ByClass {
    std::vector<double> law{};  // one for each class of the feed, need not sum to 1; empty: uniform. 0 leaves a class
                                // out; a cycle asks for no more than that
    Take classes = Take::draw;
    Take samples = Take::draw;
    std::int64_t in_a_row = 1;
};

// These samples, in this order, in every epoch: an evaluation.
struct InOrder {
    std::vector<std::int32_t> samples{};
};

using SamplerRule = std::variant<ByImage, ByClass, InOrder>;

struct SamplerOptions {
    SamplerRule rule = ByImage{};
    std::vector<std::int32_t> classes{};  // the feed's classes; empty: all, in order
    std::int64_t length = 0;  // samples in an epoch; 0: as many as the feed's classes have (a permutation: always)
};

std::vector<double> reversed_law(
    std::span<const std::int64_t> counts);  // (n_max / n_c) / sum, methods-competitors.md 6.1
std::vector<double> image_weights(std::span<const std::int32_t> labels, std::span<const double> class_weights);

class Sampler {
public:
    // Copies what it needs of `set`. E0439 for a class of the feed without samples, E0304 for weights that are
    // negative, not finite, all zero or of another number, and for a class listed twice or out of range.
    Sampler(const Dataset& set, SamplerOptions options, PhiloxKey key);

    std::int64_t length() const { return length_; }
    std::int64_t classes() const { return static_cast<std::int64_t>(begin_.size()) - 1; }
    // The label in the feed's numbering; -1 for a class that is not in the feed.
    std::int32_t feed_label(std::int32_t label) const { return feed_labels_[static_cast<std::size_t>(label)]; }

    // Memory that `fill` works in; it grows once.
    struct Scratch {
        std::vector<std::int32_t> classes{}, samples{};
        std::vector<std::size_t> position{};  // in each class's cycle
        std::vector<std::uint32_t> turn{};    // of each class's cycle
    };
    // Writes the indices of one epoch, [length()].
    void fill(std::uint64_t epoch, std::span<std::int32_t> order, Scratch& scratch) const;

private:
    // Numbers 0..n-1 with given probabilities, by the running sums of their weights.
    struct Law {
        std::vector<double> upto{};
        std::vector<std::int32_t> values{};  // those with a positive weight
        std::int32_t draw(double uniform) const;
    };
    static Law law_of(std::span<const double> weights, std::string_view what);
    void collect_samples(const Dataset& set);
    void fill_by_class(const ByClass& rule, std::uint32_t epoch, std::span<std::int32_t> order, Scratch& scratch) const;
    std::int32_t next_of_class(std::size_t c, std::uint32_t epoch, Scratch& scratch) const;

    SamplerOptions options_;
    PhiloxKey key_;
    std::int64_t length_ = 0;
    std::vector<std::int32_t> feed_labels_{};
    std::vector<std::int32_t> samples_{};  // class after class, those of class c at begin_[c]..begin_[c + 1]
    std::vector<std::size_t> begin_{};
    Law law_{};  // of samples (by image with weights) or of classes (by class)
};

}
