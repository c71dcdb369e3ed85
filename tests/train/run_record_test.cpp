// A run read from its folder: finished, resumed, stopped half-way, or damaged.
#include "train/run_record.h"
#include "tests/train/toy_run.h"
#include "train/evaluate_model.h"

#include <doctest/doctest.h>

#include <fstream>

namespace bkd::test {

using bkd_test::id_of;

namespace {

std::vector<double> losses(const RunRecord& run, std::size_t stage) {
    std::vector<double> all;
    for (const EpochRecord& epoch : run.stages.at(stage).done) all.push_back(epoch.loss);
    return all;
}

void append(const ToyRun& toy, const std::string& file, const std::string& text) {
    std::ofstream(toy.path() / file, std::ios::binary | std::ios::app) << text;
}

void write(const ToyRun& toy, const std::string& file, const std::string& text) {
    std::ofstream(toy.path() / file, std::ios::binary) << text;
}

}

TEST_CASE("a stage's end leaves the counts of its last model, those that an evaluation of the file gives") {
    ToyRun toy;
    toy.train("bkd", "run");
    const RunRecord run = read_run_record(toy.path() / "run");
    for (const char* model : {"teacher.last", "student.last", "student.best"}) {
        CAPTURE(model);
        const EvaluationRecord* kept = run.evaluation(model);
        REQUIRE(kept != nullptr);
        const ModelEvaluation again =
            evaluate_model({.model = toy.path() / "run/models" / (std::string(model) + ".safetensors"),
                            .data_root = toy.path(),
                            .threads = 1});
        CHECK(kept->metrics.confusion == again.evaluation.metrics.confusion);
        CHECK(kept->metrics.class_hits == again.evaluation.metrics.class_hits);
        CHECK(kept->metrics.class_samples == std::vector<std::int64_t>(10, 4));
        CHECK(kept->metrics.top1 == again.evaluation.metrics.top1);
        CHECK(calibration_json(kept->metrics.calibration).dump() ==
              calibration_json(again.evaluation.metrics.calibration).dump());
        CHECK(kept->class_names == again.class_names);
        CHECK(kept->class_counts == run.class_counts());
        CHECK(kept->split == "test");
    }
    CHECK(run.evaluation("student.last")->epoch == 2);
    CHECK(run.evaluation("student.best")->epoch == run.stages.at(1).best->epoch);
    CHECK(run.stages.at(1).last_evaluated()->metrics->per_class == run.evaluation("student.last")->metrics.per_class);
}

TEST_CASE("a resumed run has the record of one that was never stopped") {
    ToyRun toy;
    toy.train("bkd", "whole");
    toy.train("bkd", "cut", {}, stop_after(1));
    const RunRecord half = read_run_record(toy.path() / "cut");
    CHECK(half.state() == "stopped");
    REQUIRE(half.stages.size() == 1);
    CHECK(half.stages[0].done.size() == 1);
    CHECK_FALSE(half.stages[0].is_finished);
    CHECK(half.stages[0].best->value == half.stages[0].done[0].metrics->top1);
    // Records after the checkpoint that the next process goes on from are taken back.
    append(toy, "cut/log.jsonl",
           "{\"t\":\"x\",\"type\":\"epoch\",\"stage\":\"teacher\",\"epoch\":2,\"step\":9999,\"loss\":7.5}\n");
    CHECK(losses(read_run_record(toy.path() / "cut"), 0).back() == 7.5);
    toy.resume("cut");
    const RunRecord whole = read_run_record(toy.path() / "whole"), resumed = read_run_record(toy.path() / "cut");
    REQUIRE(resumed.stages.size() == 2);
    for (const std::size_t stage : {0U, 1U}) {
        CHECK(losses(whole, stage) == losses(resumed, stage));
        CHECK(resumed.stages[stage].done.size() == 2);
        CHECK(resumed.stages[stage].is_finished);
        CHECK(resumed.stages[stage].method == (stage == 0 ? "ce" : "bkd"));
    }
}

TEST_CASE("the line that a running process is writing is left out, a broken one before it is named") {
    ToyRun toy;
    toy.train("ce", "run", {}, stop_after(1));
    append(toy, "run/log.jsonl", "{\"t\":\"x\",\"type\":\"epoch\",\"sta");
    CHECK(read_run_record(toy.path() / "run").stages.at(0).done.size() == 1);
    append(toy, "run/log.jsonl", "\n");
    const std::string said = message_of([&] { read_run_record(toy.path() / "run"); });
    CAPTURE(said);
    CHECK(said.find("error[E0403]") == 0);
    CHECK(said.find("log.jsonl:") != std::string::npos);
}

TEST_CASE("a folder without a run and a run of another schema are refused") {
    ToyRun toy;
    CHECK(message_of([&] { read_run_record(toy.path()); }).find("at:  argument RUN\n") != std::string::npos);
    CHECK(id_of([&] { read_run_record(toy.path() / "none"); }) == "E1004");
    toy.train("ce", "run", {}, stop_after(1));
    write(toy, "run/run.json", "{\"schema\": \"bkd.run/2\"}\n");
    CHECK(id_of([&] { read_run_record(toy.path() / "run"); }) == "E1006");
}

TEST_CASE("an evaluation that contradicts itself is refused") {
    const auto parse = [](const std::string& change_of, const std::string& into) {
        std::string text =
            R"({"schema":"bkd.eval/1","models":[{"model":"m","network":"n","data":"d","split":"test","n":3,"loss":1,)"
            R"("top1":50,"top5":null,"balanced":50,"macro_f1":50,"many":null,"medium":50,"few":null,"groups":[100,20],)"
            R"("nonfinite":0,"classes":["a","b"],"class_counts":[30,20],"class_samples":[2,1],"per_class":[50,0],)"
            R"("confusion":[1,1,1,0]}]})";
        if (const std::size_t at = text.find(change_of); !change_of.empty()) text.replace(at, change_of.size(), into);
        return parse_evaluation(Json::parse(text, "e.json"), "e.json");
    };
    const EvaluationRecord sound = parse("", "");
    CHECK(sound.metrics.class_hits == std::vector<std::int64_t>{1, 0});
    CHECK_FALSE(sound.metrics.shot(Shot::many));
    CHECK_FALSE(sound.epoch);
    CHECK(id_of([&] { parse("bkd.eval/1", "bkd.eval/2"); }) == "E1006");
    CHECK(id_of([&] { parse("[1,1,1,0]", "[1,1,1]"); }) == "E0404");
    CHECK(id_of([&] { parse("[1,1,1,0]", "[1,1,2,0]"); }) == "E0404");
    CHECK(id_of([&] { parse("[1,1,1,0]", "[1,-1,1,0]"); }) == "E0404");
    CHECK(id_of([&] { parse("[1,1,1,0]", "[1,9223372036854775807,1,0]"); }) == "E0404");
    CHECK(id_of([&] { parse("[\"a\",\"b\"]", "[]"); }) == "E0404");
    CHECK(id_of([&] { parse("[100,20]", "[100]"); }) == "E0404");
    CHECK(sound.metrics.calibration.empty());
    const auto calibrated = [&](const std::string& change_of, const std::string& into) {
        std::string text = R"("confusion":[1,1,1,0],"calibration":{"ece":1,"samples":[0,0,0,0,0,0,0,1,2,0,0,0,0,0,0],)"
                           R"("hits":[0,0,0,0,0,0,0,1,0,0,0,0,0,0,0],"confidence":["nan","nan","nan","nan","nan",)"
                           R"("nan","nan",0.5,0.59,"nan","nan","nan","nan","nan","nan"]})";
        if (const std::size_t at = text.find(change_of); !change_of.empty()) text.replace(at, change_of.size(), into);
        return parse("\"confusion\":[1,1,1,0]", text);
    };
    CHECK(calibrated("", "").metrics.calibration[8].samples == 2);
    CHECK(id_of([&] { calibrated("1,2,0", "1,1,0"); }) == "E0404");    // a sample in no bin
    CHECK(id_of([&] { calibrated("1,2,0", "1,3,0"); }) == "E0404");    // more than there are
    CHECK(id_of([&] { calibrated(",1,0,0", ",2,0,0"); }) == "E0404");  // more hits than samples
    CHECK(id_of([&] { calibrated("0.59", "0.61"); }) == "E0404");      // of another bin
    CHECK(id_of([&] { calibrated("\"samples\":[0,", "\"samples\":["); }) == "E0404");
}

TEST_CASE("a recipe's lines keep key, value and origin, and say which defaults nothing read") {
    const std::vector<RecipeLine> lines =
        parse_recipe_lines("recipe = 1   # default\n\n[run]\n# name = \"a # b\"    # default\n"
                           "seed = 3     # override #2 \"run.seed=3\"\n[stages.teacher.optim]\nlr = 0.1\n");
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].key == "recipe");
    CHECK(lines[1].key == "run.name");
    CHECK(lines[1].value == "\"a # b\"");
    CHECK_FALSE(lines[1].is_used);
    CHECK(lines[2].value == "3");
    CHECK(lines[2].origin == "override #2 \"run.seed=3\"");
    CHECK(lines[3].key == "stages.teacher.optim.lr");
    CHECK(lines[3].origin.empty());
    // Of a real run: each value of the recipe stands on one line.
    ToyRun toy;
    const Recipe recipe = toy.recipe("bkd");
    CHECK(parse_recipe_lines(recipe.print()).size() == recipe.leaves().size());
}

}
