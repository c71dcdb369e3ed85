// What check-ops says of a run: counts of what was run, by dtype.
#include "tools/check/ops_report.h"
#include "engine/json.h"
#include "tests/engine/temporary_folder.h"
#include "tools/check/case_runner.h"
#include "tools/check/ops_compare.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <set>

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
        CHECK(f32.says("seed 0: 73 passed, 0 failed"));  // 62 cases and 11 refusals
        CHECK_FALSE(f32.says("bf16"));
        CHECK(bf16.says("seed 0: 62 passed, 0 failed"));
        CHECK(both.says("seed 0: 135 passed, 0 failed"));
        CHECK(both.says("\nf32: 73 passed, 0 failed\nbf16: 62 passed, 0 failed\n"));
        CHECK(same.says("\nbf16: 62 passed, 0 failed\n"));
    }
}

TEST_CASE("a short run lets ops take turns") {
    const std::vector<kernels::OpCases> table = kernels::all_op_cases();
    std::set<std::string> first;
    const std::vector<CaseJob> jobs = jobs_of("test", {.budget = Budget::smoke}, table);
    for (std::size_t i = 0; i < table.size(); ++i) first.insert(jobs.at(i).op());
    CHECK(first.size() == table.size());
    CHECK(jobs.size() == jobs_of("test", {}, table).size());
}

TEST_CASE("a median is slower by 5 % and by three times the spread of both, or it is not") {
    const bkd_test::TemporaryFolder folder;
    const auto timed = [](double median, double iqr) {
        CaseRecord record = record_of({.id = "exp/17/f32/normal"});
        record.median_ns = median;
        record.quartile_range_ns = iqr;
        return record;
    };
    const Json document(Json::Object{{"schema", "bkd.check-ops/1"}, {"cases", Json::Array{to_json(timed(1000, 10))}}});
    folder.write("old.json", document.dump());
    const EarlierRun earlier = EarlierRun::read((folder / "old.json").string());
    CHECK(earlier.is_slower(timed(1060, 10)));
    CHECK_FALSE(earlier.is_slower(timed(1040, 10)));
    CHECK_FALSE(earlier.is_slower(timed(1060, 100)));
    CHECK_FALSE(earlier.is_slower(timed(900, 0)));
    CHECK(earlier.slower(timed(1060, 10)).text == "slower exp/17/f32/normal: 1.00 us, now 1.06 us (+6.0 %)");
}

TEST_CASE("a record keeps its numbers on the way through JSON, those that are none too") {
    CaseRecord record = record_of({.id = "exp/17/f32/normal", .seed = UINT64_MAX, .worst_ratio = 0.1});
    record.result.status = kernels::CaseStatus::crash;
    record.result.kind = kernels::FailKind::nan;
    record.result.detail = "quoted \"text\"";
    record.result.index = {3, 4};
    record.result.got = HUGE_VAL;
    record.result.want = std::nan("");
    record.reproducer = "a/b";
    const CaseRecord back = record_from(Json::parse(to_json(record).dump(), "row"));
    CHECK(back.result.id == record.result.id);
    CHECK(back.result.seed == UINT64_MAX);
    CHECK(back.result.status == kernels::CaseStatus::crash);
    CHECK(back.result.kind == kernels::FailKind::nan);
    CHECK(back.result.worst_ratio == 0.1);
    CHECK(back.result.detail == record.result.detail);
    CHECK(back.result.index == record.result.index);
    CHECK(back.result.got == HUGE_VAL);
    CHECK(std::isnan(back.result.want));
    CHECK(back.reproducer == "a/b");
    CHECK(back.op == "exp");
    CHECK(back.dtype == "f32");
    CHECK(back.dist == "normal");
    CHECK(record_of({.id = "exp/refuse/argument 1 rank"}).dtype == "f32");
}

TEST_CASE("the JSON document counts by dtype as well") {
    const Reported both =
        reported([](std::FILE* out) { return ops_report("test", {.ops = "relu_forward", .as_json = true}, out); });
    const Json document = Json::parse(both.text, "stdout");
    const auto& dtypes = document.at("dtypes").elements();
    REQUIRE(dtypes.size() == 2);
    CHECK(dtypes[0].at("dtype").text() == "f32");
    CHECK(dtypes[0].at("passed").integer() == 73);
    CHECK(dtypes[1].at("dtype").text() == "bf16");
    CHECK(dtypes[1].at("passed").integer() == 62);
    CHECK(document.at("passed").integer() == 135);
}

}
