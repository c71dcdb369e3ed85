#pragma once
// Reading the bytes of a file one field after another, never past the end.
//
//   ByteReader reader(bytes, "train-images-idx3-ubyte");
//   const std::uint32_t magic = reader.u32be();
//
// Every reader of a stranger's file goes through it. What is not there is InputError E0402 with "path @ byte N".
#include "kernels/error.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bkd {

class ByteReader {
public:
    // `bytes` must outlive the reader; `first_offset` is where they begin in the file.
    ByteReader(std::span<const std::byte> bytes, std::string path, std::uint64_t first_offset = 0)
        : bytes_(bytes), path_(std::move(path)), first_offset_(first_offset) {}

    std::uint64_t offset() const { return first_offset_ + position_; }
    std::uint64_t left() const { return bytes_.size() - position_; }
    void need(std::uint64_t count) const;

    std::uint8_t u8() { return static_cast<std::uint8_t>(little_endian(1)); }
    std::uint16_t u16le() { return static_cast<std::uint16_t>(little_endian(2)); }
    std::uint32_t u32le() { return static_cast<std::uint32_t>(little_endian(4)); }
    std::uint64_t u64le() { return little_endian(8); }
    std::uint16_t u16be() { return static_cast<std::uint16_t>(big_endian(2)); }
    std::uint32_t u32be() { return big_endian(4); }
    std::span<const std::byte> bytes(std::uint64_t count);
    void skip(std::uint64_t count) { bytes(count); }

    // The place in the words of a message.
    std::string at() const { return at(offset()); }
    std::string at(std::uint64_t file_offset) const;
    [[noreturn]] void fail(int id, std::string what, std::string why = {}) const;

private:
    std::uint64_t little_endian(std::uint64_t count);
    std::uint32_t big_endian(std::uint64_t count);

    std::span<const std::byte> bytes_;
    std::string path_;
    std::uint64_t first_offset_;
    std::size_t position_ = 0;
};

}
