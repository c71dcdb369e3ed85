// SHA-256: names as in FIPS 180-4, section 6.2.2.
#include "engine/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace bkd {
namespace {

constexpr std::uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using std::rotr;

inline std::uint32_t big_endian(const unsigned char* p) {
    return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

// One round without moving the eight words: the caller rotates their names instead.
inline void round(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t& d, std::uint32_t e, std::uint32_t f,
                  std::uint32_t g, std::uint32_t& h, std::uint32_t constant_plus_word) {
    h += (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + constant_plus_word;
    d += h;
    h += (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

}

void Sha256::add_blocks(const unsigned char* blocks, std::size_t count) {
    for (; count > 0; --count, blocks += 64) {
        std::uint32_t w[64];
        for (int t = 0; t < 16; ++t) w[t] = big_endian(blocks + 4 * t);
        for (int t = 16; t < 64; ++t) {
            const std::uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
            const std::uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
            w[t] = w[t - 16] + s0 + w[t - 7] + s1;
        }
        for (int t = 0; t < 64; ++t) w[t] += round_constants[t];
        auto [a, b, c, d, e, f, g, h] = state_;
        for (int t = 0; t < 64; t += 8) {
            round(a, b, c, d, e, f, g, h, w[t]);
            round(h, a, b, c, d, e, f, g, w[t + 1]);
            round(g, h, a, b, c, d, e, f, w[t + 2]);
            round(f, g, h, a, b, c, d, e, w[t + 3]);
            round(e, f, g, h, a, b, c, d, w[t + 4]);
            round(d, e, f, g, h, a, b, c, w[t + 5]);
            round(c, d, e, f, g, h, a, b, w[t + 6]);
            round(b, c, d, e, f, g, h, a, w[t + 7]);
        }
        const std::uint32_t sums[8] = {a, b, c, d, e, f, g, h};
        for (std::size_t i = 0; i < 8; ++i) state_[i] += sums[i];
    }
}

void Sha256::update(const void* data, std::size_t size) {
    if (size == 0) return;
    const auto* bytes = static_cast<const unsigned char*>(data);
    const std::size_t held = size_ % 64;
    size_ += size;
    if (held > 0) {
        const std::size_t taken = std::min(size, 64 - held);
        std::memcpy(pending_.data() + held, bytes, taken);
        if (held + taken < 64) return;
        add_blocks(pending_.data(), 1);
        bytes += taken;
        size -= taken;
    }
    add_blocks(bytes, size / 64);
    std::copy_n(bytes + size / 64 * 64, size % 64, pending_.data());
}

Sha256::Digest Sha256::digest() const {
    Sha256 padded = *this;
    // A one bit, zeros up to 8 bytes before the end of a block, then the length in bits, big-endian.
    const unsigned char padding[64] = {0x80};
    padded.update(padding, 1 + (119 - size_ % 64) % 64);
    unsigned char length[8];
    for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(size_ * 8 >> (56 - 8 * i));
    padded.update(length, 8);

    Digest digest;
    for (std::size_t i = 0; i < 32; ++i) digest[i] = static_cast<std::byte>(padded.state_[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

std::string Sha256::hex() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte b : digest()) {
        text += digits[std::to_integer<std::size_t>(b >> 4)];
        text += digits[std::to_integer<std::size_t>(b & std::byte{15})];
    }
    return text;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.hex();
}

}
