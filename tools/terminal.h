#pragma once
// What the terminal can show. No locale is set; the environment is only asked whether the codeset is UTF-8.
namespace bkd {

struct Terminal {
    Terminal();
    bool is_terminal = false;  // standard error is one
    bool utf8 = false;
    int columns = 80;  // of standard error, at most 100
};

}
