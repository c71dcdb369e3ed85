// What a run's models do class by class, against sums that hold and against the logits themselves.
#include "train/run_study.h"
#include "tests/train/toy_run.h"
#include "train/class_weights.h"
#include "train/evaluate_model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <numeric>

namespace bkd::test {
namespace {

RunStudy study_of(const ToyRun& toy, const std::string& name) {
    return study_run(read_run_record(toy.path() / name), {.threads = 1});
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}

// paper: section 3.1, Fig. 2b
TEST_CASE("the gradients of cross-entropy by class are those of softmax minus label over the training images") {
    ToyRun toy;
    toy.train("ce", "run", {"data.imbalance_ratio=1"});
    const RunStudy study = study_of(toy, "run");
    REQUIRE(study.stages.size() == 1);
    const ModelEvaluation model = evaluate_model({.model = toy.path() / "run/models/train.last.safetensors",
                                                  .data_root = toy.path(),
                                                  .split = "train",
                                                  .threads = 1,
                                                  .keeps_logits = true});
    const ImageSet set = toy_set(std::vector<std::int64_t>(10, 24), 3);
    std::vector<double> encouraging(10), discouraging(10);
    for (std::size_t i = 0; i < set.labels.size(); ++i) {
        double total = 0;
        const float* z = model.evaluation.logits.data() + i * 10;
        for (int c = 0; c < 10; ++c) total += std::exp(static_cast<double>(z[c]));
        for (std::size_t c = 0; c < 10; ++c) {
            const double p = std::exp(static_cast<double>(z[c])) / total;
            if (static_cast<std::size_t>(set.labels[i]) == c)
                encouraging[c] += 1 - p;
            else
                discouraging[c] += p;
        }
    }
    for (std::size_t c = 0; c < 10; ++c) {
        CAPTURE(c);
        CHECK(study.stages[0].encouraging[c] == doctest::Approx(encouraging[c]).epsilon(1e-3));
        CHECK(study.stages[0].discouraging[c] == doctest::Approx(discouraging[c]).epsilon(1e-3));
    }
    // What an image sends to its own logit it takes from the others.
    CHECK(sum(study.stages[0].encouraging) == doctest::Approx(sum(study.stages[0].discouraging)).epsilon(1e-4));
    CHECK(sum(study.stages[0].encouraging_by_others) == 0);
    CHECK(study.stages[0].omega.empty());
    CHECK_FALSE(study.stages[0].teacher);
    CHECK(study.evaluations.empty());
}

// paper: Eq. 9, 10
TEST_CASE("the weights move the teacher's probability from frequent classes to rare ones, and each sums to one") {
    ToyRun toy;
    toy.train("bkd", "run", {"mixup.alpha=1"});
    const RunRecord run = read_run_record(toy.path() / "run");
    const RunStudy study = study_run(run, {.threads = 1});
    REQUIRE(study.stages.size() == 2);
    const StageStudy& student = study.stages[1];
    REQUIRE(student.teacher);
    REQUIRE(student.balanced);
    CHECK(student.temperature == 2);
    for (const ClassProbabilities& p : {*student.teacher, *student.balanced, student.student})
        CHECK(sum(p.of_class) == doctest::Approx(1).epsilon(1e-6));
    CHECK(student.balanced->of_class.front() < student.teacher->of_class.front());
    CHECK(student.balanced->of_class.back() > student.teacher->of_class.back());
    const std::vector<double> omega = class_weights(run.class_counts(), {});
    for (std::size_t c = 0; c < 10; ++c) CHECK(student.omega[c] == doctest::Approx(omega[c]).epsilon(1e-6));
    // Both parts of the loss are softmax minus a target: what an image gives to some classes it takes from others.
    REQUIRE(student.encouraging.size() == 10);
    CHECK(sum(student.encouraging) == doctest::Approx(sum(student.discouraging)).epsilon(1e-4));
    // Images of other classes raise the rarest class by more than cross-entropy lets them, which is by nothing.
    CHECK(student.encouraging_by_others.back() > 0.1 * student.encouraging.back());
    CHECK(student.encouraging_by_others.back() < student.encouraging.back());
}

TEST_CASE("a run without evaluation files is evaluated; a stage that has not ended is said to be missing") {
    ToyRun toy;
    toy.train("bkd", "whole");
    const RunRecord before = read_run_record(toy.path() / "whole");
    std::filesystem::remove_all(toy.path() / "whole/eval");
    const RunStudy study = study_of(toy, "whole");
    REQUIRE(study.evaluations.size() == 2);
    CHECK(study.evaluations[1].metrics.confusion == before.evaluation("student.last")->metrics.confusion);
    // An evaluation of an earlier version has no calibration: it is made again.
    EvaluationRecord earlier = *before.evaluation("student.last");
    earlier.metrics.calibration.clear();
    std::filesystem::create_directory(toy.path() / "whole/eval");
    std::ofstream(toy.path() / "whole/eval/student.last.test.json")
        << evaluation_document(std::span(&earlier, 1)).dump() << "\n";
    const RunStudy again = study_of(toy, "whole");
    REQUIRE(again.evaluations.size() == 2);
    CHECK(calibration_json(again.evaluations[1].metrics.calibration).dump() ==
          calibration_json(before.evaluation("student.last")->metrics.calibration).dump());
    toy.train("bkd", "cut", {}, stop_after(3));
    CHECK(study_run(before, {.threads = 1, .only_last_stage = true}).stages.size() == 1);
    const RunStudy half = study_of(toy, "cut");
    CHECK(half.stages.size() == 1);
    CHECK(half.missing == std::vector<std::string>{"stage student: it has not ended yet"});
}

TEST_CASE("data that are not the run's are refused") {
    ToyRun toy, other;
    toy.train("ce", "run");
    StudyOptions options{.threads = 1, .data_root = (toy.path() / "none").string()};
    const RunRecord run = read_run_record(toy.path() / "run");
    CHECK(bkd_test::id_of([&] { study_run(run, options); }) == "E0501");
    std::filesystem::create_directory(toy.path() / "changed");
    for (const char* file :
         {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
        std::string bytes = toy.bytes(file);
        if (std::string(file) == "train-images-idx3-ubyte")
            for (std::size_t i = 16; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ 1);
        std::ofstream(toy.path() / "changed" / file, std::ios::binary) << bytes;
    }
    options.data_root = (toy.path() / "changed").string();
    CHECK(bkd_test::id_of([&] { study_run(run, options); }) == "E1005");
}

}
