#pragma once
// The presets: what `preset = "paper"` and `preset = "code"` stand for, as plain values of plain keys.
//
// "paper"  the paper's text decides; where it is silent its authors' code; then the code that one stands on; then we.
// "code"   what the public code does. A row may hold for some data sets or methods only. Explicit values replace it.
#include <span>
#include <string_view>
#include <vector>

namespace bkd {

struct PresetValue {
    std::string_view key, value;    // value as TOML
    std::string_view presets = "";  // names separated by blanks, as below; empty: all
    std::string_view data_sets = "";
    std::string_view methods = "";
    std::string_view source = "";  // "D1": row of docs/paper-and-code.md
};

std::span<const PresetValue> preset_values();

// The rows that hold, at most one for a key.
std::vector<const PresetValue*> preset_values_for(std::string_view preset, std::string_view data_set,
                                                  std::string_view method);

}
