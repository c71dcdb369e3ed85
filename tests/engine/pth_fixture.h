#pragma once
// Archives and pickles byte by byte, sound ones and such as no program writes.
#include "engine/crc32.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bkd_test {

inline std::string little_endian(std::uint64_t number, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += i < 8 ? static_cast<char>(number >> (8 * i)) : '\0';
    return text;
}

// An entry of an archive; what is set says something else than the truth.
struct ZipPart {
    std::string name, data;
    std::uint16_t method = 0, flags = 0x0808, local_method = 0;
    std::optional<std::uint32_t> checksum{}, local_size{}, size{};
    std::optional<std::string> local_name{};
    std::optional<std::uint64_t> header{};  // where the directory says that it begins
    bool is_wide = false;                   // its sizes stand in a ZIP64 field of the directory
    std::string extra{};                    // of the directory
};

struct ZipForm {
    std::string before{}, after{}, comment{};  // bytes before the archive, after it; the end record's comment
    std::optional<std::uint64_t> entries{};    // that the end record tells
    std::optional<std::uint64_t> directory{};  // where it says that the directory begins
    bool has_zip64 = false;
    std::optional<std::uint64_t> zip64_entries{};
    std::uint16_t disk = 0;
    bool counts_before = false;  // offsets are those in the file
};

inline std::string zip_of(const std::vector<ZipPart>& parts, const ZipForm& form = {}) {
    std::string file = form.before, directory;
    const std::size_t skipped = form.counts_before ? 0 : form.before.size();
    for (const ZipPart& part : parts) {
        const std::uint64_t header = part.header.value_or(file.size() - skipped);
        const bool follows = (part.flags & 8) != 0;
        const std::uint32_t crc = part.checksum.value_or(bkd::crc32(std::as_bytes(std::span(part.data))));
        const std::uint64_t size = part.data.size();
        const std::string name = part.local_name.value_or(part.name);
        const std::uint32_t told = part.local_size.value_or(follows ? 0 : static_cast<std::uint32_t>(size));
        file += "PK\3\4" + std::string(2, '\0') + little_endian(part.flags, 2) + little_endian(part.local_method, 2) +
                little_endian(0, 4) + little_endian(follows ? 0 : crc, 4) + little_endian(told, 4) +
                little_endian(told, 4) + little_endian(name.size(), 2) + little_endian(0, 2) + name + part.data;
        if (follows) file += "PK\7\b" + little_endian(crc, 4) + little_endian(size, 4) + little_endian(size, 4);
        const std::string wide =
            part.is_wide ? little_endian(1, 2) + little_endian(16, 2) + little_endian(size, 8) + little_endian(size, 8)
                         : std::string();
        const std::uint64_t plain = part.is_wide ? 0xFFFFFFFF : part.size.value_or(static_cast<std::uint32_t>(size));
        directory += "PK\1\2" + std::string(4, '\0') + little_endian(part.flags, 2) + little_endian(part.method, 2) +
                     little_endian(0, 4) + little_endian(crc, 4) + little_endian(plain, 4) + little_endian(plain, 4) +
                     little_endian(part.name.size(), 2) + little_endian(wide.size() + part.extra.size(), 2) +
                     std::string(10, '\0') + little_endian(header, 4) + part.name + wide + part.extra;
    }
    const std::uint64_t begin = form.directory.value_or(file.size() - skipped);
    file += directory;
    if (form.has_zip64) {
        const std::uint64_t record = file.size(), entries = form.zip64_entries.value_or(parts.size());
        file += "PK\6\6" + little_endian(44, 8) + little_endian(0, 12) + little_endian(entries, 8) +
                little_endian(entries, 8) + little_endian(directory.size(), 8) + little_endian(begin, 8);
        file += "PK\6\7" + little_endian(0, 4) + little_endian(record, 8) + little_endian(1, 4);
    }
    const std::uint64_t entries = form.entries.value_or(parts.size());
    file += "PK\5\6" + little_endian(form.disk, 2) + little_endian(0, 2) + little_endian(entries, 2) +
            little_endian(entries, 2) + little_endian(directory.size(), 4) + little_endian(begin, 4) +
            little_endian(form.comment.size(), 2) + form.comment;
    return file + form.after;
}

// "archive/data.pkl" and the storages by their keys, as torch.save lays them out.
inline std::vector<ZipPart> pth_parts(const std::string& pickle, const std::map<std::string, std::string>& storages) {
    std::vector<ZipPart> parts{{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
    for (const auto& [key, bytes] : storages) parts.push_back({"archive/data/" + key, bytes});
    parts.push_back({"archive/version", "3\n"});
    return parts;
}
inline std::string pth_of(const std::string& pickle, const std::map<std::string, std::string>& storages) {
    return zip_of(pth_parts(pickle, storages), {.has_zip64 = true});
}

// Pickles: each function gives the opcodes that leave one value on the stack.
namespace pickled {

using Text = std::string;

inline Text text(const Text& value) { return "X" + little_endian(value.size(), 4) + value; }
inline Text integer(std::int64_t value) { return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(value), 8); }
inline Text global(const Text& module, const Text& name) { return "c" + module + "\n" + name + "\n"; }
inline Text joined(const std::vector<Text>& values) {
    Text all;
    for (const Text& value : values) all += value;
    return all;
}
inline Text tuple(const std::vector<Text>& values) { return "(" + joined(values) + "t"; }
inline Text integers(const std::vector<std::int64_t>& values) {
    Text all = "(";
    for (const std::int64_t value : values) all += integer(value);
    return all + "t";
}
inline Text dict(const std::vector<std::pair<Text, Text>>& items) {
    Text all = "}(";
    for (const auto& [key, value] : items) all += text(key) + value;
    return all + "u";
}
inline Text ordered_dict() { return global("collections", "OrderedDict") + ")R"; }
inline Text storage(const Text& key, std::int64_t elements, const Text& type = "FloatStorage") {
    return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) + "Q";
}
inline Text tensor(const Text& of, std::int64_t offset, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& stride) {
    return global("torch._utils", "_rebuild_tensor_v2") +
           tuple({of, integer(offset), integers(shape), integers(stride), "\x89", ordered_dict()}) + "R";
}
// A whole pickle of one value.
inline Text whole(const Text& value) { return "\x80\x02" + value + "."; }

}

}
