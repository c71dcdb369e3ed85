#include "train/recipe_toml.h"

#include "kernels/error.h"
#include "train/recipe_scan.h"

#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include <algorithm>
#include <tuple>

namespace bkd {
namespace {

using Kind = TomlValue::Kind;
constexpr std::size_t leaf_limit = 10000;

TomlPlace place_of(const toml::source_region& region) {
    const bool one_line = region.end.line == region.begin.line && region.end.column > region.begin.column;
    return {region.begin.line, region.begin.column, one_line ? region.end.column - region.begin.column : 0};
}

std::string_view line_of(std::string_view text, std::uint32_t line) {
    for (std::uint32_t i = 1; i < line; ++i) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    text = text.substr(0, text.find('\n'));
    return text.ends_with('\r') ? text.substr(0, text.size() - 1) : text;
}

TomlValue to_value(const toml::node& node) {
    TomlValue value;
    if (const auto* boolean = node.as_boolean()) {
        value.kind = Kind::boolean;
        value.boolean = boolean->get();
    } else if (const auto* integer = node.as_integer()) {
        value.kind = Kind::integer;
        value.integer = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
        value.kind = Kind::number;
        value.number = number->get();
    } else if (const auto* text = node.as_string()) {
        value.kind = Kind::text;
        value.text = text->get();
    } else if (const auto* array = node.as_array()) {
        value.kind = Kind::list;
        for (const toml::node& element : *array) value.list.push_back(to_value(element));
    } else if (!node.is_table()) {
        value.kind = Kind::date;
    }
    return value;
}

// A part that is no bare key keeps its quotes, so that "a.b" of a quoted key is not taken for two parts.
std::string joined(const std::string& path, std::string_view part) {
    constexpr std::string_view bare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const bool is_bare = !part.empty() && part.find_first_not_of(bare) == std::string_view::npos;
    const std::string shown = is_bare ? std::string(part) : fmt::format("\"{}\"", printable(part));
    return path.empty() ? shown : fmt::format("{}.{}", path, shown);
}

class Flattener {
public:
    explicit Flattener(TomlDocument& document) : document_(document) {}

    void table(const std::string& path, const toml::table& table) {
        for (const auto& [key, node] : table) one(joined(path, key.str()), place_of(key.source()), node);
    }

private:
    void one(const std::string& path, TomlPlace key_place, const toml::node& node) {
        if (const toml::table* inner = node.as_table(); inner != nullptr && !inner->empty()) return table(path, *inner);
        if (const toml::array* array = node.as_array(); array != nullptr && has_table(*array))
            return elements(path, *array);
        if (document_.leaves.size() >= leaf_limit)
            throw InputError(
                {.id = 306, .what = fmt::format("recipe has more than {} values", leaf_limit), .at = document_.file});
        TomlLeaf leaf{path, to_value(node), key_place, place_of(node.source())};
        if (leaf.value.kind == Kind::date) {
            const std::string_view line = line_of(document_.text, leaf.value_place.line);
            leaf.value.text =
                line.substr(std::min<std::size_t>(leaf.value_place.column - 1, line.size()), leaf.value_place.length);
        }
        document_.leaves.push_back(std::move(leaf));
    }

    // Keys inside array elements: no recipe has such, and each is named for the message.
    void elements(const std::string& path, const toml::array& array) {
        for (std::size_t i = 0; i < array.size(); ++i)
            if (const toml::table* inner = array[i].as_table()) table(fmt::format("{}[{}]", path, i), *inner);
    }

    static bool has_table(const toml::array& array) {
        return std::any_of(array.begin(), array.end(), [](const toml::node& element) {
            return element.is_table() && !element.as_table()->empty();
        });
    }

    TomlDocument& document_;
};

// What to do about a syntax error, from the parser's words and the line.
std::string_view hint(std::string_view description, std::string_view line) {
    const auto says = [&](std::string_view words) { return description.find(words) != std::string_view::npos; };
    std::string_view value = line.substr(std::min(line.find('=') + 1, line.size()));
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    const std::string_view word = value.substr(0, value.find_first_of(" \t#,]"));
    for (const std::string_view wrong : {"True", "TRUE", "False", "FALSE", "yes", "no", "on", "off", "Yes", "No"})
        if (word == wrong) return "true and false are written in lower case";
    if (says("saw ':'")) return "write key = value, with =";
    if (says("saw ';'")) return "end the line without ;";
    if (says("redefine") || says("insert")) return "keep one of the two";
    if (says("leading zeroes")) return "write the number without leading zeros";
    if (says("not representable")) return "whole numbers end at 9223372036854775807";
    if (says("could not be interpreted")) return "numbers end at 1.7e308";
    if (says("floating-point") || says("saw '.'")) return "write digits on both sides of the point: 0.5";
    if (word.empty() && line.find('=') != std::string_view::npos) return "write a value after =";
    if (says("value type") || says("boolean")) return "a text needs quotes: \"...\"";
    if (says("comment or whitespace")) return "write one key = value on a line";
    if (line.find('=') == std::string_view::npos && line.find('[') == std::string_view::npos)
        return "write key = value";
    return {};
}

// Where the key that is given again at `error` stood first: in what parses before that line.
TomlPlace first_place(std::string_view text, const toml::parse_error& error) {
    const std::uint32_t line = error.source().begin.line;
    std::string_view name = line_of(text, line);
    const std::string_view description = error.description();
    // The parser quotes the key, except where it met a table on its way along a dotted key: then its first part counts.
    const std::size_t quote = description.find('\'');
    name = quote == std::string_view::npos ? name.substr(0, name.find_first_of(".=[] \t"))
                                           : description.substr(quote + 1, description.rfind('\'') - quote - 1);
    std::size_t end = 0;
    for (std::uint32_t i = 1; i < line; ++i) end = text.find('\n', end) + 1;
    const toml::parse_result before = toml::parse(text.substr(0, end));
    if (!before) return {};

    TomlPlace found;
    const auto search = [&](const auto& self, const std::string& path, const toml::table& table) -> void {
        for (const auto& [key, node] : table) {
            const std::string here = path.empty() ? std::string(key.str()) : fmt::format("{}.{}", path, key.str());
            const bool is_it = here == name || here.ends_with(fmt::format(".{}", name)) ||
                               (path.empty() && name.starts_with(fmt::format("{}.", here)));
            if (is_it && key.source().begin.line >= found.line) found = place_of(key.source());
            if (const toml::table* inner = node.as_table()) self(self, here, *inner);
        }
    };
    search(search, {}, before.table());
    return found;
}

[[noreturn]] void fail_syntax(const TomlDocument& document, const toml::parse_error& error) {
    std::string_view description = error.description();
    constexpr std::string_view opening = "Error while parsing ";
    if (description.starts_with(opening)) description.remove_prefix(opening.size());
    TomlPlace place = place_of(error.source());
    // The parser names the line after a missing end; the line itself is what the user wrote.
    const std::string_view line = line_of(document.text, place.line);
    InputError::Parts parts{.id = 301,
                            .what = fmt::format("not TOML: {}", printable(description)),
                            .at = document.at(place),
                            .source = document.marked_line(place),
                            .try_ = std::string(hint(description, line))};
    if (description.find("redefine") != std::string_view::npos ||
        description.find("insert") != std::string_view::npos) {
        const TomlPlace first = first_place(document.text, error);
        if (first.line > 0) parts.why = fmt::format("first given at {}", document.at(first));
    }
    throw InputError(std::move(parts));
}

}

std::string TomlDocument::at(const TomlPlace& place) const {
    return fmt::format("{}:{}:{}", file, place.line, place.column);
}

std::string TomlDocument::marked_line(const TomlPlace& place) const {
    constexpr std::size_t width = 100;
    if (place.line == 0) return {};
    std::string line(line_of(text, place.line));
    std::replace(line.begin(), line.end(), '\t', ' ');
    // Columns count characters, of which those beyond ASCII take several bytes; the window begins near the marked one.
    std::vector<std::string_view> characters;
    for (std::string_view rest = line; !rest.empty(); rest.remove_prefix(characters.back().size()))
        characters.push_back(rest.substr(0, std::max<std::size_t>(utf8_length(rest), 1)));
    const std::size_t column = std::min<std::size_t>(std::max(place.column, 1u) - 1, characters.size());
    const std::size_t begin = column < width - 20 ? 0 : column - 20;
    const std::size_t end = std::min(begin + width, characters.size());
    const std::size_t indent = characters.empty() || begin > 0 ? 0 : line.find_first_not_of(' ');
    const std::size_t left = std::min(begin + (indent == std::string::npos ? 0 : indent), column);

    std::string shown;
    for (std::size_t i = left; i < end; ++i) shown += printable(characters[i]);
    const std::size_t length =
        std::max<std::size_t>(1, std::min<std::size_t>(place.length, end > column ? end - column : 1));
    return fmt::format("{}\n{}^{}", shown, std::string(column - left, ' '), std::string(length - 1, '~'));
}

TomlDocument parse_toml(std::string text, std::string file) {
    TomlDocument document{printable(file), std::move(text), {}};
    scan_toml(document.text, document.file);
    const toml::parse_result result = toml::parse(document.text);
    if (!result) fail_syntax(document, result.error());
    Flattener(document).table({}, result.table());
    std::stable_sort(document.leaves.begin(), document.leaves.end(), [](const TomlLeaf& a, const TomlLeaf& b) {
        return std::tie(a.key_place.line, a.key_place.column) < std::tie(b.key_place.line, b.key_place.column);
    });
    return document;
}

std::optional<TomlValue> parse_toml_value(std::string_view text) {
    if (text.find_first_of("\r\n") != std::string_view::npos) return std::nullopt;
    const std::string line = fmt::format("value = {}", text);
    try {
        scan_toml(line, {});
    } catch (const InputError&) { return std::nullopt; }
    const toml::parse_result result = toml::parse(line);
    if (!result || result.table().size() != 1) return std::nullopt;
    const toml::node& node = *result.table().get("value");
    TomlValue value = to_value(node);
    if (value.kind == Kind::date) value.text = text;
    return value;
}

}
