#include "models/network.h"

namespace bkd {

#define BKD_NETWORK(name, builder, trait, summary) std::unique_ptr<Network> make_##builder(const NetworkOptions&);
#include "models/list.inc"
#undef BKD_NETWORK

std::vector<NetworkEntry> network_list() {
    return {
#define BKD_NETWORK(name, builder, trait, summary) {#name, NetworkTrait::trait, summary},
#include "models/list.inc"
#undef BKD_NETWORK
    };
}

NetworkTrait network_trait(std::string_view name) {
    for (const NetworkEntry& entry : network_list())
        if (name == entry.name) return entry.trait;
    return NetworkTrait::none;
}

namespace {

void refuse_foreign_options(const NetworkOptions& o, NetworkTrait trait) {
    const auto refuse = [&](const char* key, const char* who) {
        throw InputError({.id = 304,
                          .what = fmt::format("{} has no effect on {}", key, o.name),
                          .at = key,
                          .why = fmt::format("{} have it", who),
                          .try_ = "remove it"});
    };
    if (trait != NetworkTrait::stem && !o.stem.empty()) refuse("model.stem", "ImageNet ResNets");
    if (trait == NetworkTrait::experts) return;
    if (o.experts != 0) refuse("model.experts", "ensembles");
    if (o.reduces_width) refuse("model.reduce_dimension", "ensembles");
}

}

std::unique_ptr<Network> make_network(const NetworkOptions& options) {
#define BKD_NETWORK(id, builder, trait, summary)              \
    if (options.name == #id) {                                \
        refuse_foreign_options(options, NetworkTrait::trait); \
        return make_##builder(options);                       \
    }
#include "models/list.inc"
#undef BKD_NETWORK
    std::string names;
    for (const NetworkEntry& entry : network_list())
        names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
    throw InputError({.id = 304,
                      .what = fmt::format("no network is called \"{}\"", printable(options.name)),
                      .at = "model.name",
                      .try_ = "one of: " + names});
}

}
