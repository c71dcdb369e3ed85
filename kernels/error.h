#pragma once
// Two kinds of failure, told apart by whose fault it is.
//
//   InputError   the user's input: a file, a recipe, an option, a machine. Carries what, where, why and what to do, and
//                an id "Ennmm" whose nn is the exit code of the program. Printed by tools/ in one fixed form.
//   LogicError   a programmer's mistake, thrown by BKD_CHECK with the shapes in its message: exit code 70.
#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace bkd {

class InputError : public std::runtime_error {
public:
    // A member that is empty is left out of the message.
    struct Parts {
        int id = 0;            // 413 for E0413: exit code times 100 plus a number of its own
        std::string what;      // what is wrong, with the value seen
        std::string at{};      // file:line:col, override #n, option, or file @ byte offset
        std::string source{};  // the source line and, under it, a marker: two lines
        std::string why{};     // the rule broken, with its limit
        std::string try_{};    // one concrete action
    };
    explicit InputError(Parts parts);

    const Parts& parts() const { return parts_; }
    int exit_code() const { return parts_.id / 100; }
    std::string id() const;       // "E0413"
    std::string message() const;  // "error[E0413]: ...", then lines "  at:  ...", "  why: ...", "  try: ..."

private:
    Parts parts_;
};

class LogicError : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* function, const char* condition, const std::string& detail);

// Text from strangers (names, paths, classes) made safe to print: C0, DEL, C1, marks of text direction and invalid
// UTF-8 as \xNN, cut at 200 characters with a count of what is left out.
std::string printable(std::string_view text);

// `text` with A-Z as a-z, whatever the locale.
std::string lower_case(std::string_view text);

// Length in bytes of the valid UTF-8 sequence at the start of a text that is not empty, 0 if there is none.
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);  // all of it

}

// BKD_CHECK(x.rank() == 4, "x {} is no image batch", x.shape.str()): throws LogicError
// "op: x.rank() == 4: x [2, 3] is ...".
#define BKD_CHECK(condition, ...) \
    (static_cast<bool>(condition) ? void() : ::bkd::fail_check(__func__, #condition, fmt::format(__VA_ARGS__)))
