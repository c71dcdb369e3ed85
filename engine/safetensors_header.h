#pragma once
// What a safetensors header says, checked. Siblings: header_text.h (its JSON), safetensors.cpp (the file around it).
#include "engine/safetensors.h"

#include <optional>

namespace bkd {

struct SafeTensorsHeader {
    std::vector<StoredTensor> tensors;  // by name
    std::map<std::string, std::string> metadata;
    std::optional<std::size_t> checksum_at;  // where the eight digits of bkd.header_crc32c stand in the header
};

// `header` begins at byte 8 of `path` and describes the `data_bytes` bytes after it. InputError E0403 to E0410.
SafeTensorsHeader read_safetensors_header(std::string_view header, std::uint64_t data_bytes, const std::string& path);

}
