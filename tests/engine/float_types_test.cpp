// Numbers of other widths as f32: halves exactly, doubles rounded.
#include "engine/float_types.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace bkd;

TEST_CASE("a half is the f32 of the same value: zeros, subnormal, normal, largest, infinite, NaN") {
    CHECK(half_to_float(0x0000) == 0.0f);
    CHECK(std::signbit(half_to_float(0x8000)));
    CHECK(half_to_float(0x0001) == 0x1p-24f);
    CHECK(half_to_float(0x83FF) == -0x3FFp-24f);
    CHECK(half_to_float(0x0400) == 0x1p-14f);
    CHECK(half_to_float(0x3C00) == 1.0f);
    CHECK(half_to_float(0xC100) == -2.5f);
    CHECK(half_to_float(0x7BFF) == 65504.0f);
    CHECK(half_to_float(0x7C00) == std::numeric_limits<float>::infinity());
    CHECK(half_to_float(0xFC00) == -std::numeric_limits<float>::infinity());
    CHECK(std::isnan(half_to_float(0x7E00)));
}

TEST_CASE("floating-point tensors become F32, others stay; a double beyond f32 becomes infinite") {
    constexpr double most = std::numeric_limits<float>::max();
    const std::vector<double> doubles{0.1, -2, most, most + 0x1p102, most + 0x1p103, -1e300, NAN};
    const std::vector<std::uint16_t> bf16{0x3F80, 0xC000}, half{0x3C00};
    const std::vector<std::int64_t> count{7};
    const std::vector<float> plain{0.5f};
    const auto stored = [](const char* name, ElementType type, const auto& numbers) {
        return TensorToStore{name, type, {std::ssize(numbers)}, std::as_bytes(std::span(numbers))};
    };
    const auto bytes = safetensors_bytes({stored("a", ElementType::bf16, bf16), stored("b", ElementType::i64, count),
                                          stored("c", ElementType::f64, doubles), stored("d", ElementType::f32, plain),
                                          stored("e", ElementType::f16, half)},
                                         {}, Checksums::no);
    SafeTensors file = parse_safetensors(bytes, "x");
    CHECK(to_f32(file) == 3);
    CHECK(file.values<float>(file.at("a")) == std::vector<float>{1, -2});
    CHECK(file.values<std::int64_t>(file.at("b")) == count);
    CHECK(file.values<float>(file.at("d")) == plain);
    CHECK(file.values<float>(file.at("e")) == std::vector<float>{1});
    const std::vector<float> narrowed = file.values<float>(file.at("c"));
    REQUIRE(narrowed.size() == 7);
    CHECK(narrowed[0] == 0.1f);
    CHECK(narrowed[1] == -2);
    CHECK(narrowed[2] == std::numeric_limits<float>::max());
    CHECK(narrowed[3] == std::numeric_limits<float>::max());
    CHECK(narrowed[4] == std::numeric_limits<float>::infinity());
    CHECK(narrowed[5] == -std::numeric_limits<float>::infinity());
    CHECK(std::isnan(narrowed[6]));
    CHECK(to_f32(file) == 0);
}
