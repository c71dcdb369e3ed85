#pragma once
// The paths that a verb works on, one after the other: words as they are, "@list.txt" for a file with one path a line,
// "-" for the lines of standard input, each handed out as soon as it is there. Empty lines are left out, lines may end
// in CR LF. In a list every line is a path, whatever it begins with.
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace bkd {

class InputPaths {
public:
    // InputError E0207 for more than one "-".
    explicit InputPaths(const std::vector<std::string>& words);

    // The next path; nothing after the last. InputError E0501 .. E0504 and E0407 of a list, E0407 for a line of more
    // than 1 MiB, E0504 if standard input cannot be read.
    std::optional<std::string> next();

private:
    void read_list(const std::string& path);

    std::deque<std::string> words_;
    std::deque<std::string> listed_;  // of the list at hand
    bool in_standard_input_ = false;
};

}
