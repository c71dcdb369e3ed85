// The methods, from recipe to run folder: every one trains, options mean what they say, a given teacher must fit.
#include "engine/model_file.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

#include <set>

namespace bkd::test {
namespace {

using bkd_test::id_of;

Weights weights_of(const ToyRun& toy, const std::string& file) { return read_checkpoint(toy.path() / file).tensors; }

std::string checkpoint_of_epoch(const ToyRun& toy, const std::string& run, const std::string& prefix) {
    for (const auto& entry : std::filesystem::directory_iterator(toy.path() / run / "checkpoints"))
        if (entry.path().filename().string().starts_with(prefix))
            return run + "/checkpoints/" + entry.path().filename().string();
    return {};
}

}

TEST_CASE("every method of the list trains two steps of each stage and writes its models") {
    ToyRun toy;
    std::set<std::string> names;
    for (const MethodEntry& entry : method_list()) {
        CAPTURE(entry.name);
        names.insert(entry.name);
        const RunResult result = toy.train(entry.name, std::string("run-") + entry.name, {"train.max_steps=2"});
        CHECK(result.state == RunResult::State::done);
        for (const StageSummary& stage : result.stages) {
            CHECK(stage.last.count == 40);
            CHECK(std::filesystem::exists(result.folder / "models" / (stage.stage + ".last.safetensors")));
        }
        CHECK(std::string_view(entry.summary).size() > 5);
    }
    for (const auto& file :
         std::filesystem::directory_iterator(std::filesystem::path(BKD_SOURCE_DIR) / "train" / "methods"))
        if (file.path().extension() == ".cpp") CHECK(names.contains(file.path().stem().string()));
    CHECK(std::ranges::is_sorted(method_list(), {}, [](const MethodEntry& e) { return std::string_view(e.name); }));
}

TEST_CASE(
    "before its deferred weights come, balanced distillation is plain distillation bit for bit") {  // invariant 18
    ToyRun toy;
    toy.train("kd", "kd", {"checkpoint.keep_last=9"});
    toy.train("bkd", "bkd", {"checkpoint.keep_last=9", "mixup.alpha=0", "weights.defer_until=1"});
    for (const int epoch : {1, 2}) {
        const std::string prefix = fmt::format("student-e{:04}", epoch);
        Weights kd = weights_of(toy, checkpoint_of_epoch(toy, "kd", prefix)),
                bkd = weights_of(toy, checkpoint_of_epoch(toy, "bkd", prefix));
        bkd.erase("state/class_weights");
        CHECK((kd == bkd) == (epoch == 1));
    }
}

TEST_CASE("without mixing, what the teacher would see of a mixed batch does not matter") {  // invariant 21
    ToyRun toy;
    std::set<std::string> results, mixed;
    for (const char* input : {"mixed", "clean", "mix_of_outputs"}) {
        const std::string key = std::string("mixup.teacher_input=") + input;
        toy.train("bkd", std::string("off-") + input, {"mixup.alpha=0", key, "train.max_steps=2"});
        toy.train("bkd", std::string("on-") + input, {"mixup.alpha=1", key, "train.max_steps=2"});
        const ModelFile off =
            read_model_file(toy.path() / (std::string("off-") + input) / "models/student.last.safetensors");
        const ModelFile on =
            read_model_file(toy.path() / (std::string("on-") + input) / "models/student.last.safetensors");
        results.emplace(reinterpret_cast<const char*>(off.tensors.data.data()), off.tensors.data.size());
        mixed.emplace(reinterpret_cast<const char*>(on.tensors.data.data()), on.tensors.data.size());
    }
    CHECK(results.size() == 1);
    CHECK(mixed.size() == 3);
}

TEST_CASE("every option of the methods trains") {
    ToyRun toy;
    const std::pair<const char*, std::vector<std::string>> runs[] = {
        {"bkd", {"bkd.form=eq7"}},
        {"bkd", {"bkd.form=eq6"}},
        {"bkd", {"bkd.target_math=product"}},
        {"bkd", {"ce.temperature=2"}},
        {"bkd", {"mixup.per_sample=true"}},
        {"bkd", {"mixup.ce_target=hard"}},
        {"bkd", {"teacher.mode=train"}},
        {"bkd", {"teacher.checkpoint=best"}},
        {"bkd", {"teacher.method=mixup"}},
        {"bkd", {"weights.kind=if", "weights.normalize=max1"}},
        {"bkd", {"preset=code"}},
        {"kd", {"kd.ce_class_weights=en"}},
        {"kd", {"mixup.alpha=0.4", "kd.ce_class_weights=en"}},
        {"kd", {"preset=code"}},
        {"cb", {"cb.reduction=batch_mean"}},
        {"cb", {"cb.reduction=sum", "optim.lr=0.001"}},
        {"cb", {"mixup.alpha=1"}},
        {"ce", {"data.split=0.2", "eval.split=validation"}},
        {"ce", {"model.classifier=cosine"}},
        {"ce", {"optim.decay_bn_bias=false", "stages.train.freeze=[\"conv1\", \"bn1\"]"}}};
    int number = 0;
    for (auto [method, overrides] : runs) {
        CAPTURE(overrides.front());
        overrides.push_back("train.max_steps=2");
        CHECK(toy.train(method, fmt::format("run{}", number++), overrides).state == RunResult::State::done);
    }
}

TEST_CASE("options that contradict each other are refused") {
    ToyRun toy;
    CHECK(id_of([&] { toy.train("bkd", "a", {"teacher.method=kd"}); }) == "E0305");
    CHECK(id_of([&] { toy.train("cb", "b", {"mixup.alpha=1", "mixup.per_sample=true"}); }) == "E0305");
    CHECK(id_of([&] { toy.train("ce", "c", {"kd.temperature=4"}); }) == "E0305");
    CHECK(id_of([&] { toy.train("sorcery", "d"); }) == "E0304");
    CHECK(id_of([&] { toy.train("bkd", "e", {"stages.techer.epochs=1"}); }) == "E0302");
    CHECK(id_of([&] { toy.train("ce", "f", {"eval.split=validation"}); }) == "E0304");
}

// paper: Algorithm 1, lines 4, 6
TEST_CASE("a given teacher teaches without a stage of its own, and gives the student the same bits") {
    ToyRun toy;
    toy.train("bkd", "whole");
    const std::string file = (toy.path() / "whole/models/teacher.last.safetensors").string();
    const RunResult result = toy.train("bkd", "given", {"teacher.file=" + file});
    CHECK(result.stages.size() == 1);
    CHECK(read_model_file(result.folder / "models/student.last.safetensors").tensors.data ==
          read_model_file(toy.path() / "whole/models/student.last.safetensors").tensors.data);
}

TEST_CASE("a teacher of another network, or trained on another tail, is refused by name") {
    ToyRun toy;
    toy.train("ce", "other", {"model.name=resnet14", "train.max_steps=1"});
    toy.train("ce", "tail", {"data.imbalance_ratio=3", "train.max_steps=1"});
    const auto with = [&](const char* run) {
        return "teacher.file=" + (toy.path() / run / "models/train.last.safetensors").string();
    };
    CHECK(id_of([&] { toy.train("bkd", "a", {with("other")}); }) == "E0412");
    CHECK(id_of([&] { toy.train("bkd", "b", {with("tail")}); }) == "E0305");
    CHECK(id_of([&] { toy.train("bkd", "c", {"teacher.file=" + (toy.path() / "nothing.safetensors").string()}); }) ==
          "E0501");
}

TEST_CASE("a model file holds PyTorch's names, batch counts and the facts of its training") {
    ToyRun toy;
    toy.train("ce", "run");
    const ModelFile model = read_model_file(toy.path() / "run/models/train.last.safetensors");
    REQUIRE(model.facts);
    CHECK(model.facts->network.at("name").text() == "resnet8");
    CHECK(model.facts->class_counts.front() == 24);
    CHECK(model.facts->class_counts.back() == 4);
    CHECK(model.facts->classes.size() == 10);
    CHECK(model.tensors.at("layer2.0.conv1.weight").shape == std::vector<std::int64_t>{32, 16, 3, 3});
    CHECK(model.tensors.values<std::int64_t>(model.tensors.at("bn1.num_batches_tracked")).front() == 14);
}

}
