// The page of a report, made of records in memory: escaping, size, names of runs, what stands beside what.
#include "tests/contains.h"
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {
namespace {

// A finished run of so many classes with a study, every number of which is made up.
ReportedRun made_up(const std::string& name, std::int64_t classes, const std::string& class_name) {
    const auto count = static_cast<std::size_t>(classes);
    ReportedRun run;
    std::vector<std::int64_t> counts;
    for (std::int64_t c = 0; c < classes; ++c) counts.push_back(std::max<std::int64_t>(1, 1280 / (c + 1)));
    run.record.facts = Json::parse(
        R"({"schema":"bkd.run/1","state":"done","config_hash":"00","argv":["train","<b>"],"data":{"n":9,"files":[]}})",
        "f");
    run.record.facts.set("name", name);
    Json data = run.record.facts.at("data");
    data.set("counts", Json::array(counts));
    run.record.facts.set("data", data);
    run.record.recipe = {{"data.name", "\"imagenet_lt\"", "default"}, {"eval.split", "\"test\"", "a<b"}};
    EvaluationRecord e{.model = "train.last", .network = "resnet8", .data = "d", .split = "test", .epoch = 90};
    Metrics& m = e.metrics;
    m.top1 = 12.5, m.balanced = 12.5, m.count = 50 * classes;
    m.confusion.assign(count * count, 0);
    for (std::size_t c = 0; c < count; ++c) {
        e.class_names.push_back(class_name + std::to_string(c));
        m.class_samples.push_back(50);
        m.class_hits.push_back(static_cast<std::int64_t>(c % 50));
        m.per_class.push_back(2.0 * static_cast<double>(c % 50));
        for (std::size_t k = 0; k < 50; ++k) ++m.confusion[c * count + (c % 50 > k ? c : (c * 7 + k) % count)];
    }
    e.class_counts = counts;
    StageRecord stage{.name = "train", .method = "ce", .network = "resnet8", .epochs = 90, .is_finished = true};
    for (std::int64_t epoch = 1; epoch <= 90; ++epoch)
        stage.done.push_back({.epoch = epoch, .step = epoch, .loss = 7.0 / static_cast<double>(epoch), .metrics = m});
    stage.best = {40, 13.25};
    run.record.stages.push_back(stage);
    run.record.evaluations.emplace("train.last", e);
    StageStudy study{.stage = "train"};
    for (std::size_t c = 0; c < count; ++c) {
        study.encouraging.push_back(1.0 + static_cast<double>(c));
        study.discouraging.push_back(900.0);
        study.encouraging_by_others.push_back(0.5);
        study.omega.push_back(0.01 * static_cast<double>(c + 1));
        study.student.of_class.push_back(1.0 / static_cast<double>(classes));
        study.student.of_label.push_back(0.5);
    }
    study.teacher = study.balanced = study.student;
    run.study.stages.push_back(study);
    return run;
}

std::size_t times(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
}

}

TEST_CASE("text from outside is escaped: entities, and no control byte or broken UTF-8 passes") {
    CHECK(escaped("<script>\"a\" & 'b'") == "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;");
    CHECK(escaped("\x01z\x7F\xFF\xC2\x85") == "\uFFFDz\uFFFD\uFFFD\uFFFD");
    CHECK(escaped("Zebra\u03C9") == "Zebra\u03C9");
    CHECK(shortened("\u03C9\u03C9\u03C9\u03C9", 3) == "\u03C9\u03C9\u2026");
    CHECK(shortened("abc", 3) == "abc");
}

TEST_CASE("names of classes and runs that are markup stay text everywhere on the page") {
    std::vector<ReportedRun> runs{made_up("<script>x</script>", 12, "<script>alert(1)</script>"),
                                  made_up("b\" onload=\"y", 12, "<script>alert(1)</script>")};
    label_runs(runs);
    const std::string page = report_page(runs);
    CHECK_FALSE(contains(page, "<script"));
    CHECK_FALSE(contains(page, "<b>"));
    CHECK_FALSE(contains(page, "onload=\"y"));
    CHECK(times(page, "&lt;script&gt;alert(1)&lt;/script&gt;0") >= 1);
}

TEST_CASE("the page refers to nothing outside itself and needs no script") {
    std::vector<ReportedRun> runs{made_up("a", 10, "c")};
    label_runs(runs);
    const std::string page = report_page(runs);
    for (const char* outside : {"http:", "https:", "src=", "<link", "@import", "url(", "<script", "javascript:"}) {
        CAPTURE(outside);
        CHECK_FALSE(contains(page, outside));
    }
    CHECK(contains(page, "default-src 'none'"));
    CHECK(times(page, "<svg") == times(page, "</svg>"));
    CHECK_FALSE(contains(page, "nan"));
    CHECK_FALSE(contains(page, "inf "));
}

TEST_CASE("a thousand classes take at most 2 MB, confused by shot group; two hundred have their matrix") {
    std::vector<ReportedRun> runs{made_up("one-ce", 1000, "a class of some length "),
                                  made_up("one-bkd", 1000, "a class of some length ")};
    label_runs(runs);
    const std::string page = report_page(runs);
    CHECK(page.size() < 2'000'000);
    CHECK(contains(page, "confusion of ce by shot group"));
    CHECK_FALSE(contains(page, "confusion matrix of ce"));
    CHECK(contains(page, "The commonest confusions"));
    std::vector<ReportedRun> fewer{made_up("one", 200, "c")};
    label_runs(fewer);
    const std::string matrix = report_page(fewer);
    CHECK(matrix.size() < 1'000'000);
    CHECK(contains(matrix, "confusion matrix of train"));
}

TEST_CASE("the last epoch leads, the best stands beside it with its split and a warning") {
    std::vector<ReportedRun> runs{made_up("a", 10, "c")};
    label_runs(runs);
    const std::string page = report_page(runs);
    CHECK(contains(page, "<strong>12.50</strong>"));
    CHECK(contains(page, "best, chosen on test"));
    CHECK(contains(page, "13.25 <span class=\"soft\">epoch 40</span>"));
    CHECK(contains(page, "The best epoch was chosen on the test split"));
    CHECK(page.find("12.50") < page.find("13.25"));
    runs[0].record.recipe[1].value = "\"validation\"";
    CHECK_FALSE(contains(report_page(runs), "chosen on the test split"));
}

TEST_CASE("counts of another epoch than the last one stay off the page, which says so") {
    std::vector<ReportedRun> runs{made_up("a", 10, "c")};
    label_runs(runs);
    CHECK(contains(report_page(runs), "confusion matrix of train"));
    runs[0].record.evaluations.at("train.last").epoch = 89;
    const std::string page = report_page(runs);
    CHECK_FALSE(contains(page, "confusion matrix of train"));
    CHECK(contains(page, "there is no evaluation file of epoch 90"));
    CHECK(contains(page, "Accuracy over training counts"));
}

TEST_CASE("labels of runs are the words that tell their names apart") {
    const auto labels = [](const std::vector<std::string>& names) {
        std::vector<ReportedRun> runs;
        for (const std::string& name : names) runs.push_back(made_up(name, 2, "c"));
        label_runs(runs);
        std::vector<std::string> result;
        for (const ReportedRun& run : runs) result.push_back(run.label);
        return result;
    };
    using Names = std::vector<std::string>;
    CHECK(labels({"fm_lt_100_ce-s1", "fm_lt_100_bkd-s1"}) == Names{"ce", "bkd"});
    CHECK(labels({"fm_bkd-s1", "fm_bkd-s2"}) == Names{"s1", "s2"});
    CHECK(labels({"a", "a"}) == Names{"a", "a (2)"});
    CHECK(labels({"fm_bkd", "fm_bkd_mixup"}) == Names{"bkd", "mixup"});
    CHECK(labels({"fm_lt_100_ce-s1", "fm_lt_100_bkd-s1", "cifar10_lt_100_bkd-s1"}) ==
          Names{"fm_ce", "fm_bkd", "cifar10_bkd"});
    CHECK(labels({"cifar10_lt_100_resnet8_bkd-s1"}) == Names{"cifar10_lt_100_resnet8_bkd-s1"});
    CHECK(labels({"a_name_of_many_letters", "b"}) == Names{"\u2026of_many_letters", "b"});
}

TEST_CASE("runs of other classes have figures of their own") {
    std::vector<ReportedRun> runs{made_up("a", 10, "c"), made_up("b", 12, "d")};
    label_runs(runs);
    const std::vector<Series> series = series_of(runs);
    CHECK(class_groups(series).size() == 2);
    CHECK(times(report_page(runs), "Accuracy over training counts") == 2);
    const std::vector<ReportedRun> single{made_up("a", 10, "c")};
    CHECK(class_groups(series_of(single)).front().order.front() == 0);
}

TEST_CASE("of more than a hundred classes neighbours by count are drawn as their mean") {
    const std::vector<ReportedRun> runs{made_up("a", 250, "c")};
    const std::vector<Series> series = series_of(runs);
    const ClassGroup group = class_groups(series).front();
    std::vector<double> values;
    for (int c = 0; c < 250; ++c) values.push_back(c);
    CHECK(group.together() == 3);
    CHECK(group.sorted(values).size() == 84);
    CHECK(group.sorted(values).at(1) == 4);
    CHECK(group.ranks().at(1) == 5);
    CHECK(group.ranks().back() == 250);
    values[3] = std::nan("");
    CHECK(group.sorted(values).at(1) == 4.5);
}

TEST_CASE("ticks are round numbers within the range, also on a logarithmic axis") {
    const auto at = [](const std::vector<Tick>& ticks) {
        std::vector<double> values;
        for (const Tick& tick : ticks) values.push_back(tick.at);
        return values;
    };
    CHECK(at(ticks_of({0, 100}, 5)) == std::vector<double>{0, 20, 40, 60, 80, 100});
    CHECK(at(ticks_of({3, 3}, 5)) == std::vector<double>{3});
    CHECK(ticks_of({2.0, 2.01}, 5)[1].text == "2.002");
    CHECK(at(log_ticks_of({0.5, 10})) == std::vector<double>{0.5, 1, 2, 5, 10});
    CHECK(at(log_ticks_of({1, 1e4})) == std::vector<double>{1, 10, 100, 1000, 10000});
    CHECK(range_of(std::vector<double>{2, std::nan(""), -1}).low == -1);
}

}
