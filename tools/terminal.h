#pragma once
// What is said beside results, and what the terminal can show. No locale is set; the environment is only asked whether
// the codeset is UTF-8.
#include <fmt/core.h>

#include <cstdio>
#include <utility>

namespace bkd {

// Warnings and what is going on, on standard error; lost where that takes nothing.
template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    std::fputs(fmt::format(format, std::forward<Arguments>(arguments)...).c_str(), stderr);
}

struct Terminal {
    Terminal();
    bool is_terminal = false;  // standard error is one
    bool utf8 = false;
    int columns = 80;  // of standard error, at most 100
};

}
