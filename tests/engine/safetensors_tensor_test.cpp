// Hostile tensors E1 to G22: dtypes, shapes, offsets. Siblings: safetensors_header_test.cpp (A to D),
// safetensors_file_test.cpp (H).
//
// A size that contradicts the span of the offsets is one check, E0408, whether a dtype, a shape or an offset is to
// blame.
#include "tests/engine/safetensors_variants.h"

using namespace bkd;
using namespace bkd_test;

namespace {

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}
// 64 bytes under 16 elements.
std::string with_dtype(const std::string& dtype) {
    return file_of("{\"a\":" + tensor(dtype, "[16]", "[0,64]") + "}", 64);
}
std::string with_shape(const std::string& shape, std::size_t bytes = 16) {
    return file_of("{\"a\":" + tensor("\"F32\"", shape, "[0," + std::to_string(bytes) + "]") + "}", bytes);
}
std::string with_offsets(const std::string& offsets, std::size_t data_bytes = 16) {
    return file_of("{\"a\":" + tensor("\"F32\"", "[2,2]", offsets) + "}", data_bytes);
}
std::string boolean_2() {
    std::string file = file_of("{\"a\":" + tensor("\"BOOL\"", "[2]", "[0,2]") + "}", 2);
    file.back() = 2;
    return file;
}
// Two tensors of two f32 each at the given offsets.
std::string two(const std::string& first, const std::string& second, std::size_t data_bytes) {
    return file_of("{\"b\":" + tensor("\"F32\"", "[2]", first) + ",\"a\":" + tensor("\"F32\"", "[2]", second) + "}",
                   data_bytes);
}
// An empty tensor "e" at the given offsets between two others.
std::string with_empty(const std::string& offsets) {
    return file_of("{\"b\":" + tensor("\"F32\"", "[2]", "[0,8]") + ",\"e\":" + tensor("\"F32\"", "[0]", offsets) +
                       ",\"a\":" + tensor("\"F32\"", "[2]", "[8,16]") + "}",
                   16);
}

}

TEST_CASE("dtypes other than the ten are refused, known ones as not supported") {
    check_all({
        {"E1 F32", with_dtype("\"F32\""), "accepted"},
        {"E2 f32", with_dtype("\"f32\""), "E0409"},
        {"E3 float32", with_dtype("\"float32\""), "E0409"},
        {"E4 F31", with_dtype("\"F31\""), "E0409"},
        {"E5 F32 and a space", with_dtype("\"F32 \""), "E0409"},
        {"E6 no letters", with_dtype("\"\""), "E0409"},
        {"E7 BF16 under 64 bytes", with_dtype("\"BF16\""), "E0408"},
        {"E8 BOOL under 64 bytes", with_dtype("\"BOOL\""), "E0408"},
        {"E9 I4", with_dtype("\"I4\""), "E0409"},
        {"E10 F4", with_dtype("\"F4\""), "E0409"},
        {"E11 U128", with_dtype("\"U128\""), "E0409"},
        {"E12 C64", with_dtype("\"C64\""), "E0409"},
        {"E13 F8_E4M3", with_dtype("\"F8_E4M3\""), "E0409"},
        {"E14 number", with_dtype("32"), "E0409"},
        {"E15 null", with_dtype("null"), "E0409"},
        {"E16 BOOL with byte 2, not used", boolean_2(), "accepted"},
        {"E17 F4, odd count", file_of("{\"a\":" + tensor("\"F4\"", "[3]", "[0,2]") + "}", 2), "E0409"},
    });
}

TEST_CASE("a BOOL byte of 2 is read, and refused when the tensor is used") {
    std::string file = boolean_2();
    file.back() = 1;
    const auto parse = [&] { return parse_safetensors(std::as_bytes(std::span(file)), "x"); };
    CHECK(parse().values<bool>(parse().at("a")) == std::vector<bool>{false, true});
    file.back() = 2;
    CHECK_THROWS_WITH_AS(parse().values<bool>(parse().at("a")), "tensor \"a\" is BOOL, element 1 is 2", InputError);
}

TEST_CASE("shapes are up to 8 extents of plain digits up to 2^48 whose product fits the span") {
    check_all({
        {"F1 scalar []", with_shape("[]", 4), "accepted"},
        {"F2 zero extent", with_shape("[0,3]", 0), "accepted"},
        {"F3 zero extent with bytes", with_shape("[0,3]"), "E0408"},
        {"F4 2^64-1 x 0", with_shape("[18446744073709551615,0]", 0), "E0408"},
        {"F5 0 x 2^64-1", with_shape("[0,18446744073709551615]", 0), "E0408"},
        {"F6 2^63 x 2", with_shape("[9223372036854775808,2]"), "E0408"},
        {"F7 2^32 x 2^32, product wraps to 0", with_shape("[4294967296,4294967296]", 0), "E0408"},
        {"F8 2^62, times 4 wraps to 0", with_shape("[4611686018427387904]", 0), "E0408"},
        {"F9 2^62+4, times 4 wraps to 16", with_shape("[4611686018427387908]"), "E0408"},
        {"F10 2^64", with_shape("[18446744073709551616]"), "E0408"},
        {"F11 1000 extents of 1", with_shape("[" + repeated(999, "1,") + "1]", 4), "E0408"},
        {"F11 9 extents of 1", with_shape("[1,1,1,1,1,1,1,1,1]", 4), "E0408"},
        {"F11 8 extents of 1", with_shape("[1,1,1,1,1,1,1,1]", 4), "accepted"},
        {"F12 100000 extents of 1", with_shape("[" + repeated(99999, "1,") + "1]", 4), "E0408"},
        {"F13 negative", with_shape("[-4]"), "E0408"},
        {"F14 -0", with_shape("[-0]", 0), "E0408"},
        {"F15 4.0", with_shape("[4.0]"), "E0408"},
        {"F16 4e0", with_shape("[4e0]"), "E0408"},
        {"F17 \"4\"", with_shape("[\"4\"]"), "E0408"},
        {"F18 04", with_shape("[04]"), "E0408"},
        {"F19 +4", with_shape("[+4]"), "E0408"},
        {"F20 0x4", with_shape("[0x4]"), "E0408"},
        {"F21 null", with_shape("[null]"), "E0408"},
        {"F22 true", with_shape("[true]"), "E0408"},
        {"F23 4 without brackets", with_shape("4"), "E0408"},
        {"F24 [[4]]", with_shape("[[4]]"), "E0408"},
        {"F25 NaN", with_shape("[NaN]"), "E0408"},
        {"F26 1e400", with_shape("[1e400]"), "E0408"},
        {"F27 30 digits", with_shape("[123456789012345678901234567890]"), "E0408"},
        {"F28 object", with_shape("[{}]"), "E0408"},
        {"F29 shape null", with_shape("null"), "E0408"},
    });
}

TEST_CASE("offsets cover the data exactly once") {
    const std::string misaligned =
        "{\"u\":" + tensor("\"U8\"", "[1]", "[0,1]") + ",\"f\":" + tensor("\"F32\"", "[1]", "[1,5]") + "}";
    check_all({
        {"G1 reversed", with_offsets("[16,0]"), "E0410"},
        {"G2 gap at the start", with_offsets("[4,20]", 20), "E0410"},
        {"G3 gap between", two("[0,8]", "[12,20]", 20), "E0410"},
        {"G4 overlap by 4", two("[0,8]", "[4,12]", 12), "E0410"},
        {"G5 same range twice", two("[0,8]", "[0,8]", 8), "E0410"},
        {"G6 end past the file", with_offsets("[8,24]"), "E0410"},
        {"G7 file 1 byte longer", with_offsets("[0,16]", 17), "E0410"},
        {"G8 names unsorted, offsets sorted", two("[0,8]", "[8,16]", 16), "accepted"},
        {"G8 offsets unsorted", two("[8,16]", "[0,8]", 16), "accepted"},
        {"G9 span larger than the shape", with_offsets("[0,20]", 20), "E0408"},
        {"G10 span smaller than the shape", with_offsets("[0,12]", 12), "E0408"},
        {"G11 one offset", with_offsets("[16]"), "E0410"},
        {"G12 three offsets", with_offsets("[0,16,16]"), "E0410"},
        {"G13 no offsets", with_offsets("[]"), "E0410"},
        {"G14 negative", with_offsets("[-16,0]"), "E0410"},
        {"G15 0.0,16.0", with_offsets("[0.0,16.0]"), "E0410"},
        {"G16 strings", with_offsets("[\"0\",\"16\"]"), "E0410"},
        {"G17 2^64-16..2^64-1", with_offsets("[18446744073709551600,18446744073709551615]"), "E0410"},
        {"G18 end 2^64", with_offsets("[0,18446744073709551616]"), "E0410"},
        {"G19 object", with_offsets(R"({"b":0,"e":16})"), "E0410"},
        {"G20 empty tensor in the middle at its place", with_empty("[8,8]"), "accepted"},
        {"G21 empty tensor elsewhere", with_empty("[4,4]"), "E0410"},
        {"G22 F32 after U8[1]", file_of(misaligned, 5), "accepted"},
    });
}

TEST_CASE("a misaligned tensor gives its values, and a refusal names the byte") {
    std::string file =
        file_of("{\"u\":" + tensor("\"U8\"", "[1]", "[0,1]") + ",\"f\":" + tensor("\"F32\"", "[1]", "[1,5]") + "}", 1);
    const float value = 1.5f;
    file.append(reinterpret_cast<const char*>(&value), 4);
    const SafeTensors tensors = parse_safetensors(std::as_bytes(std::span(file)), "x");
    CHECK(tensors.values<float>(tensors.at("f")) == std::vector<float>{1.5f});
    CHECK(tensors.values<std::uint8_t>(tensors.at("u")) == std::vector<std::uint8_t>{0});
    CHECK(id_of([&] { tensors.values<float>(tensors.at("u")); }) == "E0409");
    CHECK(id_of([&] { tensors.at("v"); }) == "E0411");
    try {
        const std::string bad = with_offsets("[16,0]");
        parse_safetensors(std::as_bytes(std::span(bad)), "bad.safetensors");
        FAIL("accepted");
    } catch (const InputError& error) {
        // 8 bytes of length and 50 of header come before the offsets.
        CHECK(error.parts().at == "bad.safetensors @ byte 57");
        CHECK(error.parts().what == "data_offsets [16,0] do not lie in the 16 bytes of data");
    }
}
