#include "tools/input_paths.h"

#include "engine/file.h"

#include <algorithm>
#include <cstdio>

namespace bkd {
namespace {

constexpr std::uint64_t list_budget = std::uint64_t{64} << 20;
constexpr std::size_t line_budget = std::size_t{1} << 20;

// One line without its end; nothing at the end of the input.
std::optional<std::string> line_of_standard_input() {
    std::string line;
    int c = std::getc(stdin);
    if (c == EOF && std::ferror(stdin) == 0) return std::nullopt;
    for (; c != EOF && c != '\n'; c = std::getc(stdin)) {
        if (line.size() == line_budget)
            throw InputError({.id = 407, .what = "a line has more than 1 MiB", .at = "standard input"});
        line += static_cast<char>(c);
    }
    if (std::ferror(stdin) != 0)
        throw InputError({.id = 504, .what = "standard input cannot be read", .at = "standard input"});
    if (line.ends_with('\r')) line.pop_back();
    return line;
}

}

InputPaths::InputPaths(const std::vector<std::string>& words) : words_(words.begin(), words.end()) {
    if (std::ranges::count(words, "-") > 1)
        throw InputError({.id = 207, .what = "standard input is one list: \"-\" stands for it once"});
}

std::optional<std::string> InputPaths::next() {
    while (true) {
        while (in_standard_input_) {
            std::optional<std::string> line = line_of_standard_input();
            if (!line) in_standard_input_ = false;
            if (line && !line->empty()) return line;
        }
        std::deque<std::string>& from = listed_.empty() ? words_ : listed_;
        if (from.empty()) return std::nullopt;
        const bool is_word = &from == &words_;
        std::string path = std::move(from.front());
        from.pop_front();
        if (is_word && path == "-")
            in_standard_input_ = true;
        else if (is_word && path.starts_with("@"))
            read_list(path.substr(1));
        else
            return path;
    }
}

void InputPaths::read_list(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path, list_budget, "@" + path);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!line.empty()) listed_.emplace_back(line);
        at = end + 1;
    }
}

}
