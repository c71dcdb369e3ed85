// Golden cases that say something that is not checked here, or that are broken: never passed, never the end of the run.
#include "engine/json.h"
#include "tests/contains.h"
#include "tests/engine/temporary_folder.h"
#include "tools/check/golden.h"
#include "tools/check/golden_report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace bkd {
namespace {

using test::contains;
using Status = GoldenResult::Status;

// One f32 case of the golden file, to be changed.
struct Fixture {
    GoldenFile file = GoldenFile::read(BKD_SOURCE_DIR "/tests/golden/ops.safetensors");
    Runtime runtime{Device{DeviceKind::reference, 0}};

    GoldenCase of(const std::string& op) const {
        return *std::find_if(file.cases.begin(), file.cases.end(),
                             [&](const GoldenCase& c) { return c.op == op && c.dtype == "f32"; });
    }
    GoldenResult with(const std::string& op, const std::string& attribute, const Json& value) {
        GoldenCase c = of(op);
        c.attributes.set(attribute, value);
        return run_golden(file, c, runtime);
    }
};

// The bytes of a golden file of two cases of relu with one element; the tensors of both are x, up, y in this order.
std::string two_cases(const std::string& first_attributes, float first_y) {
    const auto case_text = [](const std::string& name, const std::string& attributes) {
        return R"({"name":")" + name + R"(","op":"relu","dtype":"f32","attrs":)" + attributes +
               R"(,"in":["x"],"up":["y"],"out":{"y":{"rtol":0.5}}})";
    };
    const std::string manifest = R"({"format":"bkd-golden","version":1,"cases":[)" +
                                 case_text("first", first_attributes) + "," + case_text("second", "{}") + "]}";
    std::string header = R"({"__metadata__":{"golden":)" + json_quoted(manifest) + "}";
    std::size_t at = 0;
    for (const char* name : {"first", "second"})
        for (const char* tensor : {"in/x", "up/y", "out/y"}) {
            header += R"(,")" + std::string(name) + "/" + tensor + R"(":{"dtype":"F32","shape":[1],"data_offsets":[)" +
                      std::to_string(at) + "," + std::to_string(at + 4) + "]}";
            at += 4;
        }
    header += "}";
    while (header.size() % 8 != 0) header += ' ';
    const std::uint64_t length = header.size();
    const std::array<float, 6> values{2, 1, first_y, 2, 1, 2};
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header +
           std::string(reinterpret_cast<const char*>(values.data()), sizeof values);
}

struct Reported {
    int code = 0;
    std::string text{};
};

Reported report(const std::string& bytes, bool as_json, const std::string& cases = {}) {
    const bkd_test::TemporaryFolder folder;
    folder.write("cases.safetensors", bytes);
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    OpsReportOptions options;
    options.device = {DeviceKind::reference, 0};
    options.as_json = as_json;
    options.cases = cases;
    Reported result{.code = golden_report({(folder / "cases.safetensors").string()}, options, file)};
    std::rewind(file);
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) result.text += static_cast<char>(c);
    std::fclose(file);
    return result;
}

}

TEST_CASE("a golden case that compares nothing fails, one with gradients alone passes") {
    Fixture f;
    GoldenCase relu = f.of("relu");
    relu.out.clear();
    CHECK(run_golden(f.file, relu, f.runtime).status == Status::pass);
    relu.grad.clear();
    const GoldenResult nothing = run_golden(f.file, relu, f.runtime);
    CHECK(nothing.status == Status::fail);
    CHECK(nothing.detail == "compares nothing");
    CHECK(std::isinf(nothing.worst_ratio));

    GoldenCase loss = f.of("cross_entropy");
    loss.out.clear();
    CHECK(run_golden(f.file, loss, f.runtime).status == Status::pass);
}

TEST_CASE("an attribute or a value of one that the op does not know skips the golden case") {
    Fixture f;
    const auto skips = [&](const std::string& op, const std::string& attribute, const Json& value,
                           const std::string& reason) {
        const GoldenResult r = f.with(op, attribute, value);
        CAPTURE(op);
        CHECK(r.status == Status::skipped);
        CHECK(r.detail == reason);
    };
    skips("relu", "slope", 0.1, "unknown attribute slope");
    skips("cross_entropy", "label_smoothing", 0.1, "unknown attribute label_smoothing");
    skips("cross_entropy", "reduction", "median", "unknown value \"median\" of attribute reduction");
    skips("bkd_loss", "form", "eq9", "unknown value \"eq9\" of attribute form");
    skips("conv2d", "dilation", Json::array(std::array{2, 2}), "unknown value [2,2] of attribute dilation");
    skips("max_pool", "ceil_mode", true, "unknown value true of attribute ceil_mode");
    CHECK(f.with("conv2d", "dilation", Json::array(std::array{1, 1})).status == Status::pass);
    CHECK(f.with("max_pool", "ceil_mode", false).status == Status::pass);
}

TEST_CASE("sizes that no case can mean fail the golden case and nothing else") {
    Fixture f;
    const auto fails = [&](const std::string& op, const std::string& attribute, const Json& value,
                           const std::string& detail) {
        const GoldenResult r = f.with(op, attribute, value);
        CAPTURE(op);
        CHECK(r.status == Status::fail);
        CHECK(r.detail == detail);
    };
    fails("shortcut_a", "stride", 0, "E0408: attribute stride is 0: it is 1 to 1048576");
    fails("shortcut_a", "stride", -1, "E0408: attribute stride is -1: it is 1 to 1048576");
    fails("shortcut_a", "out_channels", 1 << 21, "E0408: attribute out_channels is 2097152: it is 1 to 1048576");
    fails("conv2d", "stride", Json::array(std::array{1, 0}), "E0408: attribute stride is 0: it is 1 to 1048576");
    fails("conv2d", "groups", 0, "E0408: attribute groups is 0: it is 1 to 1048576");
    fails("max_pool", "padding", Json::array(std::array{-1, 0}), "E0408: attribute padding is -1: it is 0 to 1048576");
    fails("resnet_cifar_train", "steps", 1001, "E0408: attribute steps is 1001: it is 1 to 1000");
    fails("concat", "axis", 7, "E0408: attribute axis is 7: it is -2 to 1");
}

TEST_CASE("a golden case without an attribute or an input that its op needs fails with the reason") {
    Fixture f;
    GoldenCase softmax = f.of("softmax");
    softmax.attributes = Json(Json::Object{});
    const GoldenResult no_temperature = run_golden(f.file, softmax, f.runtime);
    CHECK(no_temperature.status == Status::fail);
    CHECK(no_temperature.detail == "E0404: JSON object has no key \"T\"");

    GoldenCase relu = f.of("relu");
    relu.in.clear();
    const GoldenResult no_input = run_golden(f.file, relu, f.runtime);
    CHECK(no_input.status == Status::fail);
    CHECK(contains(no_input.detail, "E0411: the case has no input x"));

    GoldenCase other_op = f.of("relu");
    other_op.op = "class_balanced_weights";
    CHECK(run_golden(f.file, other_op, f.runtime).status == Status::fail);
}

TEST_CASE("the report goes on behind a bad golden case and counts failures in its largest error") {
    const Reported good = report(two_cases("{}", 2), false);
    CAPTURE(good.text);
    CHECK(good.code == 0);
    CHECK(contains(good.text, "2 passed, 0 failed, 0 skipped"));

    // 2 for 1 where 0.5 is allowed
    const Reported wrong = report(two_cases("{}", 1), false);
    CAPTURE(wrong.text);
    CHECK(wrong.code == 1);
    CHECK(contains(wrong.text,
                   "1 passed, 1 failed, 0 skipped; the largest error is 2.000 of its limit (first out/y[0])"));
    const Json document = Json::parse(report(two_cases("{}", 1), true).text, "stdout");
    CHECK(document.at("worst_over_limit").number() == doctest::Approx(2));
    CHECK(document.at("worst_case").text() == "first out/y[0]");

    const Reported bad = report(two_cases("5", 2), false);
    CAPTURE(bad.text);
    CHECK(bad.code == 1);
    CHECK(contains(bad.text, "FAIL first  E0404: "));
    CHECK(contains(bad.text, "1 passed, 1 failed, 0 skipped; the largest error is inf of its limit (first)"));

    const Reported unknown = report(two_cases(R"({"slope":0.5})", 2), false);
    CAPTURE(unknown.text);
    CHECK(unknown.code == 0);
    CHECK(contains(unknown.text, "skipped    1  f32 relu: unknown attribute slope\n"));
    CHECK(contains(unknown.text, "1 passed, 0 failed, 1 skipped"));
}

TEST_CASE("golden cases that were all skipped are no success") {
    const Reported skipped = report(two_cases(R"({"slope":0.5})", 2), false, "^first$");
    CAPTURE(skipped.text);
    CHECK(skipped.code == 1);
    CHECK(contains(skipped.text, " 0 passed, 0 failed, 1 skipped"));
    CHECK(contains(skipped.text, "nothing was run\n"));
}

TEST_CASE("a golden case of a dtype that is not in this version is skipped") {
    Fixture f;
    GoldenCase relu = f.of("relu");
    relu.dtype = "f16";
    const GoldenResult result = run_golden(f.file, relu, f.runtime);
    CHECK(result.status == Status::skipped);
    CHECK(result.detail == "f16 is not in this version");
}

}
