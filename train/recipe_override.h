#pragma once
// Overrides, `key=value` on the command line: split into path, operation and value.
//
//   optim.lr=0.05                 the value is TOML
//   run.name=my run               for keys that take a text, what is no TOML is taken as it stands
//   schedule.milestones.0=150     one element of a list
//   schedule.milestones+=190      one more element, or a list of them
#include "train/recipe_value.h"

#include <optional>
#include <string>

namespace bkd {

struct Override {
    enum class Action { set, set_element, append };
    std::string path;  // of the list, for an element
    Action action = Action::set;
    std::size_t element = 0;
    const Key* key = nullptr;  // null: there is no such key
    TomlValue value;           // text as it stands where it is no TOML
    std::string provenance;    // override #2 "optim.lr=0.05"
};

// E0205 for what is no override; `number` counts from 1.
Override parse_override(std::size_t number, const std::string& text);

// The list `now` after the override; E0302 for an element it does not have, E0303 for a key that takes no list.
TomlValue changed_list(const Override& change, const std::optional<Value>& now);

}
