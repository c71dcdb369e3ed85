// The parser is nlohmann-json's event interface feeding our own values; writing is ours, for the same text everywhere.
#include "engine/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace bkd {
namespace {

constexpr std::size_t max_depth = 64;

// Receives the parser's events. Open containers lie on a stack; a closed one moves into its parent.
class Builder {
public:
    explicit Builder(std::string_view where) : where_(where) {}

    bool null() { return put(Json()); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(std::int64_t value) { return put(value); }
    bool number_unsigned(std::uint64_t value) {
        constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        return value <= most ? put(static_cast<std::int64_t>(value)) : put(static_cast<double>(value));
    }
    bool number_float(double value, const std::string&) { return put(value); }
    bool string(std::string& value) { return put(std::move(value)); }
    bool binary(std::vector<std::uint8_t>&) { return false; }  // not in text
    bool start_object(std::size_t) { return open(false); }
    bool start_array(std::size_t) { return open(true); }
    bool key(std::string& name) {
        open_.back().members.emplace_back(std::move(name), Json());
        return true;
    }
    bool end_object() {
        Json::Object members = std::move(open_.back().members);
        open_.pop_back();
        refuse_duplicates(members);
        return put(std::move(members));
    }
    bool end_array() {
        Json::Array elements = std::move(open_.back().elements);
        open_.pop_back();
        return put(std::move(elements));
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
        std::string_view reason = error.what();  // "[json.exception...] parse error at line 1, column 2: reason"
        if (const std::size_t colon = reason.find(": "); colon != std::string_view::npos)
            reason.remove_prefix(colon + 2);
        throw InputError({.id = 403,
                          .what = "not valid JSON: " + printable(reason),
                          .at = fmt::format("{} @ byte {}", where_, position == 0 ? 0 : position - 1)});
    }

    Json result() && { return std::move(root_); }

private:
    struct Container {
        bool is_array;
        Json::Array elements;
        Json::Object members;
    };

    bool put(Json value) {
        if (open_.empty())
            root_ = std::move(value);
        else if (open_.back().is_array)
            open_.back().elements.push_back(std::move(value));
        else
            open_.back().members.back().second = std::move(value);
        return true;
    }
    bool open(bool is_array) {
        if (open_.size() == max_depth)
            throw InputError(
                {.id = 403, .what = fmt::format("JSON is nested deeper than {} levels", max_depth), .at = where_});
        open_.push_back({.is_array = is_array, .elements = {}, .members = {}});
        return true;
    }
    void refuse_duplicates(const Json::Object& members) const {
        std::vector<std::string_view> keys;
        for (const auto& [key, value] : members) keys.push_back(key);
        std::sort(keys.begin(), keys.end());
        const auto twice = std::adjacent_find(keys.begin(), keys.end());
        if (twice == keys.end()) return;
        throw InputError({.id = 405, .what = fmt::format("key \"{}\" appears twice", printable(*twice)), .at = where_});
    }

    std::string where_;
    std::vector<Container> open_;
    Json root_;
};

void write_number(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"";
        return;
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, end);
    if (value == 0 && std::signbit(value)) out += ".0";  // "-0" would be read as an integer, which has no sign there
}

}

Json Json::parse(std::string_view text, std::string_view where) {
    Builder builder(printable(where));
    nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
    return std::move(builder).result();
}

std::string Json::dump() const {
    std::string out;
    write(out, false);
    return out;
}

std::string Json::canonical() const {
    std::string out;
    write(out, true);
    return out;
}

void Json::write(std::string& out, bool sorted) const {
    if (is_null())
        out += "null";
    else if (const auto* b = std::get_if<bool>(&value_))
        out += *b ? "true" : "false";
    else if (const auto* i = std::get_if<std::int64_t>(&value_))
        out += std::to_string(*i);
    else if (const auto* d = std::get_if<double>(&value_))
        write_number(out, *d);
    else if (const auto* s = std::get_if<std::string>(&value_))
        out += json_quoted(*s);
    else if (const auto* array = std::get_if<Array>(&value_)) {
        out += '[';
        for (const Json& element : *array) {
            if (&element != array->data()) out += ',';
            element.write(out, sorted);
        }
        out += ']';
    } else {
        std::vector<const Member*> order;
        for (const Member& member : std::get<Object>(value_)) order.push_back(&member);
        if (sorted)
            std::ranges::sort(order, {}, [](const Member* member) -> const std::string& { return member->first; });
        out += '{';
        for (const Member* member : order) {
            if (member != order.front()) out += ',';
            out += json_quoted(member->first) + ':';
            member->second.write(out, sorted);
        }
        out += '}';
    }
}

const char* Json::kind() const {
    constexpr const char* names[] = {"null", "a boolean", "an integer", "a number", "text", "an array", "an object"};
    return names[value_.index()];
}

void Json::fail_kind(const char* wanted) const {
    throw InputError({.id = 404, .what = fmt::format("JSON has {} where {} is expected", kind(), wanted)});
}

bool Json::boolean() const {
    if (!is_boolean()) fail_kind("a boolean");
    return std::get<bool>(value_);
}

std::int64_t Json::integer() const {
    if (!is_integer()) fail_kind("an integer");
    return std::get<std::int64_t>(value_);
}

double Json::number() const {
    if (const auto* i = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&value_)) return *d;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (const auto* s = std::get_if<std::string>(&value_)) {
        if (*s == "nan") return std::numeric_limits<double>::quiet_NaN();
        if (*s == "inf") return infinity;
        if (*s == "-inf") return -infinity;
    }
    fail_kind("a number");
}

const std::string& Json::text() const {
    if (!is_text()) fail_kind("text");
    return std::get<std::string>(value_);
}

const Json::Array& Json::elements() const {
    if (!is_array()) fail_kind("an array");
    return std::get<Array>(value_);
}

const Json::Object& Json::members() const {
    if (!is_object()) fail_kind("an object");
    return std::get<Object>(value_);
}

std::vector<std::int64_t> Json::integers() const {
    std::vector<std::int64_t> values;
    for (const Json& element : elements()) values.push_back(element.integer());
    return values;
}

std::vector<std::string> Json::texts() const {
    std::vector<std::string> values;
    for (const Json& element : elements()) values.push_back(element.text());
    return values;
}

const Json* Json::find(std::string_view key) const {
    for (const auto& [name, value] : members())
        if (name == key) return &value;
    return nullptr;
}

const Json& Json::at(std::string_view key) const {
    if (const Json* value = find(key)) return *value;
    throw InputError({.id = 404, .what = fmt::format("JSON object has no key \"{}\"", printable(key))});
}

Json& Json::set(std::string_view key, Json value) {
    if (is_null()) value_ = Object();
    if (!is_object()) fail_kind("an object");
    auto& object = std::get<Object>(value_);
    const auto member = std::find_if(object.begin(), object.end(), [&](const Member& m) { return m.first == key; });
    if (member != object.end())
        member->second = std::move(value);
    else
        object.emplace_back(key, std::move(value));
    return *this;
}

std::string json_quoted(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const char c = text.front();
        if (length == 0)
            out += "\\ufffd";
        else if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (static_cast<unsigned char>(c) < 0x20)
            out += fmt::format("\\u{:04x}", static_cast<int>(c));
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out + '"';
}

}
