#pragma once
// Patterns of names: '*' stands for any run of characters, the dots included; the rest is itself.
// "layer*.conv1.weight".
#include <optional>
#include <string>
#include <string_view>

namespace bkd {

bool matches(std::string_view pattern, std::string_view name);

// The name that `to` makes of `name`, each '*' of it standing for what the same '*' of `from` does (the shortest runs,
// from the left); nothing if `from` does not match. ("fc.*", "meta.hallucinator.*", "fc.weight") ->
// "meta.hallucinator.weight"
std::optional<std::string> renamed(std::string_view from, std::string_view to, std::string_view name);

}
