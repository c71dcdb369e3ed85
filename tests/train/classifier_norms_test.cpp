// Norms of the classifier's weight vectors, from a model file.
#include "train/classifier_norms.h"
#include "tests/train/toy_run.h"
#include "train/weights.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {

TEST_CASE("the norm of each class's weight vector is that of its row, in label order") {
    ToyRun toy;
    toy.train("ce", "run");
    const std::filesystem::path model = toy.path() / "run/models/train.last.safetensors";
    const std::vector<double> norms = classifier_norms(model);
    REQUIRE(norms.size() == 10);
    const Weights weights = read_stage_result(model, nullptr, {}).weights;
    const Weight& w = weights.find("linear.weight")->second;
    REQUIRE(w.shape == std::vector<std::int64_t>{10, 64});
    for (std::size_t c = 0; c < 10; ++c) {
        double squares = 0;
        for (std::size_t i = 0; i < 64; ++i)
            squares += static_cast<double>(w.numbers[64 * c + i]) * static_cast<double>(w.numbers[64 * c + i]);
        CAPTURE(c);
        CHECK(norms[c] * norms[c] == doctest::Approx(squares).epsilon(1e-12));
    }
}

TEST_CASE("the classifier of an ImageNet ResNet is found under its own name") {
    ToyRun toy;
    toy.train("ce", "fc", {"model.name=resnet10", "model.stem=small", "train.epochs=1"});
    CHECK(classifier_norms(toy.path() / "fc/models/train.last.safetensors").size() == 10);
}

TEST_CASE("a cosine classifier has no norms that count, and a missing model is said") {
    ToyRun toy;
    toy.train("ce", "cosine", {"model.classifier=cosine"});
    CHECK(message_of([&] {
              classifier_norms(toy.path() / "cosine/models/train.last.safetensors");
          }).find("the cosine classifier divides by the norms") != std::string::npos);
    CHECK(bkd_test::id_of([&] { classifier_norms(toy.path() / "cosine/models/none.safetensors"); }) == "E0501");
}

}
