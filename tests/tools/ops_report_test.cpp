// What check-ops says of a run: counts of what was run, and no green for what was not.
#include "tools/check/ops_report.h"
#include "engine/json.h"
#include "tools/check/golden_report.h"

#include <doctest/doctest.h>

#include <functional>

namespace bkd {
namespace {

struct Reported {
    int code = 0;
    std::string text{};
    bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

Reported reported(const std::function<int(std::FILE*)>& report) {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    Reported result{.code = report(file)};
    std::rewind(file);
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) result.text += static_cast<char>(c);
    std::fclose(file);
    return result;
}

Reported of_relu(const std::string& mode, const std::string& dtypes, bool require_all = false) {
    return reported([&](std::FILE* out) {
        return ops_report(mode, {.ops = "relu_forward", .dtypes = dtypes, .require_all = require_all}, out);
    });
}

}

TEST_CASE("a dtype that no backend runs is unsupported, never passed, and alone no success") {
    for (const char* mode : {"test", "same"}) {
        CAPTURE(mode);
        const Reported bf16 = of_relu(mode, "bf16");
        CAPTURE(bf16.text);
        CHECK(bf16.code == 1);
        CHECK(bf16.says("seed 0: 0 passed, 0 failed, 62 unsupported"));
        CHECK(bf16.says("bf16: 62 cases unsupported, which is not passed; 0 passed\nnothing was run\n"));
    }
}

TEST_CASE("beside a dtype that runs, the other is counted by itself, and fails where all are required") {
    const Reported f32 = of_relu("test", "f32"), both = of_relu("test", "f32,bf16");
    CAPTURE(both.text);
    CHECK(f32.code == 0);
    CHECK(f32.says("seed 0: 68 passed, 0 failed, 0 unsupported"));  // 62 cases and 6 refusals
    CHECK_FALSE(f32.says("bf16"));
    CHECK(both.code == 0);
    CHECK(both.says("seed 0: 68 passed, 0 failed, 62 unsupported"));
    CHECK(both.says("\nbf16: 62 cases unsupported, which is not passed; 0 passed\n"));
    CHECK(of_relu("test", "f32", true).code == 0);
    CHECK(of_relu("test", "f32,bf16", true).code == 1);
}

TEST_CASE("the JSON document counts by dtype as well") {
    const Reported both =
        reported([](std::FILE* out) { return ops_report("test", {.ops = "relu_forward", .as_json = true}, out); });
    const Json document = Json::parse(both.text, "stdout");
    const auto& dtypes = document.at("dtypes").elements();
    REQUIRE(dtypes.size() == 2);
    CHECK(dtypes[0].at("dtype").text() == "f32");
    CHECK(dtypes[0].at("passed").integer() == 68);
    CHECK(dtypes[1].at("dtype").text() == "bf16");
    CHECK(dtypes[1].at("passed").integer() == 0);
    CHECK(dtypes[1].at("unsupported").integer() == 62);
    CHECK(document.at("passed").integer() == 68);
}

TEST_CASE("golden cases that were all skipped are no success") {
    const std::vector<std::string> files = {BKD_SOURCE_DIR "/tests/golden/ops.safetensors"};
    const auto of = [&](const char* dtype) {
        return reported([&](std::FILE* out) {
            return golden_report(files, {.ops = "relu", .dtypes = dtype, .device = {DeviceKind::reference, 0}}, out);
        });
    };
    CHECK(of("f32").code == 0);
    const Reported skipped = of("bf16");
    CAPTURE(skipped.text);
    CHECK(skipped.code == 1);
    CHECK(skipped.says(" 0 passed, 0 failed, "));
    CHECK(skipped.says("nothing was run\n"));
}

}
