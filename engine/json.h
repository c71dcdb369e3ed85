#pragma once
// JSON values: metadata of model files, logs, run files, reports.
//
//   const Json network = Json::parse(text, "w.safetensors: bkd.network");
//   network.at("name").text()                           InputError E0404 where the key or the kind is another
//   Json::Object{{"t", now}, {"type", "step"}}          members keep their order; canonical() sorts them
//
// A number is an integer (64 bits) or real (f64); NaN and infinities, which JSON lacks, are the texts "nan", "inf",
// "-inf". The library under it is seen by json.cpp alone.
#include "kernels/error.h"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace bkd {

class Json {
public:
    using Array = std::vector<Json>;
    using Member = std::pair<std::string, Json>;
    using Object = std::vector<Member>;

    Json() = default;  // null
    Json(std::same_as<bool> auto value) : value_(value) {}
    Json(std::integral auto value) requires(!std::same_as<decltype(value), bool>)
        : value_(static_cast<std::int64_t>(value)) {}
    Json(std::floating_point auto value) : value_(static_cast<double>(value)) {}
    Json(const char* text) : value_(std::string(text)) {}
    Json(std::string_view text) : value_(std::string(text)) {}
    Json(std::string text) : value_(std::move(text)) {}
    Json(Array elements) : value_(std::move(elements)) {}
    Json(Object members) : value_(std::move(members)) {}
    // [values...] of any container of what a Json is made from.
    static Json array(const auto& values) { return Array(values.begin(), values.end()); }
    static Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

    // Strict JSON, UTF-8, no key twice in an object, at most 64 levels. `where` names the text in messages.
    // InputError E0403 (text), E0405 (key twice).
    static Json parse(std::string_view text, std::string_view where);

    std::string dump() const;       // on one line, members in their order
    std::string canonical() const;  // members sorted by their bytes: equal values, equal text

    bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
    bool is_boolean() const { return std::holds_alternative<bool>(value_); }
    bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
    bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
    bool is_text() const { return std::holds_alternative<std::string>(value_); }
    bool is_array() const { return std::holds_alternative<Array>(value_); }
    bool is_object() const { return std::holds_alternative<Object>(value_); }
    const char* kind() const;  // "null", "a boolean", "an integer", "a number", "text", "an array", "an object"

    // The value as what the name says; InputError E0404 if it is something else.
    bool boolean() const;
    std::int64_t integer() const;
    double number() const;  // also of an integer and of "nan", "inf", "-inf"
    const std::string& text() const;
    const Array& elements() const;
    const Object& members() const;
    std::vector<std::int64_t> integers() const;
    std::vector<std::string> texts() const;

    const Json* find(std::string_view key) const;  // null where this object has no such key
    const Json& at(std::string_view key) const;    // InputError E0404 where it has none
    Json& set(std::string_view key, Json value);   // replaces the member or appends it; a null becomes an object
    bool operator==(const Json& other) const = default;

private:
    [[noreturn]] void fail_kind(const char* wanted) const;
    void write(std::string& out, bool sorted) const;

    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

// `text` in double quotes with JSON's escapes; bytes that are no UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);

}
