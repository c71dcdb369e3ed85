// The page of a report, made of records in memory: escaping, size, names of runs, what stands beside what.
#include "tests/contains.h"
#include "tools/report/html.h"
#include "tools/report/report.h"
#include "train/paper_cells.h"

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
        R"({"schema":"bkd.run/1","state":"done","config_hash":"00","argv":["train","<b>"],"seed":1,"step":90,)"
        R"("results":[],"data":{"n":9,"files":[],"sha256":"77"}})",
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
    m.calibration.assign(confidence_bins, {.samples = 10, .hits = 5, .confidence = 0.5});
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
    for (std::size_t c = 0; c < count; ++c) run.norms["train"].push_back(2 - 1.0 / static_cast<double>(c + 1));
    return run;
}

// As made_up, of a cell of Table 2, with this seed and result; runs differ in the seed alone.
ReportedRun seeded(const std::string& name, int seed, double top1) {
    ReportedRun run = made_up(name, 10, "c");
    run.record.recipe = {{"data.name", "\"cifar10\"", ""},     {"data.imbalance", "\"long_tailed\"", ""},
                         {"data.imbalance_ratio", "100", ""},  {"run.seed", std::to_string(seed), ""},
                         {"run.name", "\"" + name + "\"", ""}, {"eval.split", "\"test\"", ""}};
    run.record.facts.set("seed", static_cast<std::int64_t>(seed));
    StageRecord& stage = run.record.stages.front();
    stage.network = "resnet32";
    stage.done.back().metrics->top1 = top1;
    return run;
}

std::string page_of(std::vector<ReportedRun> runs) {
    label_runs(runs);
    return report_page(runs);
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

TEST_CASE("several seeds of one recipe have mean and sample deviation, and the paper's cell lies within it or not") {
    const std::optional<PaperCell> cell = paper_cell(
        {.data = "cifar10", .network = "resnet32", .method = "ce", .imbalance = "long_tailed", .ratio = 100});
    REQUIRE(cell);
    const std::vector<ReportedRun> runs{seeded("a-s1", 1, cell->top1 - 1), seeded("a-s2", 2, cell->top1 + 2),
                                        seeded("a-s3", 3, cell->top1 + 2)};
    const std::vector<Series> series = series_of(runs);
    const SeedGroup group = seed_groups(series).at(0);
    CHECK(group.series.size() == 3);
    CHECK(group.top1()->mean == doctest::Approx(cell->top1 + 1));
    CHECK(*group.top1()->deviation == doctest::Approx(std::sqrt(3.0)));
    CHECK(*group.difference() == doctest::Approx(1));
    CHECK(group.is_within() == true);
    const std::string page = page_of(runs);
    CHECK(contains(page, fmt::format("{:.2f} <span class=\"soft\">\u00B1 1.73</span>", cell->top1 + 1)));
    CHECK(contains(page, "the mean over 3 seeds differs from the paper\u2019s"));
    CHECK(contains(page, "by +1.00. That is within the spread, one standard deviation of 1.73."));
    CHECK(contains(page_of({seeded("a-s1", 1, cell->top1 + 2), seeded("a-s2", 2, cell->top1 + 2.5)}),
                   "That is outside the spread"));
    const Json json = seeds_json(series).elements().at(0);
    CHECK(json.at("within_spread").boolean());
    CHECK(json.at("top1").at("n").integer() == 3);
    CHECK(json.at("seeds").integers() == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("one seed has no spread: other recipes, the same seed again and runs that have not ended do not count") {
    CHECK(contains(page_of({seeded("a-s1", 1, 70)}), "train: one seed, so no spread is known"));
    std::vector<ReportedRun> runs{seeded("a-s1", 1, 70), seeded("a-s2", 2, 71), seeded("a-s3", 1, 72),
                                  seeded("a-s4", 4, 73)};
    runs[1].record.recipe.push_back({"optim.lr", "0.2", ""});
    runs[3].record.stages.front().is_finished = false;
    std::string page = page_of(runs);
    CHECK(contains(page, "s1, s2: one seed each, so no spread is known"));
    CHECK(contains(page, "Not counted among the seeds: s3: seed 1 once more; s4: it has not ended."));
    CHECK_FALSE(contains(page, "over seeds"));
    // What a run reads but what decides no result: its folder, what it logs. A default that nothing read.
    runs[1].record.recipe.back() = {"log.every", "7", ""};
    runs[1].record.recipe.push_back({"ema.decay", "0.2", "", false});
    page = page_of(runs);
    CHECK(contains(page, "s1, s2: the mean over 2 seeds"));
    Json data = runs[1].record.facts.at("data");
    data.set("sha256", "78");
    runs[1].record.facts.set("data", data);
    CHECK(contains(page_of(runs), "s1, s2: one seed each, so no spread is known"));
    CHECK(spread_of(std::vector<double>{5})->mean == 5);
    CHECK_FALSE(spread_of(std::vector<double>{5})->deviation);
    CHECK_FALSE(spread_of({}));
}

TEST_CASE("norms of the classifier are drawn over the classes by count, a line a run") {
    std::vector<ReportedRun> runs{made_up("one-ce", 10, "c"), made_up("one-bkd", 10, "c")};
    CHECK(contains(page_of(runs), "norm of the classifier&#39;s weight vector of each class"));
    for (ReportedRun& run : runs) run.norms.clear();
    CHECK_FALSE(contains(page_of(runs), "weight vector of each class"));
    const auto lines = [&] { return times(page_of(runs), "<path class=\"line s"); };
    const std::size_t without = lines();
    runs[0].norms["train"].assign(10, 1.5);
    CHECK(lines() == without + 1);
    runs[1].norms["train"].assign(10, 2.5);
    CHECK(lines() == without + 2);
}

TEST_CASE("a reliability diagram stands for each run, with its error and the samples of each bin") {
    ReportedRun run = made_up("a", 10, "c");
    std::vector<ConfidenceBin>& bins = run.record.evaluations.at("train.last").metrics.calibration;
    bins.assign(confidence_bins, {.samples = 0, .hits = 0, .confidence = std::nan("")});
    bins[9] = {.samples = 1234, .hits = 617, .confidence = 0.65};
    const std::string page = page_of({run});
    CHECK(contains(page, "accuracy of train against its confidence"));
    CHECK(contains(page, "ECE 15.00. Right in 50.00 percent, sure of 65.00: over-confident."));
    CHECK(contains(page, "<td>1234</td><td>50.00</td><td>65.00</td><td>\u221215.00</td>"));
    CHECK_FALSE(contains(page, "nan"));
    bins.clear();
    const std::string without = page_of({run});
    CHECK_FALSE(contains(without, "against its confidence"));
    CHECK(contains(without, "train: calibration: the evaluation was written by an earlier version"));
    run.study.evaluations.push_back(run.record.evaluations.at("train.last"));
    run.study.evaluations.back().metrics.calibration.assign(confidence_bins,
                                                            {.samples = 2, .hits = 1, .confidence = 1});
    CHECK(contains(page_of({run}), "ECE 50.00"));
}

TEST_CASE("a log that is not whole is said before the numbers, and its curves have gaps") {
    ReportedRun run = made_up("a", 10, "c");
    const auto loss_path = [&] {
        const std::string page = page_of({run});
        const std::size_t at = page.find("<path class=\"line", page.find("training loss by epoch"));
        return page.substr(at, page.find("\"/>", at) - at);
    };
    CHECK(times(loss_path(), "M") == 1);
    std::erase_if(run.record.stages.front().done, [](const EpochRecord& e) { return e.epoch > 40 && e.epoch < 50; });
    CHECK(times(loss_path(), "M") == 2);
    run.record.stages.front().done.back().is_logged = false;
    run.record.damage = {"epochs 41 to 49 <b>", "80 of 90 epochs"};
    const std::string page = page_of({run});
    CHECK(contains(page,
                   "log.jsonl is not whole.</strong> Missing: epochs 41 to 49 &lt;b&gt;. It holds 80 of 90 epochs."));
    CHECK(page.find("log.jsonl is not whole") < page.find("12.50"));
    CHECK(contains(page, "last epoch 90 of 90, not in the log: from its evaluation\u2019s file"));
    run.record.stages.front().is_finished = false;
    run.record.stages.front().done.back().is_logged = true;
    run.record.facts.set("state", "stopped");
    CHECK(contains(page_of({run}), "stopped; the last that the log holds: epoch 90 of 90 of train"));
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
