#pragma once
// The look at a recipe's bytes before the TOML parser sees them: refuses what that parser cannot take.
//
// The parser recurses over the parts of a dotted key and has no answer to a bare key beyond ASCII, so size, line length
// and dots are limited here, and the text must be UTF-8 without NUL. Strings and comments are told from the rest.
#include <string>
#include <string_view>

namespace bkd {

struct ScanLimits {
    std::size_t bytes = 1 << 20;
    std::size_t line_bytes = 4096;
    std::size_t key_dots = 16;   // in one key or header
    std::size_t line_dots = 64;  // outside strings and comments
};

// InputError E0301 (not text, lone carriage return, bare key beyond ASCII) or E0306 (a limit), with file:line:col.
void scan_toml(std::string_view text, const std::string& file, const ScanLimits& limits = {});

}
