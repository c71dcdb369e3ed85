// Hostile headers A1 to D8: length prefix, text, keys, metadata. Each is built from its description; the verdict stands
// beside it. Siblings: safetensors_tensor_test.cpp (E to G), safetensors_file_test.cpp (H).
#include "tests/engine/safetensors_variants.h"

using namespace bkd_test;

namespace {

std::string named(const std::string& name) { return file_of("{\"" + name + "\":" + sound_tensor + "}"); }
std::string with_tensor(const std::string& info) { return file_of("{\"a\":" + info + "}"); }
std::string with_metadata(const std::string& metadata) {
    return file_of("{\"__metadata__\":" + metadata + ",\"a\":" + sound_tensor + "}");
}
std::string with_shape(const std::string& shape) {
    return with_tensor("{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":[0,16]}");
}
std::string big_endian_length() {
    std::string file = file_of(sound_header);
    std::reverse(file.begin(), file.begin() + 8);
    return file;
}
std::string empty_tensors(std::size_t count) {
    std::string header = "{";
    for (std::size_t i = 0; i < count; ++i)
        header += "\"" + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},";
    header.back() = '}';
    return file_of(header, 0);
}
std::string metadata_keys(std::size_t count) {
    std::string metadata = "{";
    for (std::size_t i = 0; i < count; ++i) metadata += "\"" + std::to_string(i) + "\":\"\",";
    metadata.back() = '}';
    return with_metadata(metadata);
}

}

TEST_CASE("hostile length prefixes are refused") {
    check_all({
        {"A1 empty file", "", "E0402"},
        {"A2 7 bytes", "1234567", "E0402"},
        {"A3 8 zero bytes", std::string(8, '\0'), "E0402"},
        {"A4 N=1, header {", length_field(1) + "{", "E0402"},
        {"A5 N=2 {} and no data", file_of("{}", 0), "accepted"},
        {"A6 N=2 {} and a byte that no tensor covers", file_of("{}", 1), "E0410"},
        {"A7 N=2^64-1", length_field(~0ull) + sound_header, "E0402"},
        {"A8 N=2^63", length_field(1ull << 63) + sound_header, "E0402"},
        {"A9 N=2^64-8, so that N+8 wraps to 0", length_field(~7ull) + sound_header, "E0402"},
        {"A10 N=100000001", length_field(100000001) + sound_header, "E0402"},
        {"A11 N=100000000 in a small file", length_field(100000000) + sound_header, "E0402"},
        {"A12 N one past the end", length_field(sound_header.size() + 17) + sound_header + std::string(16, '\0'),
         "E0402"},
        {"A13 N big-endian", big_endian_length(), "E0402"},
        {"A14 N one short, which cuts the brace",
         length_field(sound_header.size() - 1) + sound_header + std::string(16, '\0'), "E0403"},
    });
}

TEST_CASE("header text that is not strict JSON, or could be read in two ways, is refused") {
    std::string utf16;
    for (const char c : sound_header) (utf16 += c) += '\0';
    check_all({
        {"B1 leading space", file_of(" " + sound_header), "E0403"},
        {"B2 leading newline", file_of("\n" + sound_header), "E0403"},
        {"B3 UTF-8 byte order mark", file_of("\xef\xbb\xbf" + sound_header), "E0403"},
        {"B4 trailing spaces", file_of(sound_header + "     "), "accepted"},
        {"B5 trailing tab", file_of(sound_header + "\t"), "E0403"},
        {"B5 trailing newline", file_of(sound_header + "\n"), "E0403"},
        {"B6 trailing NULs", file_of(sound_header + std::string(3, '\0')), "E0403"},
        {"B7 two objects", file_of(sound_header + sound_header), "E0403"},
        {"B8 array", file_of("[" + sound_header + "]"), "E0403"},
        {"B9 null", file_of("null"), "E0403"},
        {"B10 string", file_of("\"text\""), "E0403"},
        {"B11 invalid UTF-8 in a name", named("a\xff"), "E0403"},
        {"B12 overlong UTF-8 in a name", named("a\xc0\xaf"), "E0403"},
        {"B13 UTF-8 surrogate bytes in a name", named("a\xed\xa0\x80"), "E0403"},
        {"B14 lone \\ud800 escape", named("a\\ud800"), "E0403"},
        {"B14 lone \\udc00 escape", named("a\\udc00"), "E0403"},
        {"B14 \\ud800 and a letter", named("a\\ud800\\u0061"), "E0403"},
        {"B15 surrogate pair escape", named("a\\ud83d\\ude00"), "accepted"},
        {"B16 raw control byte in a name", named("a\x01"), "E0403"},
        {"B17 raw NUL in a name", named(std::string("a\0b", 3)), "E0403"},
        {"B18 escaped \\u0000 in a name", named("a\\u0000"), "E0406"},
        {"B19 bad escape \\x", named("a\\x41"), "E0403"},
        {"B20 trailing comma", file_of("{\"a\":" + sound_tensor + ",}"), "E0403"},
        {"B21 comment", file_of("{/* */\"a\":" + sound_tensor + "}"), "E0403"},
        {"B22 single quotes", file_of("{'a':" + sound_tensor + "}"), "E0403"},
        {"B23 unterminated string", file_of("{\"a"), "E0403"},
        {"B24 128 nested arrays in a shape", with_shape(repeated(128, "[") + repeated(128, "]")), "E0403"},
        {"B25 100000 nested arrays", with_shape(repeated(100000, "[") + repeated(100000, "]")), "E0403"},
        {"B26 100000 nested objects in metadata",
         with_metadata(repeated(100000, "{\"a\":") + "\"\"" + repeated(100000, "}")), "E0403"},
        {"B27 UTF-16 header", file_of(utf16), "E0403"},
    });
}

TEST_CASE("keys that are missing, extra, twice or no acceptable names are refused") {
    const std::string other = R"({"dtype":"F32","shape":[1,4],"data_offsets":[0,16]})";
    check_all({
        {"C1 name twice, same info", file_of("{\"a\":" + sound_tensor + ",\"a\":" + sound_tensor + "}"), "E0405"},
        {"C2 name twice, different info", file_of("{\"a\":" + sound_tensor + ",\"a\":" + other + "}"), "E0405"},
        {"C3 name twice by an escape", file_of("{\"a\":" + sound_tensor + ",\"\\u0061\":" + sound_tensor + "}"),
         "E0405"},
        {"C4 shape twice", with_tensor(R"({"dtype":"F32","shape":[2,2],"shape":[2,2],"data_offsets":[0,16]})"),
         "E0404"},
        {"C5 dtype twice", with_tensor(R"({"dtype":"F32","dtype":"F32","shape":[2,2],"data_offsets":[0,16]})"),
         "E0404"},
        {"C6 __metadata__ twice", file_of("{\"__metadata__\":{},\"__metadata__\":{},\"a\":" + sound_tensor + "}"),
         "E0404"},
        {"C7 key twice in __metadata__", with_metadata(R"({"k":"1","k":"2"})"), "E0405"},
        {"C8 no dtype", with_tensor(R"({"shape":[2,2],"data_offsets":[0,16]})"), "E0404"},
        {"C9 no shape", with_tensor(R"({"dtype":"F32","data_offsets":[0,16]})"), "E0404"},
        {"C10 no data_offsets", with_tensor(R"({"dtype":"F32","shape":[2,2]})"), "E0404"},
        {"C11 extra key", with_tensor(R"({"dtype":"F32","shape":[2,2],"data_offsets":[0,16],"x":1})"), "E0404"},
        {"C12 info is null", with_tensor("null"), "E0404"},
        {"C13 info is an array", with_tensor(R"(["F32",[2,2],[0,16]])"), "E0404"},
        {"C14 empty name", named(""), "E0406"},
        {"C15 name of a path above", named("../../etc/passwd"), "accepted"},
        {"C16 name of an absolute path", named("/abs"), "accepted"},
        {"C17 name of 1 MiB", named(std::string(1 << 20, 'n')), "E0406"},
        {"C17 name of 513 bytes", named(std::string(513, 'n')), "E0406"},
        {"C17 name of 512 bytes", named(std::string(512, 'n')), "accepted"},
        {"C18 name with newline and ANSI escape", named("a\\n\\u001b[31m"), "E0406"},
        {"C18 name with a C1 control", named("a\xc2\x9b"), "E0406"},
        {"C19 __metadata__ holding a tensor", named("__metadata__"), "E0404"},
        {"C20 1,000,000 empty tensors", empty_tensors(1000000), "E0407"},
        {"C20 65,537 empty tensors", empty_tensors(65537), "E0407"},
        {"C20 65,536 empty tensors", empty_tensors(65536), "accepted"},
    });
}

TEST_CASE("metadata is an object of texts, at most 1,024 and 1 MiB") {
    const std::string large(10 << 20, 'x');
    check_all({
        {"D1 metadata", with_metadata(R"({"format":"pt"})"), "accepted"},
        {"D2 number value", with_metadata(R"({"k":1})"), "E0404"},
        {"D3 nested object", with_metadata(R"({"k":{"l":"m"}})"), "E0404"},
        {"D4 null", with_metadata("null"), "E0404"},
        {"D5 array", with_metadata("[]"), "E0404"},
        {"D6 string", with_metadata("\"text\""), "E0404"},
        {"D7 string of 10 MiB", with_metadata("{\"k\":\"" + large + "\"}"), "E0407"},
        {"D7 vocabulary of 10 MiB", with_metadata("{\"bkd.preprocess\":\"" + large + "\"}"), "accepted"},
        {"D8 200000 keys", metadata_keys(200000), "E0407"},
        {"D8 1024 keys", metadata_keys(1024), "accepted"},
        {"D8 1025 keys", metadata_keys(1025), "E0407"},
    });
}
