#include "engine/model_file.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace bkd;
using bkd_test::id_of;
using bkd_test::TemporaryFolder;

namespace {

const std::vector<float> convolution{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};  // [2, 3, 1, 2] O I H W
const std::vector<float> variance{0.5f, 2};
const std::int64_t batches = 42;

std::vector<TensorToStore> small_network() {
    return {f32_tensor("conv1.weight", {2, 3, 1, 2}, convolution), f32_tensor("bn1.running_var", {2}, variance),
            i64_scalar("bn1.num_batches_tracked", batches)};
}

SafeTensors parsed(std::vector<TensorToStore> tensors, std::map<std::string, std::string> metadata = {}) {
    return parse_safetensors(safetensors_bytes(std::move(tensors), std::move(metadata), Checksums::no),
                             "w.safetensors");
}

const std::vector<ExpectedTensor> wanted{{"conv1.weight", {2, 3, 1, 2}}, {"bn1.running_var", {2}}};

std::string message_of(const SafeTensors& tensors, const std::vector<ExpectedTensor>& expected) {
    try {
        check_tensors(tensors, expected);
    } catch (const InputError& error) { return error.message(); }
    return "accepted";
}

}

TEST_CASE("what is written as a model is read back: facts, values, and the counter that PyTorch wants") {
    const TemporaryFolder folder;
    const ModelFacts facts{.network = Json::Object{{"name", "resnet8"}, {"classes", 2}},
                           .classes = {"caf\xc3\xa9", "b"},
                           .class_counts = {5000, 50},
                           .preprocess = Json::Object{{"mean", Json::array(std::vector<double>{0.5, 0.25})}},
                           .preset = "paper",
                           .recipe = Json::Object{{"method", "bkd"}, {"epoch", 200}},
                           .commit = "abc123"};
    write_model_file(folder / "m", facts, small_network(), Overwrite::no);
    write_model_file(folder / "n", facts, small_network(), Overwrite::no);
    CHECK(folder.text(folder / "m") == folder.text(folder / "n"));

    const ModelFile model = read_model_file(folder / "m", {.require_checksums = true});
    REQUIRE(model.facts.has_value());
    CHECK(model.facts->network.at("name").text() == "resnet8");
    CHECK(model.facts->classes == facts.classes);
    CHECK(model.facts->class_counts == facts.class_counts);
    CHECK(model.facts->preprocess == facts.preprocess);
    CHECK(model.facts->preset == "paper");
    CHECK(model.facts->recipe.at("epoch").integer() == 200);
    CHECK(model.facts->commit == "abc123");
    CHECK(model.tensors.values<float>(model.tensors.at("conv1.weight")) == convolution);
    CHECK(model.tensors.values<std::int64_t>(model.tensors.at("bn1.num_batches_tracked")) == std::vector{batches});
    CHECK(model.tensors.metadata.at("bkd.schema") == "bkd.model/1");
    CHECK(message_of(model.tensors, wanted) == "accepted");
}

TEST_CASE("a file from elsewhere has no facts, a newer schema is refused, a newer minor one is read") {
    const TemporaryFolder folder;
    const auto read = [&](std::map<std::string, std::string> metadata) {
        write_file_atomically(folder / "m", safetensors_bytes(small_network(), std::move(metadata), Checksums::no),
                              Overwrite::yes);
        return read_model_file(folder / "m");
    };
    CHECK(!read({{"format", "pt"}}).facts.has_value());
    CHECK(read({{"bkd.schema", "bkd.model/1.7"}}).facts.has_value());
    CHECK(id_of([&] { read({{"bkd.schema", "bkd.model/2"}}); }) == "E1006");
    CHECK(id_of([&] { read({{"bkd.schema", "bkd.model/10"}}); }) == "E1006");
    CHECK(id_of([&] { read({{"bkd.schema", "soup"}}); }) == "E0404");
    CHECK(id_of([&] { read({{"bkd.schema", "bkd.model/1"}, {"bkd.classes", "[1]"}}); }) == "E0404");
    CHECK(id_of([&] { read({{"bkd.schema", "bkd.model/1"}, {"bkd.network", "{"}}); }) == "E0403");
    CHECK(id_of([&] {
              read({{"bkd.schema", "bkd.model/1"}, {"bkd.classes", "[\"a\"]"}, {"bkd.class_counts", "[1,2]"}});
          }) == "E0404");
}

TEST_CASE("of a checkpoint the model and its buffers are taken, and the rest is counted") {
    const TemporaryFolder folder;
    const auto bytes = safetensors_bytes({f32_tensor("model/conv1.weight", {2, 3, 1, 2}, convolution),
                                          f32_tensor("buffer/bn1.running_var", {2}, variance),
                                          f32_tensor("optim/momentum/conv1.weight", {2, 3, 1, 2}, convolution),
                                          f32_tensor("teacher/conv1.weight", {2, 3, 1, 2}, convolution)},
                                         {{"bkd.schema", "bkd.ckpt/1"}}, Checksums::yes);
    write_file_atomically(folder / "c", bytes, Overwrite::no);
    const ModelFile model = read_model_file(folder / "c");
    CHECK(model.ignored == 2);
    CHECK(message_of(model.tensors, wanted) == "accepted");
    CHECK(model.tensors.values<float>(model.tensors.at("bn1.running_var")) == variance);
}

TEST_CASE("a file that does not fit the network says which tensor, with both shapes and counts") {
    const std::vector<float> large(64 * 3 * 7 * 7);
    CHECK(message_of(parsed({f32_tensor("layer1.0.conv1.weight", {64, 3, 7, 7}, large)}),
                     {{"layer1.0.conv1.weight", {16, 16, 3, 3}}, {"fc.bias", {10}}}) ==
          "error[E0413]: tensor \"layer1.0.conv1.weight\" is [64,3,7,7], this network needs [16,16,3,3]\n"
          "  at:  w.safetensors\n"
          "  why: 1 of 2 tensors differ; first shown; 1 are missing: \"fc.bias\"\n"
          "  try: bkd inspect w.safetensors\n");
    std::vector<ExpectedTensor> many{{"bn1.running_var", {2}}};
    for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) many.push_back({name, {1}});
    CHECK(message_of(parsed(small_network()), many)
              .starts_with("error[E0411]: 7 of 8 tensors are missing\n  at:  w.safetensors\n"
                           "  why: \"a\", \"b\", \"c\", \"d\", \"e\" and 2 more; "));
    CHECK(message_of(parsed(small_network()), {{"bn1.running_var", {2}}})
              .starts_with("error[E0412]: 1 tensors are not of this network, which has 1\n"));
    CHECK(message_of(parsed({}), wanted).starts_with("error[E0415]: the file has no tensors\n"));
    const std::vector<std::int64_t> integers{1, 2};
    CHECK(message_of(parsed({{"bn1.running_var", ElementType::i64, {2}, std::as_bytes(std::span(integers))}}),
                     {{"bn1.running_var", {2}}})
              .starts_with("error[E0414]: tensor \"bn1.running_var\" is I64, this network needs F32\n"));
    CHECK(message_of(parsed(small_network()),
                     {{"conv1.weight", {2, 3, 1, 2}}, {"bn1.running_var", {2}}, {"bn1.num_batches_tracked", {}}}) ==
          "accepted");
}

TEST_CASE("weights that are not finite and negative variances are refused with their element and byte") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const auto id = [](const std::string& name, const std::vector<float>& values, NonFinite non_finite) {
        const SafeTensors file = parsed({f32_tensor(name, {static_cast<std::int64_t>(values.size())}, values)});
        return id_of([&] { check_values(file, non_finite); });
    };
    CHECK(id("w", {1, -2, 3.4e38f, -0.0f, 1e-45f}, NonFinite::refuse) == "accepted");
    CHECK(id("w", {1, std::nanf(""), 3}, NonFinite::refuse) == "E0425");
    CHECK(id("w", {1, -infinity}, NonFinite::refuse) == "E0425");
    CHECK(id("w", {1, -infinity}, NonFinite::allow) == "accepted");
    CHECK(id("bn.running_var", {1, 0, -0.0f}, NonFinite::refuse) == "accepted");
    CHECK(id("bn.running_var", {1, -1e-30f}, NonFinite::allow) == "E0426");
    const std::vector<float> values{1, 2, infinity};
    const SafeTensors file = parsed({f32_tensor("w", {3}, values)});
    try {
        check_values(file);
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.parts().what == "tensor \"w\" holds an infinity at element 2");
        CHECK(error.parts().at == fmt::format("w.safetensors @ byte {}", file.data_offset + 8));
    }
    const std::vector<std::uint16_t> halves{0x3C00, 0x7C01};
    for (const ElementType type : {ElementType::f16, ElementType::bf16}) {
        const SafeTensors half = parsed({{"h", type, {2}, std::as_bytes(std::span(halves))}});
        CHECK(id_of([&] { check_values(half); }) == (type == ElementType::f16 ? "E0425" : "accepted"));
    }
}

TEST_CASE("convolution weights go between K R S C in memory and O I H W in the file, and back") {
    // O I H W [2,3,1,2]: element (o, i, 0, w) is 6 o + 2 i + w.
    const std::vector<float> memory = to_memory_layout(convolution, std::vector<std::int64_t>{2, 3, 1, 2});
    CHECK(memory == std::vector<float>{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11});
    CHECK(to_file_layout(memory, std::vector<std::int64_t>{2, 1, 2, 3}) == convolution);
    CHECK(transposed(std::vector<float>{1, 2, 3, 4, 5, 6}, 2, 3) == std::vector<float>{1, 4, 2, 5, 3, 6});
}
