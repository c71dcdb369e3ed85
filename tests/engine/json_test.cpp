#include "engine/json.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace bkd;
using bkd_test::id_of;

TEST_CASE("members keep their order in dump, and are sorted in the canonical text") {
    const Json json =
        Json::Object{{"t", "now"}, {"b", Json::Object{{"z", 1}, {"a", true}}}, {"a", Json::Array{1, 0.5}}};
    CHECK(json.dump() == R"({"t":"now","b":{"z":1,"a":true},"a":[1,0.5]})");
    CHECK(json.canonical() == R"({"a":[1,0.5],"b":{"a":true,"z":1},"t":"now"})");
    CHECK(Json::parse(json.dump(), "x") == json);
}

TEST_CASE("numbers are written in the fewest digits that read back to the same bits") {
    CHECK(Json(0.1).dump() == "0.1");
    CHECK(Json(1.0 / 3).dump() == "0.3333333333333333");
    CHECK(Json(1e300).dump() == "1e+300");
    CHECK(Json(std::int64_t{9223372036854775807}).dump() == "9223372036854775807");
    CHECK(Json::parse("-9223372036854775808", "x").integer() == std::numeric_limits<std::int64_t>::min());
    for (const double value : {0.1, 2.0, -0.0, 5e-324, 1.7976931348623157e308, 3.0e-5f * 1.0}) {
        const double again = Json::parse(Json(value).dump(), "x").number();
        CHECK(again == value);
        CHECK(std::signbit(again) == std::signbit(value));
    }
    CHECK(Json(std::nan("")).dump() == "\"nan\"");
    CHECK(Json(-INFINITY).dump() == "\"-inf\"");
    CHECK(std::isnan(Json("nan").number()));
    CHECK(Json::parse(Json(INFINITY).dump(), "x").number() == INFINITY);
    CHECK(Json::parse(Json(-INFINITY).dump(), "x").number() == -INFINITY);
}

TEST_CASE("text is quoted so that any bytes make valid JSON") {
    CHECK(json_quoted("a\"b\\c\n\x01") == R"("a\"b\\c\n\u0001")");
    CHECK(json_quoted("gr\xc3\xbc\xc3\x9f") == "\"gr\xc3\xbc\xc3\x9f\"");
    CHECK(json_quoted("a\xff") == R"("a\ufffd")");
    CHECK(Json::parse(R"("\u00fc\ud83d\ude00")", "x").text() == "\xc3\xbc\xf0\x9f\x98\x80");
}

TEST_CASE("text that is no strict JSON is refused with its place") {
    for (const char* text : {"", "{", "[1,]", "{\"a\":1,}", "nul", "1 2", "'a'", "[1]//", "\"\\x\"", "\"\\ud800\"",
                             "01", "+1", "1.", "NaN", "1e400", "\"\xff\"", "\"a\nb\"", "\xef\xbb"})
        CHECK_MESSAGE(id_of([&] { Json::parse(text, "x"); }) == "E0403", text);
    try {
        Json::parse("{\"a\": tru}", "run.json");
        FAIL("accepted");
    } catch (const InputError& error) { CHECK(error.parts().at == "run.json @ byte 9"); }
}

TEST_CASE("a key twice is refused, compared after its escapes, and so is nesting beyond 64 levels") {
    CHECK(id_of([] { Json::parse(R"({"a":1,"\u0061":2})", "x"); }) == "E0405");
    CHECK(id_of([] { Json::parse(std::string(64, '[') + std::string(64, ']'), "x"); }) == "accepted");
    CHECK(id_of([] { Json::parse(std::string(65, '[') + std::string(65, ']'), "x"); }) == "E0403");
    CHECK(id_of([] { Json::parse(std::string(1000000, '['), "x"); }) == "E0403");
}

TEST_CASE("asking for another kind or a missing key says what is there") {
    const Json json = Json::parse(R"({"n":3,"list":[1,2],"names":["a"],"huge":18446744073709551615})", "x");
    CHECK(json.at("n").number() == 3.0);
    CHECK(json.at("list").integers() == std::vector<std::int64_t>{1, 2});
    CHECK(json.at("names").texts() == std::vector<std::string>{"a"});
    CHECK(json.find("m") == nullptr);
    CHECK_THROWS_WITH_AS(json.at("m"), "JSON object has no key \"m\"", InputError);
    CHECK_THROWS_WITH_AS(json.at("n").text(), "JSON has an integer where text is expected", InputError);
    CHECK_THROWS_WITH_AS(json.at("huge").integer(), "JSON has a number where an integer is expected", InputError);
}

TEST_CASE("set replaces a member in its place and appends a new one") {
    Json json;
    json.set("a", 1).set("b", "x").set("a", Json::array(std::vector<double>{0.5}));
    CHECK(json.dump() == R"({"a":[0.5],"b":"x"})");
}
