#include "models/network.h"

namespace bkd {

#define BKD_NETWORK(name, builder, summary) std::unique_ptr<Network> make_##builder(const NetworkOptions&);
#include "models/list.inc"
#undef BKD_NETWORK

std::vector<NetworkEntry> network_list() {
    return {
#define BKD_NETWORK(name, builder, summary) {#name, summary},
#include "models/list.inc"
#undef BKD_NETWORK
    };
}

std::unique_ptr<Network> make_network(const NetworkOptions& options) {
#define BKD_NETWORK(id, builder, summary) \
    if (options.name == #id) return make_##builder(options);
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
