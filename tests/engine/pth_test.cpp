// PyTorch's own files, and where a state dict is found in them.
#include "engine/pth.h"

#include "tests/engine/pth_variants.h"

using namespace bkd;
using namespace bkd_test;
using namespace bkd_test::pickled;

namespace {

std::filesystem::path corpus(const std::string& name) {
    return std::filesystem::path(BKD_SOURCE_DIR "/tests/fuzz/corpus/pth") / name;
}
std::vector<float> floats(const Pth& file, const std::string& name) {
    return file.tensors.values<float>(file.tensors.at(name));
}
std::vector<std::string> names(const Pth& file) {
    std::vector<std::string> all;
    for (const StoredTensor& tensor : file.tensors.tensors) all.push_back(tensor.name);
    return all;
}
Pth parsed(const std::string& value, const PthOptions& options = {}) {
    const std::string file = pth_of(whole(value), sound_storages);
    return parse_pth(std::as_bytes(std::span(file)), "x.pth", options);
}
const std::string one = tensor(storage("0", 4), 0, {4}, {1});

}

TEST_CASE("a state dict of PyTorch's is read with its names, types, shapes and numbers") {
    const Pth file = read_pth(corpus("read_state_dict"), {});
    CHECK(names(file) == std::vector<std::string>{"bn1.bias", "bn1.num_batches_tracked", "conv1.weight"});
    CHECK(shape_text(file.tensors.at("conv1.weight").shape) == "[2,1,2,2]");
    CHECK(floats(file, "conv1.weight") == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(file.tensors.values<std::int64_t>(file.tensors.at("bn1.num_batches_tracked")) ==
          std::vector<std::int64_t>{3});
    CHECK(file.facts.key.empty());
    CHECK(file.facts.others == 0);
    CHECK(file.facts.unchecked == 0);
    // Where the numbers lie in the file is not said: they are gathered.
    CHECK(file.tensors.place(file.tensors.at("conv1.weight")) == corpus("read_state_dict").string());
}

TEST_CASE("each type that a model may have comes out as it is") {
    const Pth file = read_pth(corpus("read_dtypes"), {});
    const auto& t = file.tensors;
    CHECK(t.values<double>(t.at("float64")) == std::vector<double>{0, 1, 2});
    CHECK(t.values<float>(t.at("float32")) == std::vector<float>{0, 1, 2});
    CHECK(t.values<std::uint16_t>(t.at("float16")) == std::vector<std::uint16_t>{0, 0x3C00, 0x4000});
    CHECK(t.values<std::uint16_t>(t.at("bfloat16")) == std::vector<std::uint16_t>{0, 0x3F80, 0x4000});
    CHECK(t.at("bfloat16").type == ElementType::bf16);
    CHECK(t.values<std::int64_t>(t.at("int64")) == std::vector<std::int64_t>{0, 1, 2});
    CHECK(t.values<std::int32_t>(t.at("int32")) == std::vector<std::int32_t>{0, 1, 2});
    CHECK(t.values<std::int16_t>(t.at("int16")) == std::vector<std::int16_t>{0, 1, 2});
    CHECK(t.values<std::int8_t>(t.at("int8")) == std::vector<std::int8_t>{0, 1, 2});
    CHECK(t.values<std::uint8_t>(t.at("uint8")) == std::vector<std::uint8_t>{0, 1, 2});
    CHECK(t.values<bool>(t.at("bool")) == std::vector<bool>{true, false});
}

TEST_CASE("views of one storage come out row-major, each for itself") {
    const Pth file = read_pth(corpus("read_views"), {});
    CHECK(floats(file, "whole") == std::vector<float>{0, 1, 2, 3, 4, 5});
    CHECK(floats(file, "transposed") == std::vector<float>{0, 3, 1, 4, 2, 5});
    CHECK(floats(file, "row") == std::vector<float>{3, 4, 5});
    CHECK(floats(file, "column") == std::vector<float>{1, 4});
    CHECK(floats(file, "repeated") == std::vector<float>{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
    CHECK(floats(file, "scalar") == std::vector<float>{5});
    CHECK(floats(file, "empty").empty());
    CHECK(shape_text(file.tensors.at("empty").shape) == "[0,3]");
}

TEST_CASE("of a checkpoint the state dict is taken, without the prefix of DataParallel; the rest is passed over") {
    const Pth file = read_pth(corpus("read_checkpoint"), {});
    CHECK(names(file) == std::vector<std::string>{"0.bias", "0.weight"});
    CHECK(floats(file, "0.weight") == std::vector<float>{0, 1, 2, 3});
    CHECK(file.facts.key == "state_dict");
    CHECK(file.facts.prefix == "module.");
    const Pth best = read_pth(corpus("read_parameters"), {});
    CHECK(floats(best, "weight") == std::vector<float>{0, 1, 2, 3});
    CHECK(best.facts.key == "model");
    CHECK(best.facts.others == 1);
    const Pth unchecked = read_pth(corpus("read_without_checksums"), {});
    CHECK(floats(unchecked, "weight") == std::vector<float>{0, 1, 2, 3});
    CHECK(unchecked.facts.unchecked == 1);
}

TEST_CASE("what PyTorch writes and is no dict of tensors is refused by the name of what it is") {
    const auto id = [](const char* name) { return id_of([&] { read_pth(corpus(name), {}); }); };
    CHECK(id("whole_model") == "E0428");
    CHECK(id("one_tensor") == "E0415");
    CHECK(id("unknown_type") == "E0427");
    CHECK(id("torchscript") == "E0429");
    CHECK(id("legacy") == "E0416");  // by those who expect an archive; read_model_file names it
    const Pth skipped = parsed(dict({{"a", one}, {"b", "N"}}), {.skip_unknown_globals = true});
    CHECK(skipped.facts.unknown_globals.empty());
}

TEST_CASE("a state dict is found under the usual keys before the file itself, or under the key that is told") {
    const std::string inner = dict({{"module._orig_mod.x", one}, {"module._orig_mod.y.z", one}});
    for (const char* key : {"state_dict", "model_state_dict", "model", "net", "student"}) {
        const Pth file = parsed(dict({{"best_acc1", one}, {key, inner}}));
        CHECK(file.facts.key == key);
        CHECK(names(file) == std::vector<std::string>{"x", "y.z"});
        CHECK(file.facts.prefix == "module._orig_mod.");
    }
    CHECK(parsed(dict({{"student", inner}, {"state_dict", dict({{"s", one}})}})).facts.key == "state_dict");
    CHECK(parsed(dict({{"model", "N"}, {"x", one}})).facts.key.empty());
    const std::string nested = dict({{"best", dict({{"feat.model", inner}, {"head", dict({{"w", one}})}})}});
    CHECK(names(parsed(nested, {.key = "best.feat.model"})) == std::vector<std::string>{"x", "y.z"});
    CHECK(names(parsed(nested, {.key = "best.head"})) == std::vector<std::string>{"w"});
    const auto refused = [&](const std::string& value, const char* key) {
        try {
            parsed(value, {.key = key});
        } catch (const InputError& error) { return error.id() + " " + error.what() + "; " + error.parts().why; }
        return std::string("accepted");
    };
    CHECK(refused(nested, "") == "E0415 no state dict is found in the file; its keys: \"best\"");
    CHECK(refused(nested, "worst") == "E0415 the file has nothing under \"worst\"; its keys: \"best\"");
    CHECK(refused(nested, "best") == "E0415 there are no tensors under \"best\"; its keys: \"feat.model\", \"head\"");
    CHECK(refused(dict({{"a", "N"}}), "a") == "E0415 there are no tensors under \"a\"; it is None");
    CHECK(refused(dict({}), "").starts_with("E0415"));
    CHECK(refused("]", "").starts_with("E0415 the file holds a list, not a dict of tensors"));
    // A prefix is taken off where all names have it, and never the whole name.
    CHECK(names(parsed(dict({{"module.x", one}, {"y", one}}))) == std::vector<std::string>{"module.x", "y"});
    CHECK(names(parsed(dict({{"module.", one}, {"module.x", one}}))) ==
          std::vector<std::string>{"module.", "module.x"});
}

TEST_CASE("names of tensors are labels: short, without controls, each once; keys are, too") {
    const auto id = [](const std::string& value) { return id_of([&] { parsed(value); }); };
    CHECK(id(dict({{std::string(512, 'n'), one}})) == "accepted");
    CHECK(id(dict({{std::string(513, 'n'), one}})) == "E0406");
    CHECK(id(dict({{"", one}})) == "E0406");
    CHECK(id(dict({{"a\n", one}})) == "E0406");
    CHECK(id(dict({{"a\xff", one}})) == "E0406");
    CHECK(id(dict({{"a", one}, {"a", one}})) == "E0405");
    CHECK(id(dict({{"model", dict({{"a", one}})}, {"model", "N"}})) == "E0405");
}

TEST_CASE("a file larger than allowed is refused before anything of it is read") {
    const std::string file = pth_of(sound_pickle, sound_storages);
    CHECK(id_of([&] { parse_pth(std::as_bytes(std::span(file)), "x.pth", {.max_bytes = file.size()}); }) == "accepted");
    CHECK(id_of([&] { parse_pth(std::as_bytes(std::span(file)), "x.pth", {.max_bytes = file.size() - 1}); }) ==
          "E0407");
    std::vector<ZipPart> parts = pth_parts(std::string((64u << 20) + 1, 'N'), {});
    const std::string large = zip_of(parts);
    CHECK(id_of([&] { parse_pth(std::as_bytes(std::span(large)), "x.pth"); }) == "E0407");
}
