#pragma once
// What the tests of hostile safetensors files share: a variant's name, its bytes, and the id it is refused with.
#include "engine/safetensors.h"
#include "tests/child.h"
#include "tests/engine/temporary_folder.h"

#include <algorithm>
#include <cstdlib>
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

// How many variants the list has under each letter: 137 in all.
constexpr int variants_of(char letter) {
    constexpr int counts[] = {14, 27, 20, 8, 17, 29, 22};  // A to G
    return counts[letter - 'A'];
}

// Each variant of a letter has a row, several where it can be made in several ways. Each is read as a file, in a
// process of its own.
inline void check_all(const std::vector<Variant>& variants) {
    const TemporaryFolder folder;
    const auto path = folder / "x.safetensors";
    for (const Variant& variant : variants) {
        CAPTURE(variant.name);
        folder.write("x.safetensors", variant.file);
        const auto cost = bkd::test::cost_of([&] { bkd::read_safetensors(path); });
        CHECK(cost.id() == variant.id);
        if (std::string_view(variant.id) != "accepted") bkd::test::check_cost(cost, variant.file.size());
    }
    const char letter = variants[0].name[0];
    const auto number_of = [](const Variant& variant) { return std::atoi(variant.name + 1); };
    for (int number = 1; number <= variants_of(letter); ++number)
        CHECK_MESSAGE(std::ranges::count(variants, number, number_of) > 0, letter, number, " has no row");
}

}
