#include "train/name_pattern.h"

#include <vector>

namespace bkd {
namespace {

// What each '*' stands for is appended to `runs`.
bool match(std::string_view pattern, std::string_view name, std::vector<std::string_view>& runs) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) return pattern == name;
    if (!name.starts_with(pattern.substr(0, star))) return false;
    const std::string_view rest = pattern.substr(star + 1), tail = name.substr(star);
    for (std::size_t taken = 0; taken <= tail.size(); ++taken) {
        runs.push_back(tail.substr(0, taken));
        const std::size_t before = runs.size();
        if (match(rest, tail.substr(taken), runs)) return true;
        runs.resize(before - 1);
    }
    return false;
}

}

bool matches(std::string_view pattern, std::string_view name) {
    std::vector<std::string_view> runs;
    return match(pattern, name, runs);
}

std::optional<std::string> renamed(std::string_view from, std::string_view to, std::string_view name) {
    std::vector<std::string_view> runs;
    if (!match(from, name, runs)) return std::nullopt;
    std::string result;
    std::size_t run = 0;
    for (const char c : to) {
        if (c != '*')
            result += c;
        else if (run < runs.size())
            result += runs[run++];
    }
    return result;
}

}
