#include "tools/inspect/inspect.h"
#include "train/run_settings.h"

#include <cstdio>

namespace bkd {
namespace {

Json value_json(const Value& value) {
    return std::visit(
        [](const auto& v) -> Json {
            if constexpr (requires { Json(v); })
                return Json(v);
            else
                return Json::array(v);
        },
        value);
}

Json recipe_json(const Recipe& recipe) {
    Json::Array values;
    for (const auto& [path, leaf] : recipe.leaves())
        values.push_back(Json::Object{{"key", path},
                                      {"value", value_json(leaf.value)},
                                      {"from", leaf.provenance},
                                      {"affects_results", leaf.key->effect == KeyEffect::result}});
    return Json::Object{{"schema", "bkd.recipe/1"},
                        {"name", recipe.name()},
                        {"config_hash", recipe.hash()},
                        {"values", values},
                        {"warnings", Json::array(recipe.warnings)}};
}

}

void inspect_recipe(const Recipe& recipe, bool as_json) {
    // First: a value that was read is printed as one that is in use.
    const std::string text = as_json ? recipe_json(recipe).dump() + "\n" : recipe.print();
    check_recipe(recipe);
    fmt::print("{}", text);
}

}
