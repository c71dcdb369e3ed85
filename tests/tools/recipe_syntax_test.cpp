// T2 to T16, T37: recipes that are no text, no TOML, or too much of it.
#include "tests/tools/recipe_cases.h"

#include <string>

namespace bkd::test {
namespace {

using namespace std::string_literals;

std::string many_values(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += fmt::format("a{} = 1\n", i);
    return text;
}

}

TEST_CASE("T2 to T6: a recipe is UTF-8 text of at most 1 MiB") {
    check_cases({
        {"T2 empty", "", R"(error[E0303]: model.name, data.name are required
  at:  exp.toml
  try: a [table] with name = "..." for each
)"},
        {"T3 1 MiB and a byte", std::string((1 << 20) + 1, '\n'),
         R"(error[E0306]: exp.toml has 1048577 bytes, at most 1048576 are read
  why: a recipe has at most 1048576 bytes
)"},
        {"T3 1 MiB", with(std::string((1 << 20) - required.size(), '\n')), ""},
        {"T4 byte order mark", "\xef\xbb\xbf" + required, ""},
        {"T5 CRLF", "data.name = \"cifar10\"\r\nmodel.name = \"resnet8\"\r\n", ""},
        {"T5 lone CR", "a = 1\rb = 2\n", R"(error[E0301]: a carriage return without a line feed
  at:  exp.toml:1:6
  try: end lines with \n or \r\n
)"},
        {"T6 UTF-16",
         "\xff\xfe"
         "a\0"s,
         R"(error[E0301]: recipe has byte 0xff, which is not UTF-8 text
  at:  exp.toml:1:1
  try: this is UTF-16: save it as UTF-8
)"},
        {"T6 invalid UTF-8", "a = \"\xc3(\"\n", R"(error[E0301]: recipe has byte 0xc3, which is not UTF-8 text
  at:  exp.toml:1:6
  try: save the file as UTF-8
)"},
        {"T6 overlong UTF-8", "a = \"\xc0\xaf\"\n", R"(error[E0301]: recipe has byte 0xc0, which is not UTF-8 text
  at:  exp.toml:1:6
  try: save the file as UTF-8
)"},
        {"T6 NUL", "a = 1\0\n"s, R"(error[E0301]: recipe has a NUL byte
  at:  exp.toml:1:6
  why: text has none
  try: save the file as UTF-8 text
)"},
        {"T6 NUL in a comment", "# x\0y\n"s, R"(error[E0301]: recipe has a NUL byte
  at:  exp.toml:1:4
  why: text has none
  try: save the file as UTF-8 text
)"},
    });
}

TEST_CASE("T7, T37: what is given twice is refused with both places") {
    check_cases({
        {"T7 key twice", "a = 1\na = 2\n",
         R"(error[E0301]: not TOML: key-value pair: cannot redefine existing integer 'a'
  at:  exp.toml:2:5
       a = 2
           ^
  why: first given at exp.toml:1:1
  try: keep one of the two
)"},
        {"T7 table twice", "[optim]\nlr = 1\n[optim]\n",
         R"(error[E0301]: not TOML: table header: cannot redefine existing table 'optim'
  at:  exp.toml:3:1
       [optim]
       ^
  why: first given at exp.toml:1:2
  try: keep one of the two
)"},
        {"T7 dotted after table", "[a.b]\nc = 1\n[a]\nb.d = 2\n",
         R"(error[E0301]: not TOML: key-value pair: cannot redefine existing table as dotted key-value pair
  at:  exp.toml:4:1
       b.d = 2
       ^
  why: first given at exp.toml:1:4
  try: keep one of the two
)"},
        {"T7 inline table extended", "a = {b = 1}\na.c = 2\n",
         R"(error[E0301]: not TOML: key-value pair: cannot redefine existing table as dotted key-value pair
  at:  exp.toml:2:1
       a.c = 2
       ^
  why: first given at exp.toml:1:1
  try: keep one of the two
)"},
        {"T37 base twice", "base = \"x.toml\"\nbase = \"y.toml\"\n",
         R"(error[E0301]: not TOML: key-value pair: cannot redefine existing string 'base'
  at:  exp.toml:2:8
       base = "y.toml"
              ^
  why: first given at exp.toml:1:1
  try: keep one of the two
)"},
    });
}

TEST_CASE("T8, T9, T11, T12: what is no value is refused with what to write instead") {
    check_cases({
        {"T8 leading zero", "a = 01\n", R"(error[E0301]: not TOML: decimal integer: leading zeroes are prohibited
  at:  exp.toml:1:7
       a = 01
             ^
  try: write the number without leading zeros
)"},
        {"T8 5.", "a = 5.\n", R"(error[E0301]: not TOML: floating-point: expected decimal digit, saw '\n'
  at:  exp.toml:1:7
       a = 5.
             ^
  try: write digits on both sides of the point: 0.5
)"},
        {"T8 .5", "a = .5\n", R"(error[E0301]: not TOML: floating-point: expected decimal digit, saw '.'
  at:  exp.toml:1:5
       a = .5
           ^
  try: write digits on both sides of the point: 0.5
)"},
        {"T8 True", "a = True\n", R"(error[E0301]: not TOML: boolean: expected 'true', saw 'T'
  at:  exp.toml:1:5
       a = True
           ^
  try: true and false are written in lower case
)"},
        {"T8 yes", "a = yes\n", R"(error[E0301]: not TOML: value: could not determine value type
  at:  exp.toml:1:5
       a = yes
           ^
  try: true and false are written in lower case
)"},
        {"T8 bare word", "a = resnet8\n", R"(error[E0301]: not TOML: value: could not determine value type
  at:  exp.toml:1:5
       a = resnet8
           ^
  try: a text needs quotes: "..."
)"},
        {"T8 missing value", "a =\n", R"(error[E0301]: not TOML: key-value pair: expected value, saw '\n'
  at:  exp.toml:1:4
       a =
          ^
  try: write a value after =
)"},
        {"T8 colon", "a: 1\n", R"(error[E0301]: not TOML: key-value pair: expected '=', saw ':'
  at:  exp.toml:1:2
       a: 1
        ^
  try: write key = value, with =
)"},
        {"T8 semicolon", "a = 1;\n", R"(error[E0301]: not TOML: decimal integer: expected digit, saw ';'
  at:  exp.toml:1:6
       a = 1;
            ^
  try: end the line without ;
)"},
        {"T8 two pairs on a line", "a = 1 b = 2\n",
         R"(error[E0301]: not TOML: key-value pair: expected a comment or whitespace, saw 'b'
  at:  exp.toml:1:7
       a = 1 b = 2
             ^
  try: write one key = value on a line
)"},
        {"T8 no pair", "just words\n", R"(error[E0301]: not TOML: key-value pair: expected '=', saw 'w'
  at:  exp.toml:1:6
       just words
            ^
  try: write key = value
)"},
        {"header without a key", "[\n",
         R"(error[E0301]: not TOML: key: expected bare key starting character or string delimiter, saw '\n'
  at:  exp.toml:1:2
       [
        ^
)"},
        {"T8 open quote", "a = \"x\n",
         R"(error[E0301]: not TOML: string: unescaped control characters other than TAB (U+0009) are explicitly prohibited
  at:  exp.toml:1:7
       a = "x
             ^
  try: close the text with a quote on its line
)"},
        {"T9 2^63", "a = 9223372036854775808\n",
         R"(error[E0301]: not TOML: decimal integer: '9223372036854775808' is not representable in 64 bits
  at:  exp.toml:1:24
       a = 9223372036854775808
                              ^
  try: whole numbers end at 9223372036854775807
)"},
        {"T11 1e400", "a = 1e400\n",
         R"(error[E0301]: not TOML: floating-point: '1e400' could not be interpreted as a value
  at:  exp.toml:1:10
       a = 1e400
                ^
  try: numbers end at 1.7e308
)"},
        {"T12 date", with("[run]\nseed = 2024-01-01\n"), R"(error[E0304]: run.seed is a date or time, 2024-01-01
  at:  exp.toml:4:8
       seed = 2024-01-01
              ^~~~~~~~~~
  why: no key takes a date
)"},
        {"T12 time", with("[run]\nname = 07:32:00\n"), R"(error[E0304]: run.name is a date or time, 07:32:00
  at:  exp.toml:4:8
       name = 07:32:00
              ^~~~~~~~
  why: no key takes a date
)"},
        {"T12 date and time", with("[optim]\nlr = 2024-01-01T07:32:00Z\n"),
         R"(error[E0304]: optim.lr is a date or time, 2024-01-01T07:32:00Z
  at:  exp.toml:4:6
       lr = 2024-01-01T07:32:00Z
            ^~~~~~~~~~~~~~~~~~~~
  why: no key takes a date
)"},
    });
}

TEST_CASE("T13 to T16: what would harm the parser is refused before it") {
    check_cases({
        {"T13 300 nested arrays", "a = " + times(300, "[") + times(300, "]") + "\n",
         R"(error[E0301]: not TOML: value: exceeded maximum nested value depth of 16
  at:  exp.toml:1:21
       a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
                           ^
)"},
        {"T13 100,000 nested arrays", "a = " + times(100000, "[\n") + times(100000, "]\n"),
         R"(error[E0301]: not TOML: value: exceeded maximum nested value depth of 16
  at:  exp.toml:17:1
       [
       ^
)"},
        {"T13 300 nested tables", "a = " + times(300, "{a = ") + "1" + times(300, "}") + "\n",
         R"(error[E0301]: not TOML: value: exceeded maximum nested value depth of 16
  at:  exp.toml:1:85
       {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = {a = 
                           ^
)"},
        {"T14 dotted key of 100,001 parts", "a" + times(100000, ".a") + " = 1\n",
         R"(error[E0306]: a key of more than 17 parts
  at:  exp.toml:1:34
)"},
        {"T14 header of 100,001 parts", "[a" + times(100000, ".a") + "]\n", R"(error[E0306]: a key of more than 17 parts
  at:  exp.toml:1:35
)"},
        {"T14 header of 18 parts", "[a" + times(17, ".a") + "]\n", R"(error[E0306]: a key of more than 17 parts
  at:  exp.toml:1:35
)"},
        {"T14 65 dots on a line", "a = [" + times(65, "1.0, ") + "]\n",
         R"(error[E0306]: line 1 has more than 64 dots outside quotes
  at:  exp.toml:1:327
)"},
        {"T15 key beyond ASCII", "\xc3\xa9 = 1\n", R"(error[E0301]: "é" stands outside quotes
  at:  exp.toml:1:1
  why: keys without quotes are A-Z a-z 0-9 _ -
  try: put it in quotes
)"},
        {"T15 the same in quotes", with("\"\xc3\xa9\" = 1\n"), R"(error[E0302]: unknown key ""é""
  at:  exp.toml:3:1
       "é" = 1
       ^~~
  try: one of: recipe, base, preset, [run], [data], [model], [method], [weights], [ce], [cb], [kd], [bkd], [mixup], [teacher], [batch], [optim], [schedule], [train], [text], [ride], [stages], [eval], [compute], [dist], [checkpoint], [log]
)"},
        {"T16 line of 4,097 bytes", with("#" + times(4096, "x") + "\n"),
         R"(error[E0306]: line 3 has more than 4096 bytes
  at:  exp.toml:3:4098
)"},
        {"T16 line of 4,096 bytes", with("#" + times(4095, "x") + "\n"), ""},
        {"10,001 values", many_values(10001), R"(error[E0306]: recipe has more than 10000 values
  at:  exp.toml
)"},
    });
}

}
