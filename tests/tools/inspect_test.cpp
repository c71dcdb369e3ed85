// bkd inspect of recipes and runs on the real program: what `train` would refuse, the tape of a step, tables by class.
#include "engine/json.h"
#include "tests/tools/program.h"
#include "tests/train/toy_run.h"
#include "tools/bench/training_step.h"
#include "train/class_weights.h"
#include "train/run_study.h"
#include "train/step_tape.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

class OpNames final : public LaunchObserver {
public:
    void before(const Launch& launch) override { names.emplace_back(launch.op); }
    std::vector<std::string> names;
};

std::vector<double> numbers(const Json& array) {
    std::vector<double> all;
    for (const Json& element : array.elements()) all.push_back(element.number());
    return all;
}

}

TEST_CASE("inspect refuses a key without effect in the words of train") {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string();
    for (const char* key : {"kd.temperature=3", "weights.beta=0.9", "data.imbalance=none"}) {
        CAPTURE(key);
        const Said inspected = run_program(here, std::string("inspect toy_ce ") + key),
                   trained = run_program(here, std::string("train toy_ce ") + key + " --run-dir " + here);
        CHECK(inspected.code == 3);
        CHECK(contains(inspected.err, "error[E0305]"));
        CHECK(inspected.err == trained.err);
        CHECK(inspected.out.empty());
    }
    CHECK(run_program(here, "inspect toy_bkd kd.temperature=3 weights.beta=0.9").code == 0);
}

TEST_CASE("the tape lists the launches that the bench times, in their order") {
    const bkd_test::TemporaryFolder folder;
    TrainingStep step({.network = "resnet32",
                       .distils = true,
                       .batch = 128,
                       .size = 32,
                       .channels = 3,
                       .classes = 100,
                       .device = {DeviceKind::plan, 0}});
    OpNames observed;
    step.runtime().stream->observer = &observed;
    step.run();
    step.runtime().stream->observer = nullptr;
    const Said said = run_program(folder.path().string(), "inspect cifar100_lt_100_bkd mixup.alpha=0 --tape --json");
    REQUIRE(said.code == 0);
    const Json json = Json::parse(said.out, "stdout");
    CHECK(json.at("schema").text() == "bkd.tape/1");
    const Json& student = json.at("stages").elements().at(1);
    std::vector<std::string> listed;
    double flops = 0;
    for (const Json& launch : student.at("tape").elements()) {
        listed.push_back(launch.at("op").text());
        flops += launch.at("flops").number();
    }
    CHECK(listed == observed.names);
    CHECK(student.at("launches").integer() == std::ssize(listed));
    CHECK(student.at("flops").number() == flops);
    const Said text = run_program(folder.path().string(), "inspect cifar100_lt_100_bkd mixup.alpha=0 --tape");
    CHECK(contains(text.out, "stage student: bkd, resnet32 of 470004 parameters, batch 128, activations f32\n"));
    CHECK(contains(text.out, fmt::format("peak memory {} bytes", student.at("peak_bytes").integer())));
    CHECK(contains(text.out, "layer3.4.conv2 (conv2d)"));
}

TEST_CASE("the tables of a run hold the numbers of its study, and the weights of other laws") {
    ToyRun toy;
    toy.train("bkd", "run");
    const std::string folder = toy.path().string(), run = (toy.path() / "run").string();
    const RunRecord record = read_run_record(run);
    const RunStudy study = study_run(record, {.threads = 1});
    const Said said =
        run_program(folder, "inspect " + run + " --omega --teacher-probs --gradients-by-class --json --threads 1");
    CAPTURE(said.err);
    REQUIRE(said.code == 0);
    const Json json = Json::parse(said.out, "stdout");
    CHECK(json.at("schema").text() == "bkd.inspect-run/1");
    CHECK(json.at("class_counts").integers() == record.class_counts());
    const Json& student = json.at("stages").elements().at(1);
    CHECK(numbers(student.at("omega")) == study.stages[1].omega);
    CHECK(numbers(student.at("discouraging")) == study.stages[1].discouraging);
    CHECK(numbers(student.at("balanced_teacher").at("of_label")) == study.stages[1].balanced->of_label);
    CHECK(numbers(json.at("laws").at("beta=0.9999")) ==
          class_weights(record.class_counts(), {.kind = WeightKind::effective_number, .beta = 0.9999}));

    const Said text = run_program(folder, "inspect " + run + " --omega --teacher-probs --threads 1");
    CHECK(contains(text.out, fmt::format("{:.4f}", study.stages[1].omega.back())));
    CHECK(contains(text.out, fmt::format("{:.2f}", 100 * study.stages[1].teacher->of_label.front())));
    CHECK_FALSE(contains(text.out, "takes/adds"));
    // What is not asked for is not computed.
    const Json omega = Json::parse(run_program(folder, "inspect " + run + " --omega --json --threads 1").out, "stdout");
    CHECK(omega.at("stages").elements().at(1).find("discouraging") == nullptr);
    CHECK(omega.at("stages").elements().at(1).find("student") == nullptr);
}

TEST_CASE("options of inspect that cannot have an effect, and what is no run, are refused") {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string();
    check_rows(here, {{"inspect toy_bkd --tape --omega", 2, "error[E0208]: --tape has no effect in bkd inspect RUN"},
                      {"inspect toy_bkd --threads 2", 2, "error[E0208]: --threads has no effect in bkd inspect RECIPE"},
                      {"inspect x.safetensors --tape", 2, "error[E0208]: --tape has no effect in bkd inspect FILE"},
                      {"inspect " + here + " --omega", 10, "error[E1004]"},
                      {"inspect " + here + " b --omega", 2, "error[E0207]: bkd inspect takes one run: \"b\""}});
}

}
