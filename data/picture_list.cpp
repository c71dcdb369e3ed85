#include "data/picture_list.h"

#include "data/data_file.h"
#include "engine/sha256.h"
#include "kernels/error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace bkd {
namespace {

constexpr std::size_t most_path_bytes = 4096;
constexpr std::uint64_t most_list_bytes = std::uint64_t{1} << 30;

std::string_view without_blanks_around(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

[[noreturn]] void refuse_line(int id, std::string what, const std::string& at, std::string_view line,
                              std::string advice) {
    throw InputError({.id = id,
                      .what = std::move(what),
                      .at = at,
                      .source = printable(line.substr(0, 100)) + "\n^",
                      .why = "a line is a path, a blank and the number of its class",
                      .try_ = std::move(advice)});
}

std::int32_t label_of(std::string_view word, std::string_view line, const std::string& at) {
    std::int64_t label = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), label);
    if (error == std::errc::invalid_argument || end != word.data() + word.size())
        refuse_line(431, fmt::format("\"{}\" is no label", printable(word.substr(0, 40))), at, line,
                    line.find(',') != std::string_view::npos ? "blanks in place of commas"
                                                             : "is the file cut off, or not a list?");
    if (error == std::errc::result_out_of_range || label < 0 || label >= most_picture_classes)
        refuse_line(
            431, fmt::format("label {} is out of range 0..{}", printable(word.substr(0, 40)), most_picture_classes - 1),
            at, line, "classes are numbered from 0");
    return static_cast<std::int32_t>(label);
}

// The whole of a text file, packed or not, and what a run's records keep of it.
std::pair<std::string, FileFact> read_text(const std::filesystem::path& path) {
    constexpr std::size_t piece = std::size_t{4} << 20;
    const std::string shown = printable(path.string());
    Unpacker file = open_data_file(path);
    std::string text;
    for (std::size_t n = piece; n != 0;) {
        const std::size_t before = text.size();
        text.resize(before + piece);
        n = file.read(std::as_writable_bytes(std::span(text)).subspan(before));
        text.resize(before + n);
        if (text.size() > most_list_bytes)
            throw InputError({.id = 407, .what = "unpacks to more than 1 GiB", .at = shown});
    }
    const std::array<std::span<const std::byte>, 1> contents{std::as_bytes(std::span(text))};
    FileFact fact = fact_of(file, shown, contents);
    return {std::move(text), std::move(fact)};
}

}

std::string_view PictureList::path(std::int64_t index) const {
    const auto i = static_cast<std::size_t>(index);
    const std::uint64_t begin = i == 0 ? 0 : ends_.at(i - 1);
    return std::string_view(text_).substr(begin, ends_.at(i) - begin);
}

void PictureList::add(std::string_view path, std::int32_t label) {
    text_ += path;
    ends_.push_back(text_.size());
    labels.push_back(label);
}

void check_picture_path(std::string_view path, const std::string& at) {
    const auto refuse = [&](int id, std::string what, std::string why, std::string advice) {
        throw InputError(
            {.id = id, .what = std::move(what), .at = at, .why = std::move(why), .try_ = std::move(advice)});
    };
    const std::string shown = printable(path.substr(0, 200));
    if (path.empty() || path.find('\0') != std::string_view::npos || path.size() > most_path_bytes)
        refuse(406, fmt::format("\"{}\" is no path of a picture", shown),
               fmt::format("a path has 1 to {} bytes, none of them NUL", most_path_bytes), "");
    if (path.front() == '/')
        refuse(440, fmt::format("\"{}\" is an absolute path", shown), "paths are relative to data.root",
               "write it from data.root on, or set data.root=/");
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (path.substr(begin, end - begin) == "..")
            refuse(440, fmt::format("\"{}\" leaves data.root", shown), "a path has no \"..\"",
                   "set data.root to the folder that holds all pictures");
        begin = end + 1;
    }
}

PictureList parse_picture_list(std::string_view text, const std::string& name) {
    PictureList list;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    for (std::int64_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = without_blanks_around(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty()) continue;
        const std::string at = fmt::format("{}:{}", name, number);
        const std::size_t blank = line.find_last_of(" \t");
        if (blank == std::string_view::npos)
            refuse_line(431, "a path without a label", at, line, "is the file cut off, or not a list?");
        const std::int32_t label = label_of(line.substr(blank + 1), line, at);
        const std::string_view path = without_blanks_around(line.substr(0, blank));
        check_picture_path(path, at);
        list.add(path, label);
    }
    if (list.size() == 0)
        throw InputError({.id = 439, .what = "the list has no line", .at = name, .try_ = "lines \"path label\""});
    return list;
}

PictureList read_picture_list(const std::filesystem::path& path) {
    auto [text, fact] = read_text(path);
    const bool is_json = path.filename().string().find(".json") != std::string::npos;
    PictureList list = is_json ? parse_inaturalist(text, fact.path) : parse_picture_list(text, fact.path);
    list.files.push_back(std::move(fact));
    return list;
}

void check_lies_under(const std::filesystem::path& root, const std::filesystem::path& path) {
    std::error_code unknown;
    const std::filesystem::path real = std::filesystem::canonical(root / path, unknown),
                                real_root = std::filesystem::canonical(root, unknown);
    if (real.empty() || std::ranges::mismatch(real_root, real).in1 == real_root.end()) return;
    throw InputError({.id = 440,
                      .what = fmt::format("it lies elsewhere: {}", printable(real.string())),
                      .at = printable(path.string()),
                      .why = "pictures lie under data.root, links included",
                      .try_ = "data.root = a folder that holds both, or copy the pictures"});
}

std::vector<std::string> classes_by_folder(const PictureList& list, std::int64_t classes) {
    std::vector<std::string> names(static_cast<std::size_t>(classes));
    std::vector<bool> is_unclear(names.size());
    for (std::int64_t i = 0; i < list.size(); ++i) {
        const auto c = static_cast<std::size_t>(list.labels[static_cast<std::size_t>(i)]);
        const std::string_view path = list.path(i);
        const std::size_t end = path.rfind('/');
        const std::string_view folder = end == std::string_view::npos ? std::string_view{} : path.substr(0, end);
        const std::string_view own = folder.substr(folder.rfind('/') + 1);
        if (names[c].empty()) names[c] = own;
        if (own.empty() || names[c] != own || !is_utf8(own)) is_unclear[c] = true;
    }
    std::set<std::string_view> taken;
    for (std::size_t c = 0; c < names.size(); ++c)
        if (!taken.insert(names[c]).second) is_unclear[c] = true;
    for (std::size_t c = 0; c < names.size(); ++c)
        if (is_unclear[c] || names[c].empty()) names[c] = std::to_string(c);
    return names;
}

}
