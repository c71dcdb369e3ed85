#pragma once
// What a safetensors header says, checked. Siblings: header_text.h (its JSON), safetensors.cpp (the file around it).
#include "engine/safetensors.h"

#include <optional>

namespace bkd {

// What holds for tensors of any file that is read.
constexpr std::size_t max_tensors = 65536, max_name_bytes = 512, max_dims = 8;
constexpr std::int64_t max_extent = std::int64_t{1} << 48;
// What is wrong with the name of a tensor, of a file in an archive: length, UTF-8, control characters. Empty: nothing.
std::string name_fault(std::string_view name);

struct SafeTensorsHeader {
    std::vector<StoredTensor> tensors;  // by name
    std::map<std::string, std::string> metadata;
    std::optional<std::size_t> checksum_at;  // where the eight digits of bkd.header_crc32c stand in the header
};

// `header` begins at byte 8 of `path` and describes the `data_bytes` bytes after it. InputError E0403 to E0410.
SafeTensorsHeader read_safetensors_header(std::string_view header, std::uint64_t data_bytes, const std::string& path);

}
