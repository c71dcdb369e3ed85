// Writing: no time, no address, no order of the caller gets into the bytes. Sibling: safetensors.cpp (reading).
#include "engine/safetensors.h"

#include "engine/crc32c.h"
#include "engine/json.h"
#include "engine/safetensors_header.h"

#include <algorithm>

namespace bkd {
namespace {

constexpr std::size_t alignment = 64;  // of the data: a cache line and the widest vector register
constexpr std::size_t length_bytes = 8;

std::int64_t bytes_of(const TensorToStore& tensor) {
    std::int64_t bytes = size_of(tensor.type);
    for (const std::int64_t extent : tensor.shape)
        BKD_CHECK(extent >= 0 && !__builtin_mul_overflow(bytes, extent, &bytes), "{} {}", tensor.name,
                  shape_text(tensor.shape));
    return bytes;
}

std::string checksum_text(std::uint32_t crc) { return fmt::format("{:08x}", crc); }

std::string header_text(const std::vector<TensorToStore>& tensors, const std::map<std::string, std::string>& metadata) {
    std::string header = "{";
    if (!metadata.empty()) {
        header += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) header += json_quoted(key) + ":" + json_quoted(value) + ",";
        header.back() = '}';
        header += ',';
    }
    std::size_t begin = 0;
    for (const TensorToStore& tensor : tensors) {
        const std::size_t end = begin + tensor.bytes.size();
        header += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}},",
                              json_quoted(tensor.name), name_of(tensor.type), shape_text(tensor.shape), begin, end);
        begin = end;
    }
    if (header.back() == ',') header.pop_back();
    header += '}';
    header.append((alignment - (length_bytes + header.size()) % alignment) % alignment, ' ');
    return header;
}

// A name twice, a name or metadata beyond the limits: what our own reader refuses is not written.
void check_readable(std::string_view header, std::size_t data_bytes) {
    std::string refusal;
    try {
        read_safetensors_header(header, data_bytes, "header to be written");
    } catch (const InputError& error) { refusal = error.message(); }
    BKD_CHECK(refusal.empty(), "{}", refusal);
    BKD_CHECK(header.size() <= SafeTensorsLimits().max_header_bytes, "header of {} bytes", header.size());
}

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

}

std::vector<std::byte> safetensors_bytes(std::vector<TensorToStore> tensors,
                                         std::map<std::string, std::string> metadata, Checksums checksums) {
    std::ranges::sort(tensors, [](const TensorToStore& a, const TensorToStore& b) {
        const std::int64_t size_a = size_of(a.type), size_b = size_of(b.type);
        return size_a != size_b ? size_a > size_b : a.name < b.name;
    });
    std::size_t data_bytes = 0;
    for (const TensorToStore& tensor : tensors) {
        BKD_CHECK(bytes_of(tensor) == static_cast<std::int64_t>(tensor.bytes.size()), "{}: {} of {} has {} bytes",
                  tensor.name, shape_text(tensor.shape), name_of(tensor.type), tensor.bytes.size());
        data_bytes += tensor.bytes.size();
    }
    if (checksums == Checksums::yes) {
        Json::Object of_tensors;
        for (const TensorToStore& tensor : tensors)
            of_tensors.emplace_back(tensor.name, checksum_text(crc32c(tensor.bytes)));
        metadata["bkd.crc32c"] = Json(std::move(of_tensors)).canonical();
        metadata["bkd.header_crc32c"] = "00000000";
    }

    const std::string header = header_text(tensors, metadata);
    check_readable(header, data_bytes);
    std::vector<std::byte> file;
    file.reserve(length_bytes + header.size() + data_bytes);
    for (std::size_t i = 0; i < length_bytes; ++i) file.push_back(static_cast<std::byte>(header.size() >> (8 * i)));
    append(file, std::as_bytes(std::span(header)));
    if (checksums == Checksums::yes) {
        // The value is the first text after its key; quotes inside other values are escaped, so the key is found as
        // such.
        constexpr std::string_view key = "\"bkd.header_crc32c\":\"";
        const std::string digits = checksum_text(crc32c(file));
        std::ranges::copy(std::as_bytes(std::span(digits)),
                          file.begin() + static_cast<std::ptrdiff_t>(length_bytes + header.find(key) + key.size()));
    }
    for (const TensorToStore& tensor : tensors) append(file, tensor.bytes);
    return file;
}

}
