#pragma once
// A cursor over the JSON of a safetensors header: strict UTF-8, valid escapes, no control bytes, at most four levels.
//
//   text.read_object([&](std::string_view key, std::size_t key_at) { shape = ...; });
//
// Each function reads one thing and leaves the cursor behind it, or throws InputError with "path @ byte N". Sibling:
// safetensors_header.cpp, which knows what must stand in a header.
#include "kernels/error.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace bkd {

class HeaderText {
public:
    // `text` begins at byte 8 of the file `path`, and must outlive this object.
    HeaderText(std::string_view text, std::string path) : text_(text), path_(std::move(path)) {}

    std::size_t at() const { return at_; }
    void go_to(std::size_t at) { at_ = at; }
    // `at` is an offset in the header.
    [[noreturn]] void fail(int id, std::size_t at, std::string what, std::string why = {}) const;

    // The next value must begin with `first` ({, [ or "). Another value, if sound JSON, is refused as `id` with `what`;
    // `depth` is the level it would open.
    void expect_kind(char first, int id, int depth, const char* what);
    // Unescaped. The view stays valid as long as this object.
    std::string_view read_string();
    // An unsigned integer of plain digits below 2^64, or InputError `id`.
    std::uint64_t read_digits(int id, const char* what);
    void expect_end();  // nothing but spaces up to the end

    // read_member(key, offset of the key) must read the member's value.
    template <class Read>
    void read_object(Read read_member) {
        read_list('{', '}', [&] {
            const std::size_t key_at = at_;
            const std::string_view key = read_string();
            skip_space();
            expect(':');
            skip_space();
            read_member(key, key_at);
        });
    }
    template <class Read>
    void read_array(Read read_element) {
        read_list('[', ']', read_element);
    }

private:
    template <class Read>
    void read_list(char open, char close, Read read_item) {
        expect(open);
        skip_space();
        while (peek() != close) {
            read_item();
            skip_space();
            if (peek() == close) break;
            expect(',');
            skip_space();
            if (peek() == close) fail(403, at_, "a comma before the closing bracket");
        }
        expect(close);
    }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_space();
    void expect(char wanted);
    std::size_t string_length(std::size_t begin) const;
    void read_escape(std::string& decoded);
    std::uint32_t read_four_hex_digits();
    void skip_number();
    void skip_value(int depth);

    std::string_view text_;
    std::string path_;
    std::size_t at_ = 0;
    std::deque<std::string> decoded_;  // strings that held escapes
};

}
