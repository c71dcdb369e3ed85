// A model file from a stranger: what it says of its network is held against ranges and against its tensors.
#include "train/model_network.h"

#include "data/dataset.h"
#include "tests/train/toy_run.h"
#include "train/evaluate_model.h"
#include "train/import_model.h"

#include <doctest/doctest.h>

#include <functional>

namespace bkd::test {
namespace {

using bkd_test::id_of;

NetworkOptions text_options() {
    return {.name = "text_cnn", .classes = 4, .vocabulary = 50, .embedding = 8, .filters = 3, .kernels = {2, 5}};
}

// The network's tensors, all zero, as PyTorch would write them: no metadata of ours but what is given.
std::filesystem::path write_network(const bkd_test::TemporaryFolder& folder, const NetworkOptions& options,
                                    const std::map<std::string, std::string>& metadata = {},
                                    const std::string& prefix = {}) {
    std::vector<ExpectedTensor> tensors = expected_tensors(make_network(options)->parameters());
    std::vector<std::vector<float>> zeros;
    std::vector<TensorToStore> stored;
    for (const ExpectedTensor& t : tensors) {
        std::int64_t count = 1;
        for (const std::int64_t extent : t.shape) count *= extent;
        zeros.emplace_back(static_cast<std::size_t>(count));
        stored.push_back(f32_tensor(prefix + t.name, t.shape, zeros.back()));
    }
    const std::vector<std::byte> bytes = safetensors_bytes(std::move(stored), metadata, Checksums::no);
    folder.write("in.safetensors", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return folder / "in.safetensors";
}

std::map<std::string, std::string> metadata_with(const std::string& key, const std::string& value) {
    std::map<std::string, std::string> metadata{
        {"bkd.schema", "bkd.model/1"},
        {"bkd.network", network_facts({.name = "resnet8", .channels = 1}).canonical()},
        {"bkd.recipe", R"({"data":"fashion_mnist"})"},
    };
    metadata[key] = value;
    return metadata;
}

std::string network_with(const std::string& key, Json value) {
    return network_facts({.name = "resnet8", .channels = 1}).set(key, std::move(value)).canonical();
}

ImportedModel imported(const bkd_test::TemporaryFolder& folder, ImportModel options) {
    options.from = folder / "in.safetensors";
    options.to = folder / "out.safetensors";
    options.overwrite = Overwrite::yes;
    return import_model(options);
}

}

TEST_CASE("every listed network is taken over with its size read from its tensors, and needs no hint afterwards") {
    const bkd_test::TemporaryFolder folder;
    for (const NetworkEntry& entry : network_list()) {
        CAPTURE(entry.name);
        NetworkOptions options = std::string_view(entry.name) == "text_cnn" ? text_options() : NetworkOptions{};
        options.name = entry.name;
        if (options.vocabulary == 0) options.classes = 7, options.channels = 1, options.width = 4;
        write_network(folder, options, {}, "module.");
        const ImportedModel result = imported(folder, {.network = entry.name});
        CHECK(result.parameters == make_network(options)->parameters().count());
        CHECK(result.prefix == "module.");
        CHECK(result.renamed.empty());
        const NetworkOptions found = network_of_file(read_model_file(folder / "out.safetensors"), {});
        CHECK(network_facts(found).canonical() == network_facts(make_network(options)->options()).canonical());
    }
}

TEST_CASE("the stem of an ImageNet ResNet and the experts of an ensemble are read from a file's tensors") {
    const bkd_test::TemporaryFolder folder;
    const NetworkOptions all[] = {
        {.name = "resnet10", .classes = 7, .channels = 1, .width = 4, .stem = "small"},
        {.name = "resnet10", .classes = 7, .channels = 1, .classifier = "cosine", .width = 4, .stem = "imagenet"},
        {.name = "ride_resnet32", .classes = 7, .channels = 1, .width = 4, .experts = 2, .reduces_width = false},
        {.name = "ride_resnet32", .classes = 7, .channels = 1, .width = 4, .experts = 5, .reduces_width = true}};
    for (const NetworkOptions& options : all) {
        CAPTURE(options.name);
        write_network(folder, options);
        const NetworkOptions found =
            network_of_file(read_model_file(folder / "in.safetensors"), {.name = options.name});
        CHECK(network_facts(found).canonical() == network_facts(options).canonical());
    }
}

TEST_CASE("a cosine classifier is known by its missing bias, and its classes stand in the second axis") {
    const bkd_test::TemporaryFolder folder;
    write_network(folder, {.name = "resnet8", .classes = 7, .classifier = "cosine", .width = 4});
    const NetworkOptions found = network_of_file(read_model_file(folder / "in.safetensors"), {.name = "resnet8"});
    CHECK(found.classifier == "cosine");
    CHECK(found.classes == 7);
    CHECK(imported(folder, {.network = "resnet8", .classifier = "cosine"}).network == "resnet8");
    CHECK(id_of([&] { imported(folder, {.network = "resnet8", .classifier = "linear"}); }) == "E0413");
    CHECK(id_of([&] { imported(folder, {.network = "resnet8", .classifier = "sine"}); }) == "E0304");
}

TEST_CASE("numbers of a file's metadata outside their range are refused before anything is computed from them") {
    const bkd_test::TemporaryFolder folder;
    struct Row {
        const char* key;
        std::string value;
    };
    const std::int64_t huge = std::int64_t{1} << 40;
    std::vector<Row> rows;
    for (const std::int64_t bad : {std::int64_t{-4}, std::int64_t{0}, huge})
        for (const char* key : {"width", "classes", "channels"})
            rows.push_back({"bkd.network", network_with(key, bad)});
    rows.push_back({"bkd.network", network_with("width", 1.5)});
    rows.push_back({"bkd.network", network_with("width", "16")});
    rows.push_back({"bkd.network", network_with("cosine_scale", -1.0)});
    rows.push_back({"bkd.network", network_with("cosine_scale", NAN)});
    rows.push_back({"bkd.network", network_with("vocabulary", huge)});
    rows.push_back({"bkd.network", network_with("text_padding", -1)});
    rows.push_back({"bkd.network", network_with("dropout", 1.0)});
    rows.push_back({"bkd.network", network_with("kernels", Json::Array{})});
    rows.push_back({"bkd.network", network_with("kernels", Json::Array(17, Json(3)))});
    rows.push_back({"bkd.network", network_with("kernels", Json::Array{-3})});
    rows.push_back({"bkd.network", network_with("name", "resnet9")});
    rows.push_back({"bkd.network", network_with("classifier", "soft")});
    rows.push_back({"bkd.network", "[1]"});
    rows.push_back({"bkd.class_counts", "[-1,2,3,4,5,6,7,8,9,10]"});
    rows.push_back({"bkd.class_counts", "[1,2,3,4,5,6,7,8,9,1099511627777]"});
    rows.push_back({"bkd.class_counts", "[1,2,3]"});
    rows.push_back({"bkd.class_counts", "[\"a\"]"});
    rows.push_back({"bkd.classes", "[1,2]"});
    for (const Row& row : rows) {
        CAPTURE(row.value);
        write_network(folder, {.name = "resnet8", .channels = 1}, metadata_with(row.key, row.value));
        CHECK(id_of([&] { imported(folder, {}); }) == "E0404");
    }
}

TEST_CASE("sizes that are possible but not the file's own take no memory: the tensors are looked at first") {
    const ToyRun toy;
    bkd_test::TemporaryFolder folder;
    EvaluateModelOptions options{.model = folder / "in.safetensors", .data_root = toy.path()};
    // 262144 channels in the last blocks: two million million bytes of weights, were they taken.
    write_network(folder, {.name = "resnet8", .channels = 1},
                  metadata_with("bkd.network", network_with("width", 65536)));
    CHECK(id_of([&] { evaluate_model(options); }) == "E0413");
    write_network(folder, {.name = "resnet8", .channels = 1}, metadata_with("bkd.class_counts", "[1,2,3]"));
    CHECK(id_of([&] { evaluate_model(options); }) == "E0404");
    for (const char* facts : {R"({"mean":["nan"],"std":[1]})", R"({"mean":[0],"std":[0]})", R"({"mean":[1e300]})"}) {
        CAPTURE(facts);
        write_network(folder, {.name = "resnet8", .channels = 1}, metadata_with("bkd.preprocess", facts));
        CHECK(id_of([&] { evaluate_model(options); }) == "E0404");
    }
    for (const char* facts : {R"({"height":9})", R"({"channels":3})", R"({"resize":"bilinear"})"}) {
        CAPTURE(facts);
        write_network(folder, {.name = "resnet8", .channels = 1}, metadata_with("bkd.preprocess", facts));
        CHECK(id_of([&] { evaluate_model(options); }) == "E0305");
    }
    write_network(folder, text_options());
    options.network = "text_cnn";
    options.data = "fashion_mnist";
    CHECK(id_of([&] { evaluate_model(options); }) == "E0305");
}

TEST_CASE("an extent of a tensor that no network has is refused where the file says nothing else") {
    const bkd_test::TemporaryFolder folder;
    const auto write = [&](std::vector<std::int64_t> shape) {
        const std::vector<std::byte> bytes =
            safetensors_bytes({f32_tensor("conv1.weight", std::move(shape), {})}, {}, Checksums::no);
        folder.write("in.safetensors", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    };
    write({0, 3, 3, 3});
    CHECK(id_of([&] { imported(folder, {.network = "resnet8"}); }) == "E0408");
    write({65537, 3, 3, 0});
    CHECK(id_of([&] { imported(folder, {.network = "resnet8"}); }) == "E0408");
    write({0});
    CHECK(id_of([&] { imported(folder, {.network = "resnet8"}); }) == "E0408");
    CHECK(id_of([&] { imported(folder, {}); }) == "E0304");
    write_network(folder, {.name = "resnet8"});
    CHECK(id_of([&] { imported(folder, {.network = "text_cnn"}); }) == "E0413");  // of the classifier
}

TEST_CASE("class names and normalisation come without the data's files, the size of their images with them") {
    const ToyRun toy;
    const bkd_test::TemporaryFolder folder;
    write_network(folder, {.name = "resnet8", .channels = 1});
    imported(folder, {.network = "resnet8", .data = "fashion_mnist"});
    ModelFacts facts = read_model_file(folder / "out.safetensors").facts.value();
    CHECK(facts.classes == describe_dataset("fashion_mnist").class_names);
    CHECK(facts.preprocess.at("height").integer() == 28);
    CHECK(facts.preprocess.at("std").elements().at(0).number() == doctest::Approx(0.3530));
    imported(folder, {.network = "resnet8", .data = "fashion_mnist", .data_root = toy.path()});
    facts = read_model_file(folder / "out.safetensors").facts.value();
    CHECK(facts.preprocess.at("height").integer() == 8);
    CHECK(id_of([&] { imported(folder, {.network = "resnet8", .data = "cifar100"}); }) == "E0305");
    CHECK(id_of([&] { imported(folder, {.network = "resnet8", .data = "cifar11"}); }) == "E0304");
    CHECK(id_of([&] { imported(folder, {.network = "resnet8", .data = "mnist", .data_root = folder.path()}); }) ==
          "E0501");
}

TEST_CASE("a teacher's file is a file whatever its name") {
    ToyRun toy;
    toy.train("ce", "first", {"train.max_steps=1"});
    const std::filesystem::path here = std::filesystem::current_path();
    std::filesystem::current_path(toy.path());
    std::filesystem::copy_file("first/models/train.last.safetensors", "teacher");
    const std::string id = id_of([&] { toy.train("bkd", "second", {"teacher.file=teacher", "train.max_steps=1"}); });
    std::filesystem::current_path(here);
    CHECK(id == "accepted");
}

}
