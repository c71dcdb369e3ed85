#include "train/recipe_override.h"

#include "kernels/error.h"
#include "train/recipe_toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace bkd {
namespace {

[[noreturn]] void fail(const std::string& provenance, std::string what, std::string advice = {}) {
    throw InputError({.id = 205, .what = std::move(what), .at = provenance, .try_ = std::move(advice)});
}

bool is_list(const Key* key) {
    return key != nullptr && (key->type == KeyType::integers || key->type == KeyType::texts);
}

void check_path(const std::string& provenance, std::string_view path) {
    if (path.empty()) fail(provenance, "an override needs a key before =", "write key=value");
    if (path.front() == '.' || path.back() == '.' || path.find("..") != std::string_view::npos)
        fail(provenance, fmt::format("\"{}\" has an empty part between its dots", printable(path)));
}

// "schedule.milestones.0": the list and the element, if there is such a list.
void split_element(Override& change) {
    const std::size_t dot = change.path.rfind('.');
    if (dot == std::string::npos || change.key != nullptr) return;
    const char* begin = change.path.data() + dot + 1;
    const char* end = change.path.data() + change.path.size();
    std::size_t element = 0;
    const auto [stopped, error] = std::from_chars(begin, end, element);
    const Key* list = find_key(std::string_view(change.path).substr(0, dot));
    if (error != std::errc{} || stopped != end || !is_list(list)) return;
    change.key = list;
    change.element = element;
    change.action = Override::Action::set_element;
    change.path.resize(dot);
}

TomlValue text_value(std::string_view text) {
    TomlValue value;
    value.kind = TomlValue::Kind::text;
    value.text = text;
    return value;
}

std::vector<TomlValue> elements_of(const Value& list) {
    std::vector<TomlValue> elements;
    if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&list))
        for (const std::int64_t integer : *integers) {
            elements.emplace_back().kind = TomlValue::Kind::integer;
            elements.back().integer = integer;
        }
    if (const auto* texts = std::get_if<std::vector<std::string>>(&list))
        for (const std::string& text : *texts) elements.push_back(text_value(text));
    return elements;
}

}

Override parse_override(std::size_t number, const std::string& text) {
    Override change;
    change.provenance = fmt::format("override #{} \"{}\"", number, printable(text));
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
        fail(change.provenance, fmt::format("\"{}\" is no override: it has no =", printable(text)), "write key=value");
    change.path = text.substr(0, equals);
    const std::string_view raw = std::string_view(text).substr(equals + 1);
    if (change.path.ends_with('+')) {
        change.action = Override::Action::append;
        change.path.pop_back();
    }
    check_path(change.provenance, change.path);
    if (!is_utf8(text)) fail(change.provenance, "an override must be UTF-8 text");
    if (raw.find_first_not_of(" \t") == std::string_view::npos)
        fail(change.provenance, fmt::format("empty value; use {}=\"\"", printable(change.path)));

    change.key = find_key(change.path);
    if (change.action == Override::Action::set) split_element(change);
    const std::optional<TomlValue> value = parse_toml_value(raw);
    if (value && value->kind == TomlValue::Kind::table)
        fail(change.provenance, fmt::format("the value of {} is a table", printable(change.path)),
             fmt::format("set leaves one by one: {}.KEY=VALUE", printable(change.path)));
    change.value = value ? *value : text_value(raw);
    return change;
}

TomlValue changed_list(const Override& change, const std::optional<Value>& now) {
    TomlValue list;
    list.kind = TomlValue::Kind::list;
    if (now) list.list = elements_of(*now);
    if (change.action == Override::Action::append) {
        if (!is_list(change.key))
            throw InputError(
                {.id = 303,
                 .what = fmt::format("{} takes {}: nothing can be appended", change.path, type_name(change.key->type)),
                 .at = change.provenance});
        const bool is_many = change.value.kind == TomlValue::Kind::list;
        const std::vector<TomlValue> added = is_many ? change.value.list : std::vector<TomlValue>{change.value};
        list.list.insert(list.list.end(), added.begin(), added.end());
        return list;
    }
    if (change.element >= list.list.size())
        throw InputError(
            {.id = 302,
             .what = fmt::format("{}.{}: the list has {} elements", change.path, change.element, list.list.size()),
             .at = change.provenance,
             .try_ = fmt::format("{}+=VALUE adds one", change.path)});
    list.list[change.element] = change.value;
    return list;
}

}
