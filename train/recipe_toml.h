#pragma once
// TOML text to leaves: dotted path, value, and where both stand. Recipe files and the values of overrides pass here.
//
// The text is scanned first (recipe_scan.h). Tables, dotted keys and inline tables all become leaves; a table without
// keys is a leaf of kind `table`. Nesting is limited to 16, leaves to 10 000. Nothing here knows which keys there are.
#include "train/recipe_value.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

struct TomlPlace {
    std::uint32_t line = 0, column = 0, length = 0;  // from 1; length of what stands there, 0 if unknown
};

struct TomlLeaf {
    std::string path;
    TomlValue value;
    TomlPlace key_place, value_place;
};

struct TomlDocument {
    std::string file;  // as shown in messages
    std::string text;
    std::vector<TomlLeaf> leaves;  // in the order of the file

    std::string at(const TomlPlace& place) const;  // "exp.toml:14:1"
    // The line, cut to 100 columns, and under it "^~~~~": the `source` of an InputError.
    std::string marked_line(const TomlPlace& place) const;
};

// InputError E0301 (syntax, with a hint; of a key given twice both places), E0306 (limits).
TomlDocument parse_toml(std::string text, std::string file);

// The value of an override. Empty if `text` is no TOML value.
std::optional<TomlValue> parse_toml_value(std::string_view text);

}
