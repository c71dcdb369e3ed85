// What check-ops says of a run: counts of what was run, by dtype.
#include "tools/check/ops_report.h"
#include "engine/json.h"

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

Reported of_relu(const std::string& mode, const std::string& dtypes, DeviceKind kind) {
    return reported([&](std::FILE* out) {
        return ops_report(mode, {.ops = "relu_forward", .dtypes = dtypes, .device = {kind, 0}}, out);
    });
}

}

TEST_CASE("every dtype that is asked for runs on every device, and is counted by itself") {
    for (const DeviceKind kind : {DeviceKind::cpu, DeviceKind::reference}) {
        const Reported f32 = of_relu("test", "f32", kind), bf16 = of_relu("test", "bf16", kind),
                       both = of_relu("test", "f32,bf16", kind), same = of_relu("same", "bf16", kind);
        CAPTURE(both.text);
        for (const Reported& report : {f32, bf16, both, same}) CHECK(report.code == 0);
        CHECK(f32.says("seed 0: 68 passed, 0 failed"));  // 62 cases and 6 refusals
        CHECK_FALSE(f32.says("bf16"));
        CHECK(bf16.says("seed 0: 62 passed, 0 failed"));
        CHECK(both.says("seed 0: 130 passed, 0 failed"));
        CHECK(both.says("\nf32: 68 passed, 0 failed\nbf16: 62 passed, 0 failed\n"));
        CHECK(same.says("\nbf16: 62 passed, 0 failed\n"));
    }
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
    CHECK(dtypes[1].at("passed").integer() == 62);
    CHECK(document.at("passed").integer() == 130);
}

}
