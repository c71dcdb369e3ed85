#pragma once
// Values of recipe keys: as TOML gives them (TomlValue), and as the key wants them (Value).
//
// checked_value() is the one gate between the two: strict types (no text for a number; a whole number may stand for a
// number), closed ranges, choices, no dates, no NaN. value_text() writes a Value so that it reads back to the same one.
#include "train/schema.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bkd {

struct TomlValue {
    enum class Kind { boolean, integer, number, text, date, list, table };
    Kind kind = Kind::table;  // a table is one without keys: those with keys are their leaves
    bool boolean = false;
    std::int64_t integer = 0;
    double number = 0;
    std::string text{};
    std::vector<TomlValue> list{};
};

using Value =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<std::string>>;

// The value of a key, or InputError E0303 (type), E0304 (range, choice, date, path), E0308 (not in this version). The
// error has no `at`: the caller knows where the value stands. `path` is the key as the user wrote it.
Value checked_value(const Key& key, std::string_view path, const TomlValue& value);

std::string value_text(const Value& value);       // as TOML: 0.1, "en", [160, 180]
std::string shown_value(const TomlValue& value);  // for messages, cut where long

}
