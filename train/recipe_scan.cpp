#include "train/recipe_scan.h"

#include "kernels/error.h"

#include <fmt/format.h>

namespace bkd {
namespace {

enum class Region { plain, comment, basic, literal, basic_lines, literal_lines };

class Scanner {
public:
    Scanner(std::string_view text, const std::string& file, const ScanLimits& limits)
        : text_(text), file_(file), limits_(limits) {}

    void scan() {
        if (text_.size() > limits_.bytes)
            throw InputError({.id = 306,
                              .what = fmt::format("recipe has {} bytes", text_.size()),
                              .at = file_,
                              .why = fmt::format("the limit is {} bytes", limits_.bytes)});
        while (position_ < text_.size()) step();
    }

private:
    std::string place() const { return fmt::format("{}:{}:{}", file_, line_, column_); }

    [[noreturn]] void fail(int id, std::string what, std::string why = {}, std::string advice = {}) const {
        throw InputError(
            {.id = id, .what = std::move(what), .at = place(), .why = std::move(why), .try_ = std::move(advice)});
    }

    void step() {
        const std::string_view rest = text_.substr(position_);
        const std::size_t length = utf8_length(rest);
        const bool is_utf16 = position_ == 0 && (rest.starts_with("\xFF\xFE") || rest.starts_with("\xFE\xFF"));
        if (rest[0] == '\0') fail(301, "recipe has a NUL byte", "text has none", "save the file as UTF-8 text");
        if (length == 0)
            fail(301,
                 fmt::format("recipe has byte 0x{:02x}, which is not UTF-8 text", static_cast<unsigned char>(rest[0])),
                 {}, is_utf16 ? "this is UTF-16: save it as UTF-8" : "save the file as UTF-8");
        if (rest[0] == '\r' && !rest.starts_with("\r\n"))
            fail(301, "a carriage return without a line feed", {}, "end lines with \\n or \\r\\n");
        if (rest[0] == '\n')
            next_line();
        else
            classify(rest, length);
    }

    void next_line() {
        ++position_;
        ++line_;
        column_ = 1;
        line_start_ = position_;
        line_dots_ = key_dots_ = 0;
        if (region_ != Region::basic_lines && region_ != Region::literal_lines) region_ = Region::plain;
    }

    void classify(std::string_view rest, std::size_t length) {
        std::size_t taken = length;
        switch (region_) {
            case Region::comment:
                break;
            case Region::basic:
            case Region::basic_lines:
                taken = in_basic(rest, length);
                break;
            case Region::literal:
                if (rest[0] == '\'') region_ = Region::plain;
                break;
            case Region::literal_lines:
                if (rest.starts_with("'''")) {
                    region_ = Region::plain;
                    taken = 3;
                }
                break;
            case Region::plain:
                taken = in_plain(rest, length);
                break;
        }
        position_ += taken;
        column_ += taken > length ? taken : 1;
        if (position_ - line_start_ > limits_.line_bytes)
            fail(306, fmt::format("line {} has more than {} bytes", line_, limits_.line_bytes));
    }

    std::size_t in_basic(std::string_view rest, std::size_t length) {
        // An escaped quote ends nothing; an escaped line end is left to next_line().
        if (rest[0] == '\\' && rest.size() > 1 && (rest[1] == '"' || rest[1] == '\\')) return 2;
        const std::string_view end = region_ == Region::basic ? "\"" : "\"\"\"";
        if (!rest.starts_with(end)) return length;
        region_ = Region::plain;
        return end.size();
    }

    std::size_t in_plain(std::string_view rest, std::size_t length) {
        const bool is_mark = position_ == 0 && rest.starts_with("\xEF\xBB\xBF");
        if (length > 1 && !is_mark)
            fail(301, fmt::format("\"{}\" stands outside quotes", rest.substr(0, length)),
                 "keys without quotes are A-Z a-z 0-9 _ -", "put it in quotes");
        switch (rest[0]) {
            case '#':
                region_ = Region::comment;
                break;
            case '"':
                region_ = rest.starts_with("\"\"\"") ? Region::basic_lines : Region::basic;
                return region_ == Region::basic_lines ? 3 : 1;
            case '\'':
                region_ = rest.starts_with("'''") ? Region::literal_lines : Region::literal;
                return region_ == Region::literal_lines ? 3 : 1;
            case '.':
                count_dot();
                break;
            case '=':
            case ',':
            case '{':
            case '[':
                key_dots_ = 0;
                break;
            default:
                break;
        }
        return length;
    }

    void count_dot() {
        if (++key_dots_ > limits_.key_dots) fail(306, fmt::format("a key of more than {} parts", limits_.key_dots + 1));
        if (++line_dots_ > limits_.line_dots)
            fail(306, fmt::format("line {} has more than {} dots outside quotes", line_, limits_.line_dots));
    }

    std::string_view text_;
    std::string file_;
    ScanLimits limits_;
    Region region_ = Region::plain;
    std::size_t position_ = 0, line_start_ = 0, line_ = 1, column_ = 1, key_dots_ = 0, line_dots_ = 0;
};

}

void scan_toml(std::string_view text, const std::string& file, const ScanLimits& limits) {
    Scanner(text, file, limits).scan();
}

}
