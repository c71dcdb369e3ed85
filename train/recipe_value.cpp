#include "train/recipe_value.h"

#include "kernels/error.h"
#include "train/recipe_toml.h"
#include "train/schema_nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace bkd {
namespace {

using Kind = TomlValue::Kind;

[[noreturn]] void fail(int id, std::string what, std::string_view why = {}, std::string advice = {}) {
    throw InputError({.id = id, .what = std::move(what), .why = std::string(why), .try_ = std::move(advice)});
}

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out += fmt::format("\\{}", c);
        else if (byte < 0x20 || byte == 0x7F)
            out += fmt::format("\\u{:04X}", byte);
        else
            out += c;
    }
    return out + '"';
}

// The shortest text that reads back to the same number and is a TOML float, not an integer.
std::string number_text(double number) {
    std::string text = fmt::format("{}", number);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

// "(0, 100]": whether `number` lies in it. The bounds of integers beyond 2^53 are compared as integers.
template <typename Number>
bool in_range(std::string_view range, Number number) {
    if (range.empty()) return true;
    const std::size_t comma = range.find(',');
    BKD_CHECK(comma != std::string_view::npos && range.size() > comma + 3, "range {} is not like (0, 1]", range);
    Number low{}, high{};
    std::from_chars(range.data() + 1, range.data() + comma, low);
    std::from_chars(range.data() + comma + 2, range.data() + range.size() - 1, high);
    const bool above = range.front() == '[' ? number >= low : number > low;
    const bool below = range.back() == ']' ? number <= high : number < high;
    return above && below;
}

[[noreturn]] void fail_type(const Key& key, std::string_view path, const TomlValue& value) {
    if (value.kind == Kind::date)
        fail(304, fmt::format("{} is a date or time, {}", path, shown_value(value)), "no key takes a date");
    std::string advice;
    const bool wants_number = key.type == KeyType::number || key.type == KeyType::integer;
    const std::optional<TomlValue> bare = value.kind == Kind::text ? parse_toml_value(value.text) : std::nullopt;
    const bool is_bare_number =
        bare && (bare->kind == Kind::integer || (bare->kind == Kind::number && key.type == KeyType::number));
    if (wants_number ? is_bare_number : key.type == KeyType::boolean && bare && bare->kind == Kind::boolean)
        advice = fmt::format("remove the quotes: {} = {}", path, printable(value.text));
    else if (value.kind == Kind::number && key.type == KeyType::integer && std::floor(value.number) == value.number)
        advice = fmt::format("{} = {:.0f}", path, value.number);
    else if (key.type == KeyType::text || key.type == KeyType::choice || key.type == KeyType::path)
        advice = fmt::format("{} = \"...\", in quotes", path);
    fail(303, fmt::format("{} takes {}, got {}", path, type_name(key.type), shown_value(value)), {}, std::move(advice));
}

std::int64_t checked_integer(const Key& key, std::string_view path, const TomlValue& value) {
    if (value.kind == Kind::number && !std::isfinite(value.number))
        fail(304, fmt::format("{} must be finite, got {}", path, shown_value(value)));
    if (value.kind != Kind::integer) fail_type(key, path, value);
    if (key.name == "recipe" && value.integer > 1)
        fail(1006, fmt::format("recipe = {} is newer than this program, which reads recipe = 1", value.integer), {},
             "use the version of bkd that wrote it");
    if (!in_range(key.range, value.integer))
        fail(304, fmt::format("{} must be in {}, got {}", path, key.range, value.integer), key.why);
    return value.integer;
}

double checked_number(const Key& key, std::string_view path, const TomlValue& value) {
    if (value.kind != Kind::integer && value.kind != Kind::number) fail_type(key, path, value);
    const double number = value.kind == Kind::integer ? static_cast<double>(value.integer) : value.number;
    if (!std::isfinite(number) || !in_range(key.range, number))
        fail(304,
             fmt::format("{} must be in {}, got {}", path, key.range.empty() ? "the finite numbers" : key.range,
                         shown_value(value)),
             key.why);
    return number == 0 ? 0.0 : number;  // -0 and 0 are one value
}

void check_path(std::string_view path, const std::string& text) {
    if (text.empty()) fail(304, fmt::format("{} is empty", path), {}, fmt::format("a path, or no {}", path));
    if (text.starts_with('~') || text.find('$') != std::string::npos)
        fail(304, fmt::format("{} = {}: ~ and $ are not expanded", path, in_quotes(printable(text))),
             "a recipe means the same for everybody", "write the path out, or use BKD_DATA");
}

std::string checked_text(const Key& key, std::string_view path, const TomlValue& value) {
    if (value.kind != Kind::text) fail_type(key, path, value);
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (std::any_of(value.text.begin(), value.text.end(), is_control))
        fail(304, fmt::format("{} has a control character: \"{}\"", path, printable(value.text)));
    if (!is_utf8(value.text))
        fail(304, fmt::format("{} is not UTF-8: \"{}\"", path, printable(value.text)),
             "it is written into the run's recipe.toml, which is UTF-8",
             key.type == KeyType::path ? "a symbolic link with a name in UTF-8" : "");
    if (key.type == KeyType::path) check_path(path, value.text);
    if (key.type != KeyType::choice) return value.text;

    const std::vector<std::string> choices = split_words(key.choices);
    if (std::find(choices.begin(), choices.end(), value.text) == choices.end())
        fail(304, fmt::format("{} must be one of {}, got \"{}\"", path, words_nearest_first(value.text, choices),
                              printable(value.text)));
    return value.text;
}

}

Value checked_value(const Key& key, std::string_view path, const TomlValue& value) {
    if (value.kind == Kind::date) fail_type(key, path, value);
    switch (key.type) {
        case KeyType::boolean:
            if (value.kind != Kind::boolean) fail_type(key, path, value);
            return value.boolean;
        case KeyType::integer:
            return checked_integer(key, path, value);
        case KeyType::number:
            return checked_number(key, path, value);
        case KeyType::text:
        case KeyType::choice:
        case KeyType::path:
            return checked_text(key, path, value);
        case KeyType::integers: {
            if (value.kind != Kind::list) fail_type(key, path, value);
            std::vector<std::int64_t> list;
            for (const TomlValue& element : value.list) {
                if (element.kind != Kind::integer && element.kind != Kind::number) fail_type(key, path, value);
                list.push_back(checked_integer(key, path, element));
            }
            return list;
        }
        case KeyType::texts: {
            if (value.kind != Kind::list) fail_type(key, path, value);
            std::vector<std::string> list;
            for (const TomlValue& element : value.list) {
                if (element.kind != Kind::text) fail_type(key, path, value);
                list.push_back(checked_text(key, path, element));
            }
            return list;
        }
    }
    return {};
}

std::string value_text(const Value& value) {
    struct Writer {
        std::string operator()(bool v) const { return v ? "true" : "false"; }
        std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
        std::string operator()(double v) const { return number_text(v); }
        std::string operator()(const std::string& v) const { return in_quotes(v); }
        std::string operator()(const std::vector<std::int64_t>& v) const {
            return fmt::format("[{}]", fmt::join(v, ", "));
        }
        std::string operator()(const std::vector<std::string>& v) const {
            std::vector<std::string> texts;
            for (const std::string& text : v) texts.push_back(in_quotes(text));
            return fmt::format("[{}]", fmt::join(texts, ", "));
        }
    };
    return std::visit(Writer{}, value);
}

std::string shown_value(const TomlValue& value) {
    switch (value.kind) {
        case Kind::boolean:
            return value.boolean ? "true" : "false";
        case Kind::integer:
            return fmt::format("{}", value.integer);
        case Kind::number:
            return std::isfinite(value.number) ? number_text(value.number) : fmt::format("{}", value.number);
        case Kind::text:
            return fmt::format("\"{}\"", printable(value.text));
        case Kind::date:
            return value.text;
        case Kind::list: {
            std::vector<std::string> shown;
            for (const TomlValue& element : value.list) {
                if (shown.size() == 4) {
                    shown.emplace_back("...");
                    break;
                }
                shown.push_back(shown_value(element));
            }
            return fmt::format("[{}]", fmt::join(shown, ", "));
        }
        case Kind::table:
            return "a table";
    }
    return {};
}

}
