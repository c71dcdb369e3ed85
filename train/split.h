#pragma once
// The images of a run: the splits a stage may name, each resident on the device as bytes, and what is the same for all.
#include "data/image_set.h"
#include "data/shot_groups.h"
#include "engine/context.h"

#include <map>
#include <string>

namespace bkd {

class ResidentSplit {
public:
    // `set` must outlive this. mean, deviation: [channels], of values in 0..1.
    ResidentSplit(const Context& ctx, const ImageSet& set, std::span<const float> mean,
                  std::span<const float> deviation);

    const ImageSet& set() const { return *set_; }
    const Tensor& images() const { return images_; }  // [s, h, w, c] u8
    const Tensor& mean() const { return mean_; }      // [c]
    const Tensor& deviation() const { return deviation_; }

private:
    const ImageSet* set_;
    Tensor images_, mean_, deviation_;
};

// Splits by name: "train", "test", "validation". InputError E0304 for a name that is not there.
class Splits {
public:
    void add(const Context& ctx, const std::string& name, const ImageSet& set, std::span<const float> mean,
             std::span<const float> deviation);
    const ResidentSplit& at(const std::string& name) const;
    bool has(const std::string& name) const { return splits_.contains(name); }

private:
    std::map<std::string, ResidentSplit> splits_;
};

}
