#include "train/method.h"

namespace bkd {

#define BKD_METHOD(name, summary) std::unique_ptr<Method> make_##name(const MethodOptions&);
#include "train/methods/list.inc"
#undef BKD_METHOD

std::span<const MethodEntry> method_list() {
    static constexpr MethodEntry entries[] = {
#define BKD_METHOD(name, summary) {#name, summary, make_##name},
#include "train/methods/list.inc"
#undef BKD_METHOD
    };
    return entries;
}

std::unique_ptr<Method> make_method(std::string_view name, const MethodOptions& options) {
    std::string names;
    for (const MethodEntry& entry : method_list()) {
        if (entry.name == name) return entry.make(options);
        names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
    }
    throw InputError({.id = 304,
                      .what = fmt::format("no method is called \"{}\"", printable(name)),
                      .at = options.recipe.at("method.name"),
                      .try_ = "one of: " + names});
}

}
