// bkd predict MODEL PATH...: the classes of images, one record each, in the order of the input.
#include "data/image_file.h"
#include "engine/file.h"
#include "tools/input_paths.h"
#include "tools/options.h"
#include "tools/predictions.h"
#include "tools/terminal.h"
#include "train/predictor.h"
#include "train/run_folder.h"

#include <algorithm>
#include <cstdio>
#include <optional>

namespace bkd {
namespace {

// Where records go: to standard output as they come, so that the verb is a filter, or whole into a file at the end.
class Sink {
public:
    Sink(std::string out, Overwrite overwrite) : out_(std::move(out)), overwrite_(overwrite) {
        if (out_.empty()) return;
        check_place(out_, overwrite_, "predictions");
        check_not_of_a_run(out_);
    }
    void check_not(const std::string& input) const {
        if (!out_.empty()) check_not_input(out_, input);
    }
    void write(std::string text) {
        if (!out_.empty())
            kept_ += text;
        else if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
            throw InputError({.id = 602, .what = "writing to standard output failed"});
    }
    void finish() const {
        if (!out_.empty()) write_file_atomically(out_, std::string_view(kept_), overwrite_, "predictions");
    }

private:
    std::string out_, kept_;
    Overwrite overwrite_;
};

ImageFile read_input(const std::string& path, const Predictor& model) {
    if (path.find('\0') != std::string::npos)
        throw InputError({.id = 406, .what = "a path holds a zero byte", .at = printable(path)});
    ImageFile file = read_image_file(path);
    model.check_images(file);
    return file;
}

std::vector<std::string> names_of(const Predictor& model) {
    std::vector<std::string> names = model.class_names();
    for (std::int64_t c = static_cast<std::int64_t>(names.size()); c < model.classes(); ++c)
        names.push_back(std::to_string(c));
    return names;
}

std::size_t checked_top_k(const std::optional<std::int64_t>& asked, std::int64_t classes) {
    constexpr std::int64_t standard = 5;
    if (asked.value_or(1) > classes)
        throw InputError({.id = 203,
                          .what = fmt::format("--top-k must be 1..{}, the model's classes, got {}", classes, *asked),
                          .at = "option --top-k"});
    return static_cast<std::size_t>(asked.value_or(std::min(standard, classes)));
}

}

int run_predict(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    PredictorOptions of;
    std::string format = "jsonl", on_error = "stop", dtype = "f32", out, mean, deviation;
    std::int64_t batch = 32;  // as many images a second as with more, and the first ones earlier
    std::optional<std::int64_t> top_k;
    bool as_json = false, force = false;
    Options options(
        "predict",
        "Classes of the images in IDX files, CIFAR-10 and -100 records and packed .res files (plain, .gz, .xz): one "
        "record\neach, in the order of the input. A PATH \"-\" is a list of paths on standard input, @FILE one in a "
        "file, one path a line.",
        {"bkd predict student.safetensors t10k-images-idx3-ubyte.gz",
         "bkd predict student.safetensors test_batch.bin --format csv --top-k 3 --out predictions.csv",
         "ls *.bin | bkd predict student.safetensors - --on-error skip",
         "bkd predict resnet20.safetensors test_batch.bin --network resnet20 --data cifar10"});
    options.words("MODEL PATH", words, 2, Options::any_number, "a safetensors file, then files of images");
    machine.add_to(options);
    options.choice("--dtype", dtype, {"f32", "bf16"}, "what activations are stored in");
    options.value("--top-k", top_k, 1, 65536, "classes a record has; default 5, or as many as there are");
    options.choice("--format", format, {"jsonl", "csv", "table"}, "of the records");
    options.flag("--json", as_json, "--format jsonl");
    options.value("--batch", batch, 1, 65536, "images at once, of one file");
    options.choice("--on-error", on_error, {"stop", "skip"},
                   "at a file that cannot be read; skip: exit code 1 at the end");
    options.value("--out", out, "file for the records, written whole at the end");
    options.flag("--force", force, "overwrite it");
    options.value("--network", of.network, "network of a model that does not say it");
    options.value("--classifier", of.classifier, "linear or cosine, likewise");
    options.value("--data", of.data, "set whose class names and normalisation a model has that does not say them");
    options.value("--mean", mean, "per channel, of values in 0..1, likewise");
    options.value("--std", deviation, "per channel, likewise");
    if (!options.parse(arguments)) return 0;

    if (as_json && format != "jsonl")
        throw InputError({.id = 208,
                          .what = fmt::format("--json has no effect beside --format {}", format),
                          .at = "option --json",
                          .try_ = "one of the two"});
    InputPaths paths({words.begin() + 1, words.end()});
    Sink sink(out, force ? Overwrite::yes : Overwrite::no);
    sink.check_not(words[0]);
    of.model = words[0];
    of.device = machine.chosen_device();
    of.threads = machine.chosen_threads();
    of.storage = dtype == "bf16" ? DType::bf16 : DType::f32;
    if (!mean.empty()) of.mean = parse_numbers("--mean", mean);
    if (!deviation.empty()) of.deviation = parse_numbers("--std", deviation);

    Predictor model(of);
    PredictionWriter writer(
        {.name = format, .class_names = names_of(model), .top_k = checked_top_k(top_k, model.classes())});
    const auto classes = static_cast<std::size_t>(model.classes());
    std::int64_t skipped = 0, answered = 0;
    while (const std::optional<std::string> path = paths.next()) {
        ++answered;
        ImageFile file;
        try {
            sink.check_not(*path);
            file = read_input(*path, model);
        } catch (const InputError& error) {
            const bool is_of_the_file = error.exit_code() >= 3 && error.exit_code() <= 5;
            if (on_error == "stop" || !is_of_the_file) throw;
            say("bkd: skipped: {}", error.message());
            writer.add_failure(*path, error);
            sink.write(writer.take_text());
            ++skipped;
            continue;
        }
        for (std::int64_t first = 0; first < file.size(); first += batch) {
            const std::int64_t count = std::min(batch, file.size() - first);
            const std::span<const float> logits = model(file, first, count);
            for (std::int64_t i = 0; i < count; ++i)
                writer.add(*path, first + i, logits.subspan(static_cast<std::size_t>(i) * classes, classes));
            sink.write(writer.take_text());
        }
    }
    sink.finish();
    if (answered == 0) say("warning: the lists name no file\n");
    if (skipped > 0) say("warning: {} of the inputs skipped\n", skipped);
    return skipped > 0 ? 1 : 0;
}

}
