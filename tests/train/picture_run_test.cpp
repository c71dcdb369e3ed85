// A run on a folder of pictures: trained, judged and gone on with as on any other set, and the keys that are for it.
#include "tests/contains.h"
#include "tests/data/picture_bytes.h"
#include "tests/train/toy_run.h"
#include "train/evaluate_model.h"
#include "train/run_record.h"
#include "train/step_tape.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>

namespace bkd::test {
namespace {

namespace fs = std::filesystem;
using bkd_test::id_of;

// Three classes of 12, 8 and 4 pictures, two of each for the test.
struct PictureRun : ToyRun {
    PictureRun() {
        cut.clear();
        for (int c = 0; c < 3; ++c) {
            for (int i = 0; i < 12 - 4 * c; ++i) put(fmt::format("train/class{}/{:02}.jpg", c, i), c + i);
            for (int i = 0; i < 2; ++i) put(fmt::format("test/class{}/{:02}.jpg", c, i), c + 20 * i);
        }
    }
    void put(const std::string& name, int which) const {
        static constexpr std::array names = {"jpeg_420", "png_rgb_8", "jpeg_progressive", "jpeg_grey", "png_palette_4"};
        write(name, small_picture(names[static_cast<std::size_t>(which) % names.size()]));
    }
    void write(const std::string& name, const Content& bytes) const {
        fs::create_directories((path() / name).parent_path());
        write_file_atomically(path() / name, bytes, Overwrite::yes);
    }
    std::vector<std::string> with(std::vector<std::string> more = {}) const {
        std::vector<std::string> all = {"data.name=image_folder", "data.size=16", "batch.size=8", "eval.batch=4"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    RunResult train(const std::string& name, const std::vector<std::string>& more = {}, RunOptions options = {}) {
        return ToyRun::train("bkd", name, with(more), std::move(options));
    }
};

}

TEST_CASE("a folder of pictures trains, and its model says all that judging pictures needs") {
    PictureRun run;
    REQUIRE(run.train("whole", {"data.augment=crop_flip_colour"}).state == RunResult::State::done);
    CHECK(run.said("image_folder: 24 train / 6 test, 3 classes, counts 12..4"));
    const ModelFile model = read_model_file(run.path() / "whole/models/student.last.safetensors");
    CHECK(model.facts->classes == std::vector<std::string>{"class0", "class1", "class2"});
    CHECK(model.facts->class_counts == std::vector<std::int64_t>{12, 8, 4});
    CHECK(model.facts->preprocess.at("height") == 16);
    CHECK(model.facts->preprocess.at("resize").dump() == R"({"orientation":"ignored","short_side":18})");

    const ModelEvaluation judged = evaluate_model(
        {.model = run.path() / "whole/models/student.last.safetensors", .data_root = run.path(), .threads = 1});
    const Json told = Json::parse(run.bytes("whole/eval/student.last.test.json"), "");
    CHECK(judged.evaluation.metrics.count == 6);
    CHECK(judged.evaluation.metrics.loss == doctest::Approx(parse_evaluation(told, "eval").metrics.loss).epsilon(1e-6));
}

TEST_CASE("a run on pictures that was stopped goes on to the same bits for any number of workers") {
    PictureRun run;
    run.train("whole", {"train.workers=0"});
    REQUIRE(run.train("cut", {"train.workers=2"}, stop_after(1)).state == RunResult::State::stopped);
    CHECK(run.resume("cut").state == RunResult::State::done);
    for (const char* model : {"/models/teacher.last.safetensors", "/models/student.last.safetensors"})
        CHECK(run.bytes(std::string("cut") + model) == run.bytes(std::string("whole") + model));
}

TEST_CASE("a picture that cannot be read stops the run by its path, or is left out, which a resume holds on to") {
    PictureRun run;
    const Content whole = small_picture("jpeg_420");
    run.write("train/class1/05.jpg", cut(whole, whole.size() / 2));
    CHECK(contains(message_of([&] { run.train("stopped"); }), "at:  train/class1/05.jpg"));
    REQUIRE(run.train("left_out", {"data.max_bad=3"}, stop_after(1)).state == RunResult::State::stopped);
    CHECK(run.said("image_folder: 23 train / 6 test"));
    CHECK(run.said("1 picture of train left out as unreadable, the first: train/class1/05.jpg"));
    const Json facts = Json::parse(run.bytes("left_out/run.json"), "");
    CHECK(facts.at("data").at("skipped").elements().at(0).text().starts_with("train/class1/05.jpg: image is cut off"));
    run.write("train/class2/01.jpg", {});
    CHECK(id_of([&] { run.resume("left_out"); }) == "E1005");
    run.put("train/class2/01.jpg", 3);
    CHECK(run.resume("left_out").state == RunResult::State::done);
}

TEST_CASE("keys of pictures are refused where they have no effect") {
    PictureRun run;
    const auto refusal = [&](const std::vector<std::string>& more) {
        return message_of([&] { run.train("refused", more); });
    };
    CHECK(contains(refusal({"data.resize=8"}), "data.resize = 8 is less than data.size = 16"));
    CHECK(contains(refusal({"stages.student.data.augment=none"}), "stages.student.data.augment has no effect"));
    const auto of_images = [&](const std::string& key) {
        return message_of([&] { run.ToyRun::train("ce", "images", {key}); });
    };
    for (const char* key : {"data.size=32", "data.resize=40", "data.max_bad=1", "data.empty=allow", "data.exif=apply"})
        CHECK_MESSAGE(contains(of_images(key), "E0305"), key);
    CHECK(contains(of_images("data.augment=crop_flip_colour"), "data.augment"));
    CHECK_FALSE(fs::exists(run.path() / "refused"));
}

TEST_CASE("a step on pictures is planned without opening one") {
    PictureRun run;
    fs::remove(run.path() / "train/class0/00.jpg");
    run.write("train/class0/00.jpg", {});
    CHECK(tapes_of(run.recipe("ce", run.with())).front().batch == 8);
}

}
