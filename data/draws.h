#pragma once
// Numbers from the words of one Philox block. Randomness in this floor is addressed, never streamed: a number is a
// function of a key (seed, name) and a counter that says which number it is, so it is the same for any number of
// threads and after resume.
#include "kernels/philox.h"

#include <span>
#include <utility>

namespace bkd {

// 64 random bits, high word first, to 0..n-1 by the high part of their product with n < 2^32; uneven by less than n /
// 2^64.
constexpr std::uint64_t number_below(std::uint32_t high, std::uint32_t low, std::uint64_t n) {
    return (high * n + (low * n >> 32)) >> 32;
}

// 64 random bits to [0, 1) with 53 of them, as NumPy makes a double of two 32-bit words.
constexpr double uniform53(std::uint32_t high, std::uint32_t low) {
    return (static_cast<double>(high >> 5) * 0x1p26 + static_cast<double>(low >> 6)) * 0x1p-53;
}

// Uniform permutation (Fisher and Yates); swap i takes the block of counter {i, which, epoch, purpose}.
template <class T>
void shuffle_by_philox(std::span<T> values, PhiloxKey key, std::uint32_t which, std::uint32_t epoch,
                       std::uint32_t purpose) {
    for (std::size_t i = values.size(); i-- > 1;) {
        const PhiloxCounter bits = philox({static_cast<std::uint32_t>(i), which, epoch, purpose}, key);
        std::swap(values[i], values[number_below(bits[0], bits[1], i + 1)]);
    }
}

}
