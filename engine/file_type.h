#pragma once
// What a file really is, told by its first bytes: for the message when it is not what its name says.
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace bkd {

struct FileType {
    std::string_view name;    // "a gzip file"
    std::string_view advice;  // "gunzip it first"
    bool is_text = false;     // that no other type claims: a recipe perhaps
};

// Of the types that this program knows and does not read as a model; nothing if it is none of them.
std::optional<FileType> recognised_type(std::span<const std::byte> first_bytes);

// Bytes that recognised_type looks at.
constexpr std::size_t recognised_bytes = 512;

}
