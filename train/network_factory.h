#pragma once
// How the trainer gets its networks: from a function of the number of classes and the stage's parts, so that a method
// with heads or branches of its own brings a network that has them.
#include "models/network.h"
#include "train/stage.h"

#include <functional>

namespace bkd {

using NetworkFactory = std::function<std::unique_ptr<Network>(std::int64_t classes, std::span<const Part> parts)>;

// Networks of models/list.inc. The one part they know is "head", of kind "linear" or "cosine"; without it the
// classifier is that of `options`. InputError E0304 for another part or kind.
NetworkFactory network_factory(const NetworkOptions& options);

}
