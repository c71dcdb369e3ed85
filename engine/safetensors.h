#pragma once
// safetensors files: u64le N, N bytes of JSON, then the tensors' bytes, row-major, little-endian, without holes.
//
//   const SafeTensors file = read_safetensors("w.safetensors");
//   const std::vector<float> weight = file.values<float>(file.at("conv1.weight"));
//
// Everything is checked before anything is used; what two readers could understand differently is refused. Ids: E0402
// sizes, E0403 text of the header, E0404 its structure, E0405 a name twice, E0406 names, E0407 too much, E0408 shapes,
// E0409 dtypes, E0410 coverage of the data, E0421 checksums, E0429 another type of file. Names are labels, never paths.
// Siblings: safetensors_header.h (the header's strict reader), model_file.h (a file as a model).
#include "engine/file.h"

#include <cstring>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace bkd {

enum class ElementType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

std::int64_t size_of(ElementType type);                       // bytes
const char* name_of(ElementType type);                        // as in the file: "F32"
std::string shape_text(std::span<const std::int64_t> shape);  // "[16,3,3,3]"

struct StoredTensor {
    std::string name;
    ElementType type = ElementType::f32;
    std::vector<std::int64_t> shape;   // up to 8 extents, outermost first
    std::uint64_t begin = 0, end = 0;  // bytes of the data
};

struct SafeTensors {
    std::string path;
    std::map<std::string, std::string> metadata;
    std::vector<StoredTensor> tensors;  // by name
    std::uint64_t data_offset = 0;      // of the data in the file; 0: they do not lie there in this order
    std::vector<std::byte> data;

    const StoredTensor* find(std::string_view name) const;
    const StoredTensor& at(std::string_view name) const;  // InputError E0411
    std::span<const std::byte> bytes(const StoredTensor& tensor) const {
        return std::span(data).subspan(tensor.begin, tensor.end - tensor.begin);
    }
    // "w.safetensors @ byte 1234": element `index` of a tensor, for messages; the path alone where nothing is known.
    std::string place(const StoredTensor& tensor, std::int64_t index = 0) const;

    // The elements; T is double, float, std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint8_t, bool, or
    // std::uint16_t for the bits of F16 and BF16. Copied: a stranger's file need not be aligned. InputError E0409 for
    // another type, and for a BOOL that is neither 0 nor 1.
    template <class T>
    std::vector<T> values(const StoredTensor& tensor) const {
        if (!is_stored_as<T>(tensor.type)) refuse_type(tensor);
        const auto from = bytes(tensor);
        if constexpr (std::is_same_v<T, bool>) {
            check_booleans(tensor);
            std::vector<bool> flags;
            for (const std::byte b : from) flags.push_back(b != std::byte{0});
            return flags;
        } else {
            std::vector<T> elements(from.size() / sizeof(T));
            if (!from.empty()) std::memcpy(elements.data(), from.data(), from.size());
            return elements;
        }
    }

private:
    template <class T>
    static constexpr bool is_stored_as(ElementType type) {
        if constexpr (std::is_same_v<T, double>)
            return type == ElementType::f64;
        else if constexpr (std::is_same_v<T, float>)
            return type == ElementType::f32;
        else if constexpr (std::is_same_v<T, std::int64_t>)
            return type == ElementType::i64;
        else if constexpr (std::is_same_v<T, std::int32_t>)
            return type == ElementType::i32;
        else if constexpr (std::is_same_v<T, std::int16_t>)
            return type == ElementType::i16;
        else if constexpr (std::is_same_v<T, std::int8_t>)
            return type == ElementType::i8;
        else if constexpr (std::is_same_v<T, std::uint8_t>)
            return type == ElementType::u8;
        else if constexpr (std::is_same_v<T, bool>)
            return type == ElementType::boolean;
        else if constexpr (std::is_same_v<T, std::uint16_t>)
            return type == ElementType::f16 || type == ElementType::bf16;
    }
    [[noreturn]] void refuse_type(const StoredTensor& tensor) const;
    void check_booleans(const StoredTensor& tensor) const;
};

struct SafeTensorsLimits {
    bool require_checksums = false;         // refuse files without our CRCs (E0421)
    std::uint64_t max_bytes = 16ull << 30;  // of the file
    std::uint64_t max_header_bytes = 16u << 20;
};

SafeTensors read_safetensors(const std::filesystem::path& path, const SafeTensorsLimits& limits = {},
                             std::string_view asked_by = {}, const FileSystem& system = {});
SafeTensors read_safetensors(const InputFile& file, const std::string& path, const SafeTensorsLimits& limits = {});
// The same from memory; `path` names it in messages.
SafeTensors parse_safetensors(std::span<const std::byte> file, std::string path, const SafeTensorsLimits& limits = {});

struct TensorToStore {
    std::string name;
    ElementType type = ElementType::f32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;
};

enum class Checksums : std::uint8_t { no, yes };  // yes: metadata bkd.crc32c and bkd.header_crc32c

// The bytes of a file, a pure function of its arguments whatever the order of `tensors`: largest elements first, then
// by name; the data begins at a multiple of 64 bytes. What comes out passes read_safetensors; LogicError for what could
// not.
std::vector<std::byte> safetensors_bytes(std::vector<TensorToStore> tensors,
                                         std::map<std::string, std::string> metadata, Checksums checksums);

}
