#pragma once
// Floating-point numbers of a file as f32, which is what networks hold.
#include "engine/safetensors.h"

namespace bkd {

// An IEEE half, exactly: 1 sign, 5 exponent, 10 fraction bits.
float half_to_float(std::uint16_t bits);

// F16, BF16 and F64 tensors become F32: the former two exactly, the latter rounded to nearest, what is too large
// infinite. Others stay. Returns how many changed.
std::int64_t to_f32(SafeTensors& file);

}
