// `bkd convert` of PyTorch's files, as the program does it: what fits becomes a model file, what differs is told by
// name.
#include "models/network.h"
#include "tests/engine/pth_fixture.h"
#include "tests/tools/program.h"
#include "tests/train/toy_run.h"
#include "train/name_pattern.h"
#include "train/weights.h"

#include <doctest/doctest.h>

#include <cstdlib>

namespace bkd::test {
namespace {

using bkd_test::TemporaryFolder;
namespace pickled = bkd_test::pickled;

// A network as torch.save writes it, each tensor with numbers of its own. `shown` gives its name in the file; empty: it
// is left out.
struct Saved {
    NetworkOptions network{.name = "resnet8", .classes = 10, .channels = 1};
    std::function<std::string(const std::string&)> shown = [](const std::string& name) { return name; };
    std::vector<std::pair<std::string, std::string>> beside{};  // further entries of the state dict, pickled
    std::string under{};                                        // a key of the checkpoint
    const char* type = "FloatStorage";
};

float number_at(std::size_t tensor, std::int64_t i) {
    return static_cast<float>(tensor + 1) + static_cast<float>(i % 8) / 8;
}

std::string saved(const Saved& options) {
    std::vector<std::pair<std::string, std::string>> items;
    std::map<std::string, std::string> storages;
    const auto network = make_network(options.network);
    const std::vector<ExpectedTensor> tensors = expected_tensors(network->parameters());
    for (std::size_t k = 0; k < tensors.size(); ++k) {
        const std::string name = options.shown(tensors[k].name);
        if (name.empty()) continue;
        std::int64_t count = 1;
        std::vector<std::int64_t> stride(tensors[k].shape.size());
        for (std::size_t d = stride.size(); d-- > 0;) {
            stride[d] = count;
            count *= tensors[k].shape[d];
        }
        std::string bytes;
        for (std::int64_t i = 0; i < count; ++i) {
            const float x = number_at(k, i);
            const double wide = x;
            if (std::string_view(options.type) == "DoubleStorage")
                bytes.append(reinterpret_cast<const char*>(&wide), sizeof wide);
            else
                bytes.append(reinterpret_cast<const char*>(&x), sizeof x);
        }
        const std::string key = std::to_string(k);
        storages[key] = bytes;
        items.emplace_back(name,
                           pickled::tensor(pickled::storage(key, count, options.type), 0, tensors[k].shape, stride));
    }
    items.insert(items.end(), options.beside.begin(), options.beside.end());
    std::string value = pickled::dict(items);
    if (!options.under.empty()) value = pickled::dict({{"epoch", pickled::integer(3)}, {options.under, value}});
    return bkd_test::pth_of(pickled::whole(value), storages);
}

// The model file holds the numbers that `saved` gave the network, but for tensors that `skipped` matches.
void check_model(const std::filesystem::path& path, const NetworkOptions& options, const char* skipped = "") {
    const ModelFile file = read_model_file(path, {.require_checksums = true});
    const std::vector<ExpectedTensor> tensors = expected_tensors(make_network(options)->parameters());
    for (std::size_t k = 0; k < tensors.size(); ++k) {
        if (matches(skipped, tensors[k].name)) {
            CHECK(file.tensors.find(tensors[k].name) == nullptr);
            continue;
        }
        const StoredTensor& tensor = file.tensors.at(tensors[k].name);
        CHECK(tensor.shape == tensors[k].shape);
        std::vector<float> wanted;
        const std::vector<float> numbers = file.tensors.values<float>(tensor);
        for (std::size_t i = 0; i < numbers.size(); ++i) wanted.push_back(number_at(k, static_cast<std::int64_t>(i)));
        CHECK_MESSAGE(numbers == wanted, tensors[k].name);
    }
}

Said convert(const TemporaryFolder& folder, const Saved& options, const std::string& words) {
    folder.write("in.pth", saved(options));
    return run_program(folder.path().string(), "convert " + (folder / "in.pth").string() + " " +
                                                   (folder / "out.safetensors").string() + " --force --network " +
                                                   options.network.name + " " + words);
}

std::string message_of(const Said& said) { return said.err.substr(0, said.err.find('\n', 1)); }

}

TEST_CASE("a state dict of PyTorch's becomes a model file with the same numbers, whatever the file is called") {
    const TemporaryFolder folder;
    for (const char* name : {"resnet8", "resnet10", "resnet50", "resnext50_32x4d", "ride_resnet32"}) {
        CAPTURE(name);
        const Saved options{.network = {.name = name, .classes = 7, .channels = 3, .width = 4}};
        const Said said = convert(folder, options, "");
        CAPTURE(said.err);
        REQUIRE(said.code == 0);
        CHECK(said.err.empty());
        check_model(folder / "out.safetensors", options.network);
        const auto expected = expected_tensors(make_network(options.network)->parameters()).size();
        CHECK(contains(said.out, fmt::format("matched {0} of {0}\n", expected)));
    }
    // Told by content: the model file under PyTorch's name, PyTorch's file under the other.
    const std::string out = (folder / "out.safetensors").string(), other = (folder / "x.pth").string();
    std::filesystem::rename(out, other);
    CHECK(run_program(folder.path().string(), "convert " + other + " " + out).code == 0);
    folder.write("y.safetensors", saved({}));
    CHECK(run_program(folder.path().string(),
                      "convert " + (folder / "y.safetensors").string() + " " + out + " --force --network resnet8")
              .code == 0);
    CHECK(contains(run_program(folder.path().string(), "inspect " + (folder / "y.safetensors").string()).out,
                   "layer1.0.conv1.weight"));
}

TEST_CASE("a checkpoint's state dict is found; prefixes and the other name of the last layer are taken off, said") {
    const TemporaryFolder folder;
    const auto wrapped = [](const std::string& name) {
        return "module." + (name.starts_with("linear.") ? "fc." + name.substr(7) : name);
    };
    const Said said = convert(folder, {.shown = wrapped, .under = "state_dict"}, "");
    CAPTURE(said.err);
    REQUIRE(said.code == 0);
    CHECK(contains(said.err, "state dict: \"state_dict\" of the checkpoint\n"));
    CHECK(said.out.starts_with("\"module.\" taken off every name\nfc.bias -> linear.bias\n"));
    CHECK(contains(said.out, "fc.weight -> linear.weight\n"));
    check_model(folder / "out.safetensors", {.name = "resnet8", .classes = 10, .channels = 1});
    // LDAM-DRW's checkpoints hold their tensors as they are called here; ImageNet networks say fc.
    const Said imagenet = convert(
        folder,
        {.network = {.name = "resnet10", .classes = 7, .width = 4},
         .shown = [](const std::string& name) { return name.starts_with("fc.") ? "linear." + name.substr(3) : name; },
         .under = "weights"},
        "--key weights");
    REQUIRE(imagenet.code == 0);
    CHECK(contains(imagenet.err, "state dict: \"weights\" of the checkpoint\n"));
    check_model(folder / "out.safetensors", {.name = "resnet10", .classes = 7, .width = 4});
}

TEST_CASE("numbers of other widths become F32, and that is said") {
    const TemporaryFolder folder;
    const Said said = convert(folder, {.type = "DoubleStorage"}, "");
    REQUIRE(said.code == 0);
    CHECK(contains(said.err, " tensors of F16, BF16 or F64 are F32 now\n"));
    check_model(folder / "out.safetensors", {.name = "resnet8", .classes = 10, .channels = 1});
    CHECK(convert(folder, {.type = "IntStorage"}, "").code == 4);
}

TEST_CASE("what differs is counted and named, and refused unless it is allowed by name") {
    const TemporaryFolder folder;
    const std::string more = pickled::tensor(pickled::storage("0", 144), 0, {1}, {1});
    const auto headless = [](const std::string& name) {
        return name.starts_with("linear.") ? std::string() : "encoder." + name;
    };
    const Saved options{.shown = headless, .beside = {{"queue", more}, {"queue_at", more}}};
    const Said all = convert(folder, options, "");
    CHECK(all.code == 4);
    CHECK(all.out.empty());
    CHECK(contains(all.err, "error[E0411]: 37 of 37 tensors are missing\n"));
    CHECK(contains(all.err, "; 37 are of another: \"encoder.bn1.bias\", "));
    const std::string renames = "--rename 'encoder.*=*' ";
    const Said missing = convert(folder, options, renames);
    CHECK(missing.code == 4);
    CHECK(contains(missing.err, "error[E0411]: 2 of 37 tensors are missing\n"));
    CHECK(
        contains(missing.err, "why: \"linear.weight\", \"linear.bias\"; 2 are of another: \"queue\", \"queue_at\"\n"));
    CHECK(contains(missing.err, "--allow-missing NAMES"));
    const Said extra = convert(folder, options, renames + "--allow-missing 'linear.*'");
    CHECK(extra.code == 4);
    CHECK(contains(extra.err, "error[E0412]: 2 tensors are not of this network, which has 37\n"));
    CHECK(contains(extra.err, "--drop NAMES"));
    const Said said = convert(folder, options, renames + "--allow-missing 'linear.*' --drop 'queue*'");
    CAPTURE(said.err);
    REQUIRE(said.code == 0);
    CHECK(contains(said.out, "encoder.conv1.weight -> conv1.weight\n"));
    CHECK(contains(said.out, "dropped 2: \"queue\", \"queue_at\"\n"));
    CHECK(contains(said.out, "missing 2: \"linear.weight\", \"linear.bias\"\n"));
    CHECK(contains(said.out, "matched 35 of 37\n"));
    check_model(folder / "out.safetensors", options.network, "linear.*");
    // What is not complete is no model to evaluate.
    CHECK(contains(
        run_program(folder.path().string(), "eval " + (folder / "out.safetensors").string() + " --data toy").err,
        "error[E0411]: 2 of 37 tensors are missing"));
    const Said shape =
        convert(folder, {.network = {.name = "resnet8", .channels = 1}, .beside = {{"linear.weight", more}}}, "");
    CHECK(shape.code == 4);
    CHECK(contains(shape.err, "error[E0405]: tensor \"linear.weight\" appears twice"));
}

TEST_CASE("options of convert that change nothing, and names that collide, are refused") {
    const TemporaryFolder folder;
    const auto refused = [&](const std::string& words) { return message_of(convert(folder, {}, words)); };
    CHECK(refused("--drop 'x.*'") == "\nbkd: error[E0208]: --drop x.* has no effect");
    CHECK(refused("--rename 'x.*=y.*'") == "\nbkd: error[E0208]: --rename x.*=y.* has no effect");
    CHECK(refused("--allow-missing linear.bias") == "\nbkd: error[E0208]: --allow-missing linear.bias has no effect");
    CHECK(refused("--rename x") == "\nbkd: error[E0203]: --rename takes FROM=TO, got \"x\"");
    CHECK(refused("--rename 'bn1.bias=bn1.weight'") ==
          "\nbkd: error[E0405]: two tensors would be called \"bn1.weight\"");
    CHECK(refused("--key none") == "\nbkd: error[E0415]: the file has nothing under \"none\"");
    REQUIRE(convert(folder, {}, "").code == 0);
    for (const std::string words : {"--key model", "--skip-unknown-globals"}) {
        const Said said = run_program(folder.path().string(), "convert " + (folder / "out.safetensors").string() + " " +
                                                                  (folder / "again").string() + " " + words);
        CHECK(said.code == 2);
        CHECK(contains(said.err, "error[E0208]: " + words.substr(0, words.find(' ')) + " has no effect"));
    }
}

TEST_CASE("a file that asks for code is refused whole; what is only passed over is said") {
    const TemporaryFolder folder;
    const std::string call = pickled::global("posix", "system") +
                             pickled::tuple({pickled::text("touch " + (folder / "trace").string())}) + "R";
    const Saved evil{.beside = {{"x", call}}};
    const Said refused = convert(folder, evil, "");
    CHECK(refused.code == 4);
    CHECK(contains(refused.err, "error[E0427]: pickle asks for \"posix.system\", which is not on the allow-list\n"));
    CHECK(!std::filesystem::exists(folder / "out.safetensors"));
    const Said skipped = convert(folder, evil, "--skip-unknown-globals");
    REQUIRE(skipped.code == 0);
    CHECK(contains(skipped.err, "warning: the file would run code in other loaders: it asks for \"posix.system\"\n"));
    CHECK(contains(skipped.err, "1 entries of it are no tensors\n"));
    CHECK(!std::filesystem::exists(folder / "trace"));
    check_model(folder / "out.safetensors", evil.network);
}

TEST_CASE("PyTorch's legacy form is refused with the way to a form that is read") {
    const TemporaryFolder folder;
    const std::string legacy = BKD_SOURCE_DIR "/tests/fuzz/corpus/pth/legacy";
    const Said said = run_program(folder.path().string(),
                                  "convert " + legacy + " " + (folder / "out").string() + " --network resnet20");
    CHECK(said.code == 4);
    CHECK(contains(said.err, "error[E0429]: this is a PyTorch file of the legacy form, a pickle\n"));
    CHECK(contains(said.err, "try: load it in PyTorch 1.6 or later and save it again"));
}

TEST_CASE("training starts from PyTorch's file as it is, with a new classifier where the recipe says so") {
    ToyRun toy;
    const std::string file = (toy.path() / "in.pth").string(), from = "model.init_from=\"" + file + "\"";
    const Saved options{.network = {.name = "resnet8", .classes = 7, .channels = 1}};
    std::ofstream(file, std::ios::binary) << saved(options);
    const auto refused = [&](const std::vector<std::string>& overrides) {
        return bkd_test::id_of([&] { toy.train("ce", "refused", overrides); });
    };
    CHECK(refused({from}) == "E0413");
    CHECK(refused({from, "model.init_fresh=[\"linear.bias\"]"}) == "E0413");
    CHECK(refused({from, "model.init_fresh=[\"fc.*\"]"}) == "E0311");
    CHECK(refused({"model.init_fresh=[\"linear.*\"]"}) == "E0305");
    CHECK(!std::filesystem::exists(toy.path() / "refused"));
    // So small a step moves none of these numbers.
    toy.train("ce", "started", {from, "model.init_fresh=[\"linear.*\"]", "optim.lr=1e-30", "train.epochs=1"});
    const ModelFile model = read_model_file(toy.path() / "started/models/train.last.safetensors");
    CHECK(model.tensors.at("linear.weight").shape == std::vector<std::int64_t>{10, 64});
    const std::vector<ExpectedTensor> tensors = expected_tensors(make_network(options.network)->parameters());
    int compared = 0;
    for (std::size_t k = 0; k < tensors.size(); ++k) {
        const bool moves = tensors[k].name.ends_with("running_mean") || tensors[k].name.ends_with("running_var");
        if (moves || tensors[k].name.starts_with("linear.")) continue;
        const std::vector<float> numbers = model.tensors.values<float>(model.tensors.at(tensors[k].name));
        for (std::size_t i = 0; i < numbers.size(); ++i)
            CHECK(numbers[i] == number_at(k, static_cast<std::int64_t>(i)));
        ++compared;
    }
    CHECK(compared == 21);
}

TEST_CASE("files that PyTorch writes are converted to equal tensors") {
    const TemporaryFolder folder;
    const std::string script = BKD_SOURCE_DIR "/tests/tools/torch_interop.py", program = BKD_PROGRAM;
    const char* chosen = std::getenv("BKD_TORCH_PYTHON");
    for (const std::string& python :
         {std::string(chosen != nullptr ? chosen : "python3"), std::string("/usr/bin/python3")}) {
        const std::string said = (folder / "said").string();
        const int status = std::system(
            (python + " " + script + " --convert " + program + " " + folder.path().string() + " >" + said + " 2>&1")
                .c_str());
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (code == 77 || code == 127) continue;
        CAPTURE(text_of_file(said));
        CHECK(code == 0);
        MESSAGE(text_of_file(said));
        return;
    }
    MESSAGE("skipped: no PyTorch here (BKD_TORCH_PYTHON names a Python that has it)");
}

}
