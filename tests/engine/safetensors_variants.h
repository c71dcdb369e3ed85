#pragma once
// What the tests of hostile safetensors files share: a variant's name, its bytes, and the id it is refused with.
#include "engine/safetensors.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace bkd_test {

struct Variant {
    const char* name;  // letter and number of the list of hostile variants, and what it is
    std::string file;
    const char* id;  // "accepted" or the id of the refusal
};

inline std::string length_field(std::uint64_t length) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
    return bytes;
}

inline std::string file_of(const std::string& header, std::size_t data_bytes = 16) {
    return length_field(header.size()) + header + std::string(data_bytes, '\0');
}

// One tensor "a" of four f32, as all variants are derived from.
const std::string sound_tensor = R"({"dtype":"F32","shape":[2,2],"data_offsets":[0,16]})";
const std::string sound_header = "{\"a\":" + sound_tensor + "}";

inline std::string repeated(std::size_t times, const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

inline std::string id_of_parse(const std::string& file) {
    return id_of([&] { bkd::parse_safetensors(std::as_bytes(std::span(file)), "x.safetensors"); });
}

inline void check_all(const std::vector<Variant>& variants) {
    for (const Variant& variant : variants) {
        const std::string id = id_of_parse(variant.file);
        CHECK_MESSAGE(id == variant.id, variant.name);
    }
}

}
