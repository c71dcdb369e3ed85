// A model file at work on images: the same answers as `eval`, and nothing taken from the system while it works.
#include "train/predictor.h"

#include "tests/train/toy_run.h"
#include "tests/train/without_primitives.h"
#include "train/evaluate_model.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {
namespace {

PredictorOptions on_one_thread(const std::filesystem::path& model) { return {.model = model, .threads = 1}; }

std::vector<float> all_logits(Predictor& model, const ImageFile& file, std::int64_t batch) {
    std::vector<float> all;
    for (std::int64_t first = 0; first < file.size(); first += batch) {
        const std::span<const float> logits = model(file, first, std::min(batch, file.size() - first));
        all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
}

}

TEST_CASE("a predictor has the arg max and, to 1e-5, the probabilities of an evaluation, in batches of any size") {
    ToyRun toy;
    const RunResult run = toy.train("ce", "run");
    const std::filesystem::path path = run.folder / "models/train.last.safetensors";
    const std::vector<float> evaluated =
        evaluate_model({.model = path, .data_root = toy.path(), .keeps_logits = true}).evaluation.logits;
    Predictor model(on_one_thread(path));
    CHECK(model.network() == "resnet8");
    CHECK(model.class_names().at(9) == "ankle boot");
    const ImageFile file = read_image_file(toy.path() / "t10k-images-idx3-ubyte");
    model.check_images(file);
    for (const std::int64_t batch : {1, 7, 40}) {
        CAPTURE(batch);
        const std::vector<float> logits = all_logits(model, file, batch);
        REQUIRE(logits.size() == evaluated.size());
        for (std::size_t at = 0; at < logits.size(); at += 10) {
            std::vector<float> p(10), wanted(10);
            std::vector<std::int32_t> order(10);
            probabilities(std::span(logits).subspan(at, 10), p);
            const auto row = std::span(evaluated).subspan(at, 10);
            probabilities(row, wanted);
            for (std::size_t c = 0; c < 10; ++c) CHECK(std::abs(p[c] - wanted[c]) < 1e-5F);
            rank_classes(std::span(logits).subspan(at, 10), order, 3);
            CHECK(order[0] == std::ranges::max_element(row) - row.begin());
            CHECK(p[static_cast<std::size_t>(order[1])] >= p[static_cast<std::size_t>(order[2])]);
        }
    }
}

TEST_CASE("a predictor at work, one image at a time, allocates nothing, takes no memory and makes no primitive") {
    ToyRun toy;
    const RunResult run = toy.train("ce", "run", {"train.max_steps=2"});
    Predictor model(on_one_thread(run.folder / "models/train.last.safetensors"));
    const ImageFile file = read_image_file(toy.path() / "t10k-images-idx3-ubyte");
    for (std::int64_t i = 0; i < 3; ++i) model(file, i, 1);
    Backend& backend = *model.runtime().backend;
    const PoolStatistics before = backend.pool().statistics();
    const std::int64_t primitives = backend.primitives_made();
    WithoutPrimitives observer;
    model.runtime().stream->observer = &observer;
    watch_allocations_of_this_thread();
    for (std::int64_t i = 3; i < file.size(); ++i) model(file, i, 1);
    const std::int64_t of_ours = watched_allocations() - observer.inside;
    model.runtime().stream->observer = nullptr;
    CHECK(of_ours == 0);
    CHECK(backend.pool().statistics().system_requests == before.system_requests);
    CHECK(backend.pool().statistics().live_bytes == before.live_bytes);
    CHECK(backend.primitives_made() == primitives);
}

TEST_CASE("of equal logits the lower class goes first, and large ones have probabilities") {
    const std::vector<float> logits{1, 3, 3, -2};
    std::vector<std::int32_t> order(4);
    rank_classes(logits, order, 4);
    CHECK(order == std::vector<std::int32_t>{1, 2, 0, 3});
    std::vector<float> p(2);
    probabilities(std::vector<float>{1000, 999}, p);
    CHECK(p[0] == doctest::Approx(0.7310585786));
    CHECK(p[1] == doctest::Approx(0.2689414214));
}

TEST_CASE("what a model does not say is taken from the options, and what contradicts it is refused") {
    ToyRun toy;
    const RunResult run = toy.train("ce", "run", {"train.max_steps=2"});
    const std::filesystem::path path = run.folder / "models/train.last.safetensors", bare = toy.path() / "bare";
    const ModelFile file = read_model_file(path);
    std::vector<TensorToStore> tensors;
    for (const StoredTensor& t : file.tensors.tensors)
        tensors.push_back({t.name, t.type, t.shape, file.tensors.bytes(t)});
    write_file_atomically(bare, safetensors_bytes(tensors, {}, Checksums::no), Overwrite::yes);

    const auto refusal = [](PredictorOptions options) { return message_of([&] { Predictor(std::move(options)); }); };
    PredictorOptions options = on_one_thread(bare);
    CHECK(refusal(options).starts_with("error[E0304]: the file does not say which network it is"));
    options.network = "resnet8";
    CHECK(refusal(options).starts_with("error[E0304]: the file does not say how its images were normalised"));
    options.data = "cifar10";
    CHECK(refusal(options).starts_with("error[E0203]: 3 means and 3 deviations for the 1 channels of cifar10"));
    options.data = "cifar100";
    CHECK(refusal(options).starts_with("error[E0203]"));
    options.data = "fashion_mnist";
    const ImageFile images = read_image_file(toy.path() / "t10k-images-idx3-ubyte");
    Predictor told(options), own(on_one_thread(path));
    CHECK(told.class_names() == own.class_names());
    CHECK(all_logits(told, images, 40) == all_logits(own, images, 40));
    options.mean = std::vector<float>{0.5F};
    Predictor other(options);
    CHECK(all_logits(other, images, 40) != all_logits(own, images, 40));

    PredictorOptions of_own = on_one_thread(path);
    of_own.data = "mnist";
    CHECK(refusal(of_own).starts_with("error[E0305]: the model's 10 classes are not the 10 of mnist"));
    CHECK(refusal(on_one_thread(toy.path() / "none")).starts_with("error[E0501]"));
}

TEST_CASE("images of another size or number of channels, and logits that are not finite, are refused") {
    ToyRun toy;
    const RunResult run = toy.train("ce", "run", {"train.max_steps=2"});
    const std::filesystem::path path = run.folder / "models/train.last.safetensors";
    Predictor model(on_one_thread(path));
    ImageFile file{"x", 9, 8, 1, std::vector<std::uint8_t>(72)};
    CHECK(message_of([&] {
              model.check_images(file);
          }).starts_with("error[E0305]: the model is for images of height 8, those of x have 9"));
    file = {"x", 8, 8, 3, std::vector<std::uint8_t>(192)};
    CHECK(message_of([&] {
              model.check_images(file);
          }).starts_with("error[E0305]: the model is for images of 1 channels, those of x have 3"));

    const ModelFile stored = read_model_file(path);
    std::vector<TensorToStore> tensors;
    const std::vector<float> huge(10, 3e38F), weights(10 * 64, 3e38F);
    for (const StoredTensor& t : stored.tensors.tensors) {
        if (t.name == "linear.bias")
            tensors.push_back(f32_tensor(t.name, t.shape, huge));
        else if (t.name == "linear.weight")
            tensors.push_back(f32_tensor(t.name, t.shape, weights));
        else
            tensors.push_back({t.name, t.type, t.shape, stored.tensors.bytes(t)});
    }
    write_model_file(toy.path() / "huge", *stored.facts, tensors, Overwrite::yes);
    Predictor overflows(on_one_thread(toy.path() / "huge"));
    const ImageFile images = read_image_file(toy.path() / "t10k-images-idx3-ubyte");
    CHECK(message_of([&] { overflows(images, 2, 3); }).starts_with("error[E0901]: a logit of image 2 is "));
}

}
