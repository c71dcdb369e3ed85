#pragma once
// The images of a run: the splits a stage may name, each resident on the device as bytes, or made batch by batch where
// the set has a source, and what is the same for all.
#include "data/image_set.h"
#include "data/shot_groups.h"
#include "engine/context.h"

#include <map>
#include <string>

namespace bkd {

class RunSplit {
public:
    // `set` must outlive this. mean, deviation: [channels], of values in 0..1. `workers`: threads that make an
    // evaluation's samples where the set has a source, at least 0.
    RunSplit(const Context& ctx, const ImageSet& set, std::span<const float> mean, std::span<const float> deviation,
             std::int64_t workers = 1);

    const ImageSet& set() const { return *set_; }
    std::int64_t workers() const { return workers_; }
    const Tensor& images() const { return images_; }  // [s, h, w, c] u8; empty: the set has a source
    const Tensor& mean() const { return mean_; }      // [c]
    const Tensor& deviation() const { return deviation_; }

private:
    const ImageSet* set_;
    std::int64_t workers_;
    Tensor images_, mean_, deviation_;
};

// Splits by name: "train", "test", "validation". InputError E0304 for a name that is not there.
class Splits {
public:
    void add(const Context& ctx, const std::string& name, const ImageSet& set, std::span<const float> mean,
             std::span<const float> deviation, std::int64_t workers = 1);
    const RunSplit& at(const std::string& name) const;
    bool has(const std::string& name) const { return splits_.contains(name); }

private:
    std::map<std::string, RunSplit> splits_;
};

}
