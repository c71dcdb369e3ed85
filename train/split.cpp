#include "train/split.h"

namespace bkd {

RunSplit::RunSplit(const Context& ctx, const ImageSet& set, std::span<const float> mean,
                   std::span<const float> deviation, std::int64_t workers)
    : set_(&set),
      workers_(workers),
      images_(set.source ? Tensor()
                         : ctx.upload({set.size(), set.height, set.width, set.channels}, std::span(set.images))),
      mean_(ctx.upload({set.channels}, mean)),
      deviation_(ctx.upload({set.channels}, deviation)) {}

void Splits::add(const Context& ctx, const std::string& name, const ImageSet& set, std::span<const float> mean,
                 std::span<const float> deviation, std::int64_t workers) {
    splits_.try_emplace(name, ctx, set, mean, deviation, workers);
}

const RunSplit& Splits::at(const std::string& name) const {
    const auto found = splits_.find(name);
    if (found != splits_.end()) return found->second;
    std::string names;
    for (const auto& [known, split] : splits_) names += (names.empty() ? "" : ", ") + known;
    throw InputError({.id = 304,
                      .what = fmt::format("there is no split \"{}\" in this run", printable(name)),
                      .at = "eval.split",
                      .try_ = fmt::format("one of: {}; data.split holds out a validation part", names)});
}

}
