#pragma once
// SHA-256 (FIPS 180-4): the fingerprint of selections of samples, of files and of configurations.
//
//   Sha256 hash;
//   hash.update(data, size);            any number of times
//   hash.hex()                          64 lower-case digits of all bytes so far; more may follow
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bkd {

class Sha256 {
public:
    using Digest = std::array<std::byte, 32>;

    void update(const void* data, std::size_t size);
    void update(std::span<const std::byte> bytes) { update(bytes.data(), bytes.size()); }
    Digest digest() const;
    std::string hex() const;

private:
    void add_blocks(const unsigned char* blocks, std::size_t count);  // blocks of 64 bytes

    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<unsigned char, 64> pending_{};  // the last bytes, fewer than a block
    std::uint64_t size_ = 0;                   // bytes so far
};

std::string sha256_hex(std::span<const std::byte> bytes);

}
