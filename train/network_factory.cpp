#include "train/network_factory.h"

namespace bkd {

NetworkFactory network_factory(const NetworkOptions& options) {
    return [options](std::int64_t classes, std::span<const Part> parts) {
        NetworkOptions wanted = options;
        wanted.classes = classes;
        for (const Part& part : parts) {
            if (part.name != "head")
                throw InputError({.id = 304,
                                  .what = fmt::format("network {} has no part \"{}\"", options.name, part.name),
                                  .at = "model.name"});
            wanted.classifier = part.kind;
        }
        return make_network(wanted);
    };
}

}
