// The only recursion is skip_value's, at most four deep.
#include "engine/header_text.h"

#include <algorithm>
#include <charconv>

namespace bkd {
namespace {

constexpr int max_depth = 4;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string utf8_of(std::uint32_t point) {
    const auto tail = [point](int shift) { return static_cast<char>(0x80 | (point >> shift & 0x3F)); };
    if (point < 0x80) return {static_cast<char>(point)};
    if (point < 0x800) return {static_cast<char>(0xC0 | point >> 6), tail(0)};
    if (point < 0x10000) return {static_cast<char>(0xE0 | point >> 12), tail(6), tail(0)};
    return {static_cast<char>(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
}

}

void HeaderText::fail(int id, std::size_t at, std::string what, std::string why) const {
    throw InputError({.id = id,
                      .what = std::move(what),
                      .at = fmt::format("{} @ byte {}", printable(path_), 8 + at),
                      .why = std::move(why)});
}

void HeaderText::skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
}

void HeaderText::expect(char wanted) {
    if (at_ >= text_.size()) fail(403, at_, fmt::format("header ends where {} is expected", wanted));
    if (text_[at_] != wanted)
        fail(403, at_, fmt::format("header has {} where {} is expected", printable(text_.substr(at_, 1)), wanted));
    ++at_;
}

void HeaderText::expect_kind(char first, int id, int depth, const char* what) {
    if (peek() == first) return;
    const std::size_t begin = at_;
    skip_value(depth);
    fail(id, begin, what);
}

void HeaderText::expect_end() {
    const std::size_t rest = text_.find_first_not_of(' ', at_);
    if (rest != std::string_view::npos)
        fail(403, rest, "something follows the header's closing }", "only spaces pad a header");
}

// Bytes from `begin` to the quote that ends the text, or to the end of the header.
std::size_t HeaderText::string_length(std::size_t begin) const {
    std::size_t end = begin;
    while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
    return std::min(end, text_.size()) - begin;
}

std::string_view HeaderText::read_string() {
    expect('"');
    const std::size_t begin = at_;
    std::string* decoded = nullptr;  // null while the text stands for itself
    while (peek() != '"') {
        const std::size_t length = at_ < text_.size() ? utf8_length(text_.substr(at_)) : 0;
        if (at_ >= text_.size()) fail(403, begin - 1, "text is not closed by \"");
        if (length == 0) fail(403, at_, "text is not valid UTF-8");
        if (static_cast<unsigned char>(peek()) < 0x20) fail(403, at_, "control byte in a text");
        if (peek() == '\\') {
            if (decoded == nullptr) {
                decoded = &decoded_.emplace_back();
                decoded->reserve(string_length(begin));  // at once: growing would hold the text three times
                *decoded = text_.substr(begin, at_ - begin);
            }
            read_escape(*decoded);
        } else {
            if (decoded != nullptr) *decoded += text_.substr(at_, length);
            at_ += length;
        }
    }
    const std::string_view plain = text_.substr(begin, at_ - begin);
    ++at_;
    return decoded == nullptr ? plain : *decoded;
}

void HeaderText::read_escape(std::string& decoded) {
    const std::size_t begin = at_++;
    const char letter = peek();
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    if (const std::size_t i = letters.find(letter); i != std::string_view::npos) {
        decoded += meanings[i];
        ++at_;
        return;
    }
    if (letter != 'u') fail(403, begin, "unknown escape in a text");
    ++at_;
    std::uint32_t point = read_four_hex_digits();
    if (point >= 0xD800 && point < 0xDC00) {
        // The first half of a pair: the second must follow.
        const bool has_second = text_.substr(at_, 2) == "\\u";
        at_ += has_second ? 2 : 0;
        const std::uint32_t second = has_second ? read_four_hex_digits() : 0;
        if (second < 0xDC00 || second > 0xDFFF) fail(403, begin, "half of a surrogate pair in a text");
        point = 0x10000 + ((point - 0xD800) << 10) + (second - 0xDC00);
    } else if (point >= 0xDC00 && point < 0xE000) {
        fail(403, begin, "half of a surrogate pair in a text");
    }
    decoded += utf8_of(point);
}

std::uint32_t HeaderText::read_four_hex_digits() {
    const std::string_view digits = text_.substr(at_, 4);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() < 4 || error != std::errc{} || end != digits.data() + 4)
        fail(403, at_, "\\u needs four hexadecimal digits");
    at_ += 4;
    return value;
}

std::uint64_t HeaderText::read_digits(int id, const char* what) {
    const std::size_t begin = at_;
    if (peek() == '[' || peek() == '{') skip_value(max_depth);
    while (is_digit(peek())) ++at_;
    const std::string_view digits = text_.substr(begin, at_ - begin);
    const bool ends =
        peek() == ',' || peek() == ']' || peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r';
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool is_whole = error == std::errc{} && end == digits.data() + digits.size();
    if (!is_whole || !ends || (digits.size() > 1 && digits[0] == '0'))
        fail(id, begin, fmt::format("{} must be plain digits below 2^64", what));
    return value;
}

// -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
void HeaderText::skip_number() {
    const auto digits = [this] {
        if (!is_digit(peek())) fail(403, at_, "a digit is expected");
        while (is_digit(peek())) ++at_;
    };
    if (peek() == '-') ++at_;
    if (peek() == '0')
        ++at_;
    else
        digits();
    if (peek() == '.') {
        ++at_;
        digits();
    }
    if (peek() == 'e' || peek() == 'E') {
        ++at_;
        if (peek() == '+' || peek() == '-') ++at_;
        digits();
    }
}

void HeaderText::skip_value(int depth) {
    const char first = peek();
    if ((first == '{' || first == '[') && depth > max_depth)
        fail(403, at_, fmt::format("header is nested deeper than {} levels", max_depth));
    if (first == '{') return read_object([&](std::string_view, std::size_t) { skip_value(depth + 1); });
    if (first == '[') return read_array([&] { skip_value(depth + 1); });
    if (first == '"') return static_cast<void>(read_string());
    if (first == '-' || is_digit(first)) return skip_number();
    for (const std::string_view word : {"null", "true", "false"})
        if (text_.substr(at_, word.size()) == word) return static_cast<void>(at_ += word.size());
    fail(403, at_, "no JSON value here");
}

}
