#include "engine/float_types.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace bkd {
namespace {

float bf16_to_float(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

// Beyond f32's range a conversion is undefined in C++.
float double_to_float(double x) {
    constexpr double most = std::numeric_limits<float>::max();
    // Half a unit in the last place above the largest number, rounding ends.
    constexpr double first_infinite = most + 0x1p103;
    if (std::abs(x) < first_infinite) return static_cast<float>(std::clamp(x, -most, most));
    return std::isnan(x) ? std::numeric_limits<float>::quiet_NaN()
                         : std::copysign(std::numeric_limits<float>::infinity(), static_cast<float>(x < 0 ? -1 : 1));
}

template <class T, class Convert>
void append(std::vector<std::byte>& data, const std::vector<T>& numbers, Convert convert) {
    for (const T number : numbers) {
        const float x = convert(number);
        const auto bytes = std::as_bytes(std::span<const float, 1>(&x, 1));
        data.insert(data.end(), bytes.begin(), bytes.end());
    }
}

}

float half_to_float(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);  // infinity, NaN
    if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float tiny = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -tiny : tiny;
}

std::int64_t to_f32(SafeTensors& file) {
    const auto is_other_float = [](const StoredTensor& t) {
        return t.type == ElementType::f16 || t.type == ElementType::bf16 || t.type == ElementType::f64;
    };
    const std::int64_t count = std::ranges::count_if(file.tensors, is_other_float);
    if (count == 0) return 0;
    std::vector<std::byte> data;
    for (StoredTensor& tensor : file.tensors) {
        const std::uint64_t begin = data.size();
        if (tensor.type == ElementType::f16) {
            append(data, file.values<std::uint16_t>(tensor), half_to_float);
        } else if (tensor.type == ElementType::bf16) {
            append(data, file.values<std::uint16_t>(tensor), bf16_to_float);
        } else if (tensor.type == ElementType::f64) {
            append(data, file.values<double>(tensor), double_to_float);
        } else {
            const auto bytes = file.bytes(tensor);
            data.insert(data.end(), bytes.begin(), bytes.end());
        }
        if (is_other_float(tensor)) tensor.type = ElementType::f32;
        tensor.begin = begin;
        tensor.end = data.size();
    }
    file.data = std::move(data);
    file.data_offset = 0;  // nowhere in the file any more
    return count;
}

}
