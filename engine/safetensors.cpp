// Reading: length, header, coverage, data, checksums, in this order; the data is read only once the header is sound.
// Siblings: safetensors_header.cpp, safetensors_write.cpp.
#include "engine/safetensors.h"

#include "engine/byte_reader.h"
#include "engine/crc32c.h"
#include "engine/file_type.h"
#include "engine/json.h"
#include "engine/safetensors_header.h"

#include <algorithm>
#include <charconv>

namespace bkd {
namespace {

constexpr std::uint64_t length_bytes = 8;
constexpr const char* why_checksum = "the file changed after it was written (disk, copy, or edit)";
constexpr const char* advice_checksum =
    "copy the file again; bkd train --resume RUN takes the newest checkpoint that is whole";

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void fail(int id, std::string what, std::string_view path, std::uint64_t offset, std::string why = {},
                       std::string_view advice = {}) {
    throw InputError({.id = id,
                      .what = std::move(what),
                      .at = fmt::format("{} @ byte {}", printable(path), offset),
                      .why = std::move(why),
                      .try_ = std::string(advice)});
}

[[noreturn]] void fail_type(const FileType& type, std::string_view path) {
    fail(429, fmt::format("this is {}", type.name), path, 0, "a safetensors file is expected", type.advice);
}

// The header's length N. `first` are the first bytes of the file.
std::uint64_t header_length(std::span<const std::byte> first, std::uint64_t file_bytes, const std::string& path,
                            const SafeTensorsLimits& limits) {
    const auto refuse = [&](int id, std::string what, std::string why = {}) {
        if (const auto type = recognised_type(first)) fail_type(*type, path);
        fail(id, std::move(what), path, 0, std::move(why));
    };
    if (file_bytes < length_bytes)
        refuse(402, fmt::format("file has {} bytes, a safetensors file at least 8", file_bytes));
    const std::uint64_t length = ByteReader(first, path).u64le();
    if (length < 2) refuse(402, fmt::format("header of {} bytes, the shortest has 2", length));
    if (length > file_bytes - length_bytes)
        refuse(402, fmt::format("header of {} bytes in a file of {}", length, file_bytes));
    if (length > limits.max_header_bytes)
        refuse(407, fmt::format("header of {} bytes, at most {} are read", length, limits.max_header_bytes));
    if (first.size() > length_bytes && first[length_bytes] != std::byte{'{'})
        refuse(403, "header does not begin with {");
    return length;
}

// The checksum in `digits`, or nothing if they are not eight lower- or upper-case hexadecimal digits.
std::optional<std::uint32_t> parse_checksum(std::string_view digits) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 8 || error != std::errc{} || end != digits.data() + 8) return {};
    return value;
}

void check_header_checksum(std::span<const std::byte> length, std::string_view header, const SafeTensorsHeader& facts,
                           const std::string& path) {
    const auto stored = facts.metadata.find("bkd.header_crc32c");
    if (stored == facts.metadata.end()) return;
    const auto expected = parse_checksum(stored->second);
    if (!expected || !facts.checksum_at)
        fail(421, fmt::format("bkd.header_crc32c is \"{}\", not eight digits", printable(stored->second)), path,
             length_bytes);
    const auto crc_of = [](std::string_view text, std::uint32_t start) {
        return crc32c(std::as_bytes(std::span(text)), start);
    };
    std::uint32_t crc = crc32c(length);
    crc = crc_of(header.substr(0, *facts.checksum_at), crc);
    crc = crc_of("00000000", crc);
    crc = crc_of(header.substr(*facts.checksum_at + 8), crc);
    if (crc != *expected)
        fail(421, fmt::format("checksum of the header is {:08x}, the file says {:08x}", crc, *expected), path, 8,
             why_checksum, advice_checksum);
}

void check_data_checksums(const SafeTensors& file, const SafeTensorsLimits& limits) {
    const auto stored = file.metadata.find("bkd.crc32c");
    const bool has_tensors = stored != file.metadata.end(), has_header = file.metadata.contains("bkd.header_crc32c");
    if (!has_tensors && !has_header && !limits.require_checksums) return;
    // One without the other was not written so: a flipped bit in a key must not switch its check off.
    if (!has_tensors || !has_header)
        fail(421,
             has_tensors || has_header ? "the file has only one of bkd.crc32c and bkd.header_crc32c"
                                       : "the file has no checksums",
             file.path, length_bytes);
    const Json checksums = Json::parse(stored->second, file.path + ": bkd.crc32c");
    std::vector<bool> has_checksum(file.tensors.size());
    for (const auto& [name, digits] : checksums.members()) {
        const StoredTensor* tensor = file.find(name);
        if (tensor == nullptr)
            fail(421, fmt::format("bkd.crc32c names tensor \"{}\", which is not there", printable(name)), file.path,
                 length_bytes);
        const auto expected = digits.is_text() ? parse_checksum(digits.text()) : std::nullopt;
        if (!expected)
            fail(421, fmt::format("bkd.crc32c of \"{}\" is not eight digits", printable(name)), file.path,
                 length_bytes);
        const std::uint32_t crc = crc32c(file.bytes(*tensor));
        if (crc != *expected)
            fail(421,
                 fmt::format("checksum of tensor \"{}\" is {:08x}, the file says {:08x}", printable(name), crc,
                             *expected),
                 file.path, file.data_offset + tensor->begin, why_checksum, advice_checksum);
        has_checksum[static_cast<std::size_t>(tensor - file.tensors.data())] = true;
    }
    const auto without = std::ranges::find(has_checksum, false);
    if (without != has_checksum.end())
        fail(421,
             fmt::format("bkd.crc32c has no checksum of tensor \"{}\"",
                         printable(file.tensors[static_cast<std::size_t>(without - has_checksum.begin())].name)),
             file.path, length_bytes);
}

// Fetches the bytes of the file from an offset on.
using Fetch = std::function<void(std::uint64_t offset, std::span<std::byte> into)>;

SafeTensors read_parts(const Fetch& fetch, std::uint64_t file_bytes, const std::string& path,
                       const SafeTensorsLimits& limits) {
    std::vector<std::byte> first(std::min<std::uint64_t>(file_bytes, recognised_bytes));
    fetch(0, first);
    const std::uint64_t length = header_length(first, file_bytes, path, limits);
    SafeTensors file{.path = path, .metadata = {}, .tensors = {}, .data_offset = length_bytes + length, .data = {}};
    {
        std::vector<std::byte> header_bytes(length);
        fetch(length_bytes, header_bytes);
        const std::string_view header = text_of(header_bytes);
        SafeTensorsHeader facts = read_safetensors_header(header, file_bytes - file.data_offset, path);
        if (file_bytes > limits.max_bytes)
            fail(407, fmt::format("file has {} bytes, at most {} are read", file_bytes, limits.max_bytes), path, 0);
        check_header_checksum(std::span(first).first(length_bytes), header, facts, path);
        file.metadata = std::move(facts.metadata);
        file.tensors = std::move(facts.tensors);
    }
    file.data.resize(file_bytes - file.data_offset);
    fetch(file.data_offset, file.data);
    check_data_checksums(file, limits);
    return file;
}

}

std::int64_t size_of(ElementType type) {
    constexpr std::int64_t sizes[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};
    return sizes[static_cast<std::size_t>(type)];
}

const char* name_of(ElementType type) {
    constexpr const char* names[] = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"};
    return names[static_cast<std::size_t>(type)];
}

std::string shape_text(std::span<const std::int64_t> shape) {
    std::string text;
    for (const std::int64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : ",", extent);
    return fmt::format("[{}]", text);
}

const StoredTensor* SafeTensors::find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(tensors, name, {}, &StoredTensor::name);
    return found != tensors.end() && found->name == name ? &*found : nullptr;
}

const StoredTensor& SafeTensors::at(std::string_view name) const {
    if (const StoredTensor* tensor = find(name)) return *tensor;
    throw InputError({.id = 411,
                      .what = fmt::format("tensor \"{}\" is missing", printable(name)),
                      .at = printable(path),
                      .why = fmt::format("the file has {} tensors", tensors.size())});
}

std::string SafeTensors::place(const StoredTensor& tensor, std::int64_t index) const {
    if (data_offset == 0) return printable(path);
    const auto bytes_before = static_cast<std::uint64_t>(index * size_of(tensor.type));
    return fmt::format("{} @ byte {}", printable(path), data_offset + tensor.begin + bytes_before);
}

void SafeTensors::refuse_type(const StoredTensor& tensor) const {
    throw InputError({.id = 409,
                      .what = fmt::format("tensor \"{}\" is {}, another dtype is needed", printable(tensor.name),
                                          name_of(tensor.type)),
                      .at = place(tensor)});
}

void SafeTensors::check_booleans(const StoredTensor& tensor) const {
    std::int64_t index = 0;
    for (const std::byte b : bytes(tensor)) {
        if (b > std::byte{1})
            throw InputError({.id = 409,
                              .what = fmt::format("tensor \"{}\" is BOOL, element {} is {}", printable(tensor.name),
                                                  index, std::to_integer<int>(b)),
                              .at = place(tensor, index)});
        ++index;
    }
}

SafeTensors read_safetensors(const std::filesystem::path& path, const SafeTensorsLimits& limits,
                             std::string_view asked_by, const FileSystem& system) {
    return read_safetensors(InputFile(path, asked_by, system), path.string(), limits);
}

SafeTensors read_safetensors(const InputFile& file, const std::string& path, const SafeTensorsLimits& limits) {
    return read_parts([&](std::uint64_t offset, std::span<std::byte> into) { file.read(offset, into); }, file.size(),
                      path, limits);
}

SafeTensors parse_safetensors(std::span<const std::byte> file, std::string path, const SafeTensorsLimits& limits) {
    return read_parts(
        [&](std::uint64_t offset, std::span<std::byte> into) {
            std::ranges::copy(file.subspan(offset, into.size()), into.begin());
        },
        file.size(), path, limits);
}

}
