#include "data/sampler.h"

#include "data/draws.h"
#include "kernels/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bkd {

namespace {

// Last word of the counters, which tells the draws of one key apart; a class's cycle has cycle_purpose + c.
constexpr std::uint32_t permutation_purpose = 0, draw_purpose = 1, class_purpose = 2, cycle_purpose = 3;

[[noreturn]] void refuse(int id, std::string what, std::string why = {}) {
    throw InputError({.id = id, .what = std::move(what), .at = "sampler", .why = std::move(why)});
}

}

std::vector<double> reversed_law(std::span<const std::int64_t> counts) {
    std::vector<double> law;
    for (const std::int64_t n : counts) law.push_back(1 / static_cast<double>(n));
    const double sum = std::accumulate(law.begin(), law.end(), 0.0);
    for (double& p : law) p /= sum;
    return law;
}

std::vector<double> image_weights(std::span<const std::int32_t> labels, std::span<const double> class_weights) {
    std::vector<double> weights;
    weights.reserve(labels.size());
    for (const std::int32_t label : labels) weights.push_back(class_weights[static_cast<std::size_t>(label)]);
    return weights;
}

Sampler::Sampler(const Dataset& set, SamplerOptions options, PhiloxKey key) : options_(std::move(options)), key_(key) {
    collect_samples(set);
    if (const auto* in_order = std::get_if<InOrder>(&options_.rule)) {
        for (const std::int32_t sample : in_order->samples)
            if (sample < 0 || sample >= set.size()) refuse(304, fmt::format("sample {} of {}", sample, set.size()));
        length_ = static_cast<std::int64_t>(in_order->samples.size());
        return;
    }
    const auto in_feed = static_cast<std::int64_t>(samples_.size());
    length_ = options_.length > 0 ? options_.length : in_feed;
    if (const auto* by_image = std::get_if<ByImage>(&options_.rule)) {
        if (by_image->weights.empty()) {
            length_ = in_feed;
            std::ranges::sort(samples_);  // a permutation starts from the order of the set
            return;
        }
        if (by_image->weights.size() != set.labels.size())
            refuse(304, fmt::format("{} image weights for {} samples", by_image->weights.size(), set.labels.size()));
        std::vector<double> weights = by_image->weights;
        for (std::size_t i = 0; i < weights.size(); ++i)
            if (feed_label(set.labels[i]) < 0) weights[i] = 0;
        law_ = law_of(weights, "image weights");
        return;
    }
    ByClass& rule = std::get<ByClass>(options_.rule);
    if (rule.in_a_row < 1) refuse(304, fmt::format("{} samples of a class in a row", rule.in_a_row));
    if (rule.law.empty()) rule.law.assign(begin_.size() - 1, 1);
    if (rule.law.size() != begin_.size() - 1)
        refuse(304, fmt::format("a class law of {} numbers for {} classes", rule.law.size(), begin_.size() - 1));
    law_ = law_of(rule.law, "class law");
}

void Sampler::collect_samples(const Dataset& set) {
    std::vector<std::int32_t>& classes = options_.classes;
    if (classes.empty()) {
        classes.resize(static_cast<std::size_t>(set.classes()));
        std::iota(classes.begin(), classes.end(), 0);
    }
    feed_labels_.assign(static_cast<std::size_t>(set.classes()), -1);
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const std::int32_t c = classes[i];
        if (c < 0 || c >= set.classes()) refuse(304, fmt::format("class {} of {}", c, set.classes()));
        if (feed_label(c) >= 0) refuse(304, fmt::format("class {} is listed twice", c));
        feed_labels_[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(i);
    }
    std::vector<std::vector<std::int32_t>> members(classes.size());
    for (std::size_t i = 0; i < set.labels.size(); ++i)
        if (const std::int32_t c = feed_label(set.labels[i]); c >= 0)
            members[static_cast<std::size_t>(c)].push_back(static_cast<std::int32_t>(i));
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const auto c = static_cast<std::size_t>(classes[i]);
        if (members[i].empty() && !std::holds_alternative<InOrder>(options_.rule))
            refuse(439, fmt::format("class {} ({}) has no samples", c, printable(set.class_names[c])),
                   "a feed cannot show a class without samples");
        begin_.push_back(samples_.size());
        samples_.insert(samples_.end(), members[i].begin(), members[i].end());
    }
    begin_.push_back(samples_.size());
}

Sampler::Law Sampler::law_of(std::span<const double> weights, std::string_view what) {
    Law law;
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (!(weights[i] >= 0) || std::isinf(weights[i])) refuse(304, fmt::format("{}: {} at {}", what, weights[i], i));
        if (weights[i] == 0) continue;
        law.upto.push_back(sum += weights[i]);
        law.values.push_back(static_cast<std::int32_t>(i));
    }
    if (law.values.empty() || std::isinf(sum)) refuse(304, fmt::format("{}: the sum is {}", what, sum));
    return law;
}

std::int32_t Sampler::Law::draw(double uniform) const {
    const auto found = std::ranges::upper_bound(upto, uniform * upto.back()) - upto.begin();
    return values[std::min(static_cast<std::size_t>(found), values.size() - 1)];  // u * sum may round up to sum
}

void Sampler::fill(std::uint64_t epoch, std::span<std::int32_t> order, Scratch& scratch) const {
    BKD_CHECK(static_cast<std::int64_t>(order.size()) == length_, "{} places for {} samples", order.size(), length_);
    const auto epoch_word = static_cast<std::uint32_t>(epoch);
    if (const auto* by_class = std::get_if<ByClass>(&options_.rule)) {
        fill_by_class(*by_class, epoch_word, order, scratch);
    } else if (const auto* in_order = std::get_if<InOrder>(&options_.rule)) {
        std::ranges::copy(in_order->samples, order.begin());
    } else if (law_.values.empty()) {
        std::ranges::copy(samples_, order.begin());
        shuffle_by_philox(order, key_, 0, epoch_word, permutation_purpose);
    } else {
        for (std::size_t k = 0; k < order.size(); ++k) {
            const PhiloxCounter bits = philox({static_cast<std::uint32_t>(k), 0, epoch_word, draw_purpose}, key_);
            order[k] = law_.draw(uniform53(bits[0], bits[1]));
        }
    }
}

void Sampler::fill_by_class(const ByClass& rule, std::uint32_t epoch, std::span<std::int32_t> order,
                            Scratch& scratch) const {
    scratch.samples.resize(samples_.size());
    scratch.turn.assign(begin_.size() - 1, 0);
    scratch.position.resize(begin_.size() - 1);
    for (std::size_t c = 0; c + 1 < begin_.size(); ++c) scratch.position[c] = begin_[c + 1] - begin_[c];
    const std::size_t cycle = law_.values.size();
    std::size_t c = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
        const PhiloxCounter bits = philox({static_cast<std::uint32_t>(k), 0, epoch, draw_purpose}, key_);
        const auto group = k / static_cast<std::size_t>(rule.in_a_row);
        if (k % static_cast<std::size_t>(rule.in_a_row) != 0) {
            // the class of the sample before
        } else if (rule.classes == Take::draw) {
            c = static_cast<std::size_t>(law_.draw(uniform53(bits[0], bits[1])));
        } else {
            if (group % cycle == 0) {
                scratch.classes.assign(law_.values.begin(), law_.values.end());
                shuffle_by_philox(std::span(scratch.classes), key_, static_cast<std::uint32_t>(group / cycle), epoch,
                                  class_purpose);
            }
            c = static_cast<std::size_t>(scratch.classes[group % cycle]);
        }
        if (rule.samples == Take::cycle)
            order[k] = next_of_class(c, epoch, scratch);
        else
            order[k] = samples_[begin_[c] + number_below(bits[2], bits[3], begin_[c + 1] - begin_[c])];
    }
}

std::int32_t Sampler::next_of_class(std::size_t c, std::uint32_t epoch, Scratch& scratch) const {
    const std::size_t begin = begin_[c], count = begin_[c + 1] - begin;
    if (scratch.position[c] == count) {
        const std::span<std::int32_t> own = std::span(scratch.samples).subspan(begin, count);
        std::ranges::copy(std::span(samples_).subspan(begin, count), own.begin());
        shuffle_by_philox(own, key_, scratch.turn[c]++, epoch, cycle_purpose + static_cast<std::uint32_t>(c));
        scratch.position[c] = 0;
    }
    return scratch.samples[begin + scratch.position[c]++];
}

}
