// The public CIFAR-10 weights of ResNet-20 and -32 (akamaster/pytorch_resnet_cifar10) on the real test images, against
// what PyTorch says of them: the first thousand images here, all ten thousand in the suite "long".
#include "data/dataset.h"
#include "tests/golden/shared_folder.h"
#include "train/evaluate_model.h"
#include "train/predictor.h"
#include "train/stage_rules.h"
#include "train/weights.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <numeric>
#include <sstream>

namespace bkd::test {
namespace {

const std::vector<float> mean = {0.485F, 0.456F, 0.406F}, deviation = {0.229F, 0.224F, 0.225F};

struct Published {
    std::string network;
    std::int64_t right;
    double loss;  // mean cross-entropy
    std::vector<std::int64_t> right_by_class;
};
const Published published[] = {{"resnet20", 9173, 0.372661218, {920, 968, 876, 832, 917, 863, 942, 945, 953, 957}},
                               {"resnet32", 9263, 0.374102801, {944, 964, 910, 830, 936, 888, 945, 939, 953, 954}}};

std::filesystem::path data_folder() { return shared_folder() / "data"; }

bool are_absent(const Published& model) {
    if (std::filesystem::exists(data_folder() / fmt::format("cifar10-{}.safetensors", model.network))) return false;
    MESSAGE("skipped: no public weights of ", model.network, " in ", data_folder().string());
    return true;
}

// One byte an image.
std::vector<std::uint8_t> stored_predictions(const Published& model) {
    std::ifstream file(data_folder() / fmt::format("cifar10-{}-test-predictions.bin", model.network), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    REQUIRE(bytes.size() == 10'000);
    return {bytes.begin(), bytes.end()};
}

// [32, 10]; a line of the file is an index, a label and ten logits.
std::vector<double> stored_logits(const Published& model) {
    std::ifstream file(data_folder() / fmt::format("cifar10-{}-logits-first32.tsv", model.network));
    std::vector<double> logits;
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::istringstream words(line);
        double number = 0;
        words >> number >> number;
        while (words >> number) logits.push_back(number);
    }
    REQUIRE(logits.size() == 320);
    return logits;
}

void check_predictions(const std::vector<float>& logits, const std::vector<std::uint8_t>& stored) {
    std::int64_t others = 0;
    for (std::size_t i = 0; 10 * i < logits.size(); ++i) {
        const auto row = logits.begin() + static_cast<std::ptrdiff_t>(10 * i);
        others += std::max_element(row, row + 10) - row != stored[i];
    }
    CHECK(others == 0);
}

EvaluateModelOptions whole_test(const Published& model) {
    return {.model = data_folder() / fmt::format("cifar10-{}.safetensors", model.network),
            .data = "cifar10_lt100",
            .data_root = data_folder(),
            .network = model.network,
            .mean = mean,
            .deviation = deviation,
            .keeps_logits = true};
}

}

TEST_CASE("public CIFAR-10 weights give PyTorch's logits of 32 images to 1e-3 and its first thousand predictions") {
    std::vector<std::int32_t> first(1000);
    std::iota(first.begin(), first.end(), 0);
    ImageSet images;
    for (const Published& model : published) {
        if (are_absent(model)) continue;
        CAPTURE(model.network);
        if (images.labels.empty()) images = take(open_dataset("cifar10_lt100", data_folder(), Split::test), first);
        Runtime runtime(Device{});
        const Context ctx(runtime);
        const std::unique_ptr<Network> network = make_network({.name = model.network});
        network->parameters().materialise(ctx, 0, "public");
        const ModelFile file = read_model_file(whole_test(model).model);
        write_weights(ctx, network->parameters(), stage_result_of(file, &network->parameters()).weights);
        freeze(*network, BatchNormMode::running);
        const RunSplit split(ctx, images, mean, deviation);
        const auto predict = [&](Context& c, const Tensor& x) { return (*network)(c, x); };
        const std::vector<float> logits = evaluate(ctx, predict, split, select(split), {.keeps_logits = true}).logits;
        REQUIRE(logits.size() == 10'000);

        const std::vector<double> stored = stored_logits(model);
        double largest = 0;
        for (std::size_t i = 0; i < stored.size(); ++i) largest = std::max(largest, std::abs(logits[i] - stored[i]));
        MESSAGE(model.network, ": largest difference of the logits ", largest);
        CHECK(largest < 1e-3);
        check_predictions(logits, stored_predictions(model));

        // The inference form: the same classes, and probabilities within 1e-5.
        network->fold(ctx);
        const std::vector<float> folded = evaluate(ctx, predict, split, select(split), {.keeps_logits = true}).logits;
        check_predictions(folded, stored_predictions(model));
        double worst = 0;
        for (std::size_t i = 0; i < folded.size(); i += 10) {
            std::array<float, 10> p{}, q{};
            probabilities(std::span(logits).subspan(i, 10), p);
            probabilities(std::span(folded).subspan(i, 10), q);
            for (std::size_t c = 0; c < 10; ++c) worst = std::max(worst, static_cast<double>(std::abs(p[c] - q[c])));
        }
        MESSAGE(model.network, ": largest difference of a probability with batch norm folded ", worst);
        CHECK(worst < 1e-5);
    }
}

TEST_SUITE("long") {
    TEST_CASE(
        "public CIFAR-10 weights have their published accuracy, class by class, and all of PyTorch's predictions" *
        doctest::skip()) {
        for (const Published& model : published) {
            if (are_absent(model)) continue;
            CAPTURE(model.network);
            const Evaluation evaluation = evaluate_model(whole_test(model)).evaluation;
            CHECK(std::accumulate(evaluation.metrics.class_hits.begin(), evaluation.metrics.class_hits.end(),
                                  std::int64_t{0}) == model.right);
            CHECK(evaluation.metrics.count == 10'000);
            CHECK(evaluation.metrics.class_hits == model.right_by_class);
            CHECK(evaluation.metrics.loss == doctest::Approx(model.loss).epsilon(1e-6));
            check_predictions(evaluation.logits, stored_predictions(model));
        }
    }
}

}
