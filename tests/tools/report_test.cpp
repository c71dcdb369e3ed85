// bkd report on the real program: its page, its numbers, its refusals.
#include "tests/tools/program.h"
#include "tests/train/toy_run.h"
#include "train/run_record.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace bkd::test {
namespace {

std::string path_of(const ToyRun& toy, const std::string& name) { return (toy.path() / name).string(); }

}

// paper: Fig. 3, 4, 7
TEST_CASE("two runs become one page and one JSON document with the same numbers") {
    ToyRun toy;
    toy.train("ce", "toy_ce");
    toy.train("bkd", "toy_bkd");
    const std::string folder = toy.path().string(), page_path = folder + "/both.html";
    const Said said = run_program(folder, "report " + path_of(toy, "toy_ce") + " " + path_of(toy, "toy_bkd") +
                                              " --threads 1 --json --out " + page_path);
    CAPTURE(said.err);
    REQUIRE(said.code == 0);
    const Json json = Json::parse(said.out, "stdout");
    CHECK(json.at("schema").text() == "bkd.report/1");
    CHECK(json.at("report").text() == page_path);
    const Json& student = json.at("runs").elements().at(1).at("stages").elements().at(1);
    CHECK(student.at("method").text() == "bkd");
    CHECK(student.at("encouraging").elements().size() == 10);
    CHECK(student.at("balanced_teacher").at("of_class").elements().size() == 10);
    CHECK(student.at("paper").is_null());
    const std::string page = text_of_file(page_path);
    CHECK(contains(page, fmt::format("<strong>{:.2f}</strong>", student.at("top1").number())));
    for (const char* part :
         {"Accuracy over training counts", "confusion matrix of bkd", "Many, medium, few", "Class weights",
          "what the right class is given", "Where the recipes differ", "recipe\u2019s hash",
          "the paper has no cell for fashion_mnist with resnet8 by ce", "best, chosen on test"}) {
        CAPTURE(part);
        CHECK(contains(page, part));
    }
}

TEST_CASE("a page beside its run is replaced, one named by --out is not, unless --force says so") {
    ToyRun toy;
    toy.train("ce", "run");
    const std::string folder = toy.path().string(), run = path_of(toy, "run");
    for (int i = 0; i < 2; ++i) {
        const Said said = run_program(folder, "report " + run + " --records-only");
        CHECK(said.code == 0);
        CHECK(said.out == run + "/report.html\n");
    }
    CHECK(contains(text_of_file(run + "/report.html"), "--records-only was given"));
    const std::string out = " --records-only --out " + folder + "/page.html";
    CHECK(run_program(folder, "report " + run + out).code == 0);
    CHECK(run_program(folder, "report " + run + out).code == 6);
    CHECK(run_program(folder, "report " + run + out + " --force").code == 0);
    CHECK(run_program(folder, "report " + run + " --out " + run + "/run.json --force").code == 6);
    CHECK(run_program(folder, "report " + run).code == 0);
}

TEST_CASE("without the run's data the page says so and shows what the run has written") {
    ToyRun toy;
    toy.train("bkd", "run");
    const std::string folder = toy.path().string(), run = path_of(toy, "run");
    const Said said = run_program(folder, "report " + run + " --data-root " + folder + "/none --threads 1");
    CHECK(said.code == 0);
    CHECK(contains(said.err, "models are not evaluated: "));
    // A standard error that takes nothing loses what is said there, no more.
    const std::string silent = std::string("bash -c '\"$@\" 2>/dev/full' - ") + BKD_PROGRAM;
    CHECK(run_program(folder, "report " + run + " --data-root " + folder + "/none --threads 1", silent).code == 0);
    const std::string page = text_of_file(run + "/report.html");
    CHECK(contains(page, "What is not on this page, and why"));
    CHECK(contains(page, "gradients and probabilities by class: "));
    CHECK(contains(page, "confusion matrix of student"));
    CHECK_FALSE(contains(page, "Discouraging over encouraging"));
}

TEST_CASE("a run that has not ended is reported as it stands") {
    ToyRun toy;
    toy.train("bkd", "run", {}, stop_after(1));
    const std::string folder = toy.path().string(), run = path_of(toy, "run");
    const Said said = run_program(folder, "report " + run + " --threads 1");
    CAPTURE(said.err);
    CHECK(said.code == 0);
    const std::string page = text_of_file(run + "/report.html");
    CHECK(contains(page, "stopped, epoch 1 of 2 of teacher at "));
    CHECK(contains(page, "stage teacher: it has not ended yet"));
    CHECK(contains(page, "Accuracy over training counts"));
}

TEST_CASE("a cut log is one line on standard error and a warning on the page, whose headline stays the run's") {
    ToyRun toy;
    toy.train("ce", "run", {"train.epochs=4"});
    const std::string folder = toy.path().string(), run = path_of(toy, "run"), log = run + "/log.jsonl";
    const double top1 = read_run_record(run).stages.at(0).last_evaluated()->metrics->top1;
    CHECK(run_program(folder, "report " + run + " --records-only").err.empty());
    const std::string text = text_of_file(log);
    std::ofstream(log, std::ios::binary) << text.substr(0, text.size() / 2);
    const Said said = run_program(folder, "report " + run + " --records-only --json");
    CHECK(said.code == 0);
    CHECK(said.err.find("warning: run: log.jsonl is not whole: missing: the rest of its last line; ") == 0);
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(contains(said.err, "; it holds "));
    const std::string page = text_of_file(run + "/report.html");
    CHECK(contains(page, "log.jsonl is not whole."));
    CHECK(contains(page, fmt::format("<strong>{:.2f}</strong>", top1)));
    CHECK(contains(page, "last epoch 4 of 4, not in the log: from its evaluation\u2019s file"));
    const Json stage = Json::parse(said.out, "stdout").at("runs").elements().at(0);
    CHECK(contains(stage.at("log_lacks").text(), "where run.json says "));
    CHECK(contains(stage.at("log_holds").text(), " of 4 epochs of train, up to step "));
    CHECK(stage.at("stages").elements().at(0).at("top1").number() == top1);
}

TEST_CASE("two seeds of a recipe stand with their spread, norms and calibration; a model that is gone is said") {
    ToyRun toy;
    toy.train("ce", "toy-s1");
    toy.train("ce", "toy-s2", {"run.seed=2"});
    const std::string folder = toy.path().string(), page = folder + "/seeds.html";
    const std::string words = "report " + path_of(toy, "toy-s1") + " " + path_of(toy, "toy-s2") +
                              " --records-only --json --force --out " + page;
    const Said said = run_program(folder, words);
    CAPTURE(said.err);
    REQUIRE(said.code == 0);
    const Json json = Json::parse(said.out, "stdout");
    const auto stage = [&](std::size_t i) { return json.at("runs").elements().at(i).at("stages").elements().at(0); };
    const double a = stage(0).at("top1").number(), b = stage(1).at("top1").number();
    const Json& group = json.at("seeds").elements().at(0);
    CHECK(group.at("runs").texts() == std::vector<std::string>{"toy-s1", "toy-s2"});
    CHECK(group.at("top1").at("mean").number() == doctest::Approx((a + b) / 2));
    CHECK(group.at("top1").at("deviation").number() == doctest::Approx(std::abs(a - b) / std::sqrt(2.0)));
    CHECK(stage(0).at("classifier_norms").elements().size() == 10);
    CHECK(stage(0).at("calibration").at("samples").elements().size() == 15);
    const std::string text = text_of_file(page);
    for (const char* part : {"s1, s2", "Norm of the classifier", "How sure it may be", "macro-F1"}) {
        CAPTURE(part);
        CHECK(contains(text, part));
    }
    std::filesystem::remove_all(toy.path() / "toy-s2/models");
    REQUIRE(run_program(folder, words).code == 0);
    CHECK(contains(text_of_file(page), "s2: norms of the classifier by class, stage train: "));
}

TEST_CASE("a class name that is markup in a run's files stays text on the page") {
    ToyRun toy;
    toy.train("ce", "run");
    const std::string run = path_of(toy, "run"), file = run + "/eval/train.last.test.json";
    std::string text = text_of_file(file);
    text.replace(text.find("\"T-shirt/top\""), 13, "\"<script>alert(1)</script>\"");
    std::ofstream(file, std::ios::binary) << text;
    CHECK(run_program(toy.path().string(), "report " + run + " --records-only").code == 0);
    const std::string page = text_of_file(run + "/report.html");
    CHECK_FALSE(contains(page, "<script"));
    CHECK(contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST_CASE("what is no run, a newer run, a run given twice and options without effect are refused") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    const std::string folder = toy.path().string(), run = path_of(toy, "run");
    const auto refused = [&](const std::string& words, int code, const std::string& message) {
        const Said said = run_program(folder, "report " + words);
        CAPTURE(words);
        CAPTURE(said.err);
        CHECK(said.code == code);
        CHECK(contains(said.err, message));
        CHECK(said.out.empty());
    };
    refused("", 2, "error[E0206]");
    refused(folder, 10, "error[E1004]");
    refused(run + " " + folder + "/./run", 2, "error[E0204]: run " + folder + "/./run is given twice");
    refused(run + " --records-only --data-root x", 2,
            "error[E0208]: --data-root has no effect in bkd report --records-only");
    refused(run + " --out " + folder + "/none/page.html", 6, "error[E0601]");
    refused(run + " --device cuda:999", 8, "cuda:999");
    refused(run + " --device plan", 2, "error[E0203]: --device plan executes nothing");
    refused(run + " --records-only --threads 1", 2, "error[E0208]: --threads has no effect in bkd report");
    refused(run + " a b c d e f", 2, "error[E0207]");
    std::ofstream(run + "/eval/train.last.test.json") << "{}";
    refused(run, 10, "error[E1006]: no schema");
    std::ofstream(run + "/run.json") << "{\"schema\": \"bkd.run/2\"}";
    refused(run, 10, "error[E1006]: schema is bkd.run/2");
}

}
