#pragma once
// Element types and devices.
//
// "Real" numbers are f32 on every device but `reference`, whose reals are f64: a contract that says f32 means the
// device's real type. Where bf16 is listed, it is storage; arithmetic and sums stay in f32.
#include "kernels/error.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace bkd {

enum class DType : std::uint8_t { f32, bf16, f64, u8, i32, i64 };

// A bf16 number in memory: the upper half of an f32, 8 bits of significand. Arithmetic: kernels/bf16.h.
struct Bf16 {
    std::uint16_t bits;
};

constexpr std::size_t size_of(DType type) {
    constexpr std::size_t sizes[] = {4, 2, 8, 1, 4, 8};
    return sizes[static_cast<std::size_t>(type)];
}
constexpr const char* name_of(DType type) {
    constexpr const char* names[] = {"f32", "bf16", "f64", "u8", "i32", "i64"};
    return names[static_cast<std::size_t>(type)];
}
constexpr bool is_real(DType type) { return type == DType::f32 || type == DType::bf16 || type == DType::f64; }

template <class T>
constexpr DType dtype_of() {
    using U = std::remove_const_t<T>;
    if constexpr (std::is_same_v<U, float>)
        return DType::f32;
    else if constexpr (std::is_same_v<U, Bf16>)
        return DType::bf16;
    else if constexpr (std::is_same_v<U, double>)
        return DType::f64;
    else if constexpr (std::is_same_v<U, std::uint8_t>)
        return DType::u8;
    else if constexpr (std::is_same_v<U, std::int32_t>)
        return DType::i32;
    else if constexpr (std::is_same_v<U, std::int64_t>)
        return DType::i64;
}

enum class DeviceKind : std::uint8_t { cpu, cuda, reference, plan };

struct Device {
    DeviceKind kind = DeviceKind::cpu;
    int index = 0;
    bool operator==(const Device&) const = default;
    std::string str() const;                     // "cpu", "cuda:0", "reference", "plan"
    static Device parse(std::string_view text);  // InputError E0203 for anything else
};

}
