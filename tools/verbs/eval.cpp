// bkd eval MODEL... --data D --split S: accuracy of one model, or of several beside each other.
#include "engine/file.h"
#include "tools/eval_report.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "tools/terminal.h"

#include <algorithm>
#include <cstdio>

namespace bkd {

int run_eval(const std::vector<std::string>& arguments) {
    std::vector<std::string> models;
    MachineOptions machine;
    EvaluateModelOptions model;
    std::string root, network, classifier, mean, deviation, expect, predictions, logits;
    EvalParts parts;
    bool as_json = false;
    Options options("eval",
                    "Accuracy of models on a split: top-1, top-5, loss, by shot group and by class. Several models "
                    "stand beside each\n"
                    "other. What the file says of its network and normalisation is used; PyTorch's files need "
                    "--network, --mean, --std.",
                    {"bkd eval runs/a/models/student.last.safetensors",
                     "bkd eval teacher.safetensors student.safetensors --per-class",
                     "bkd eval resnet20.safetensors --network resnet20 --data cifar10 --mean 0.485,0.456,0.406 --std "
                     "0.229,0.224,0.225",
                     "bkd eval student.safetensors --expect 'top1>=80'"});
    options.words("MODEL", models, 1, Options::any_number, "safetensors files");
    machine.add_to(options);
    options.value("--data", model.data, "data set; default: the one the file names");
    options.value("--data-root", root, "folder of the set's files, or auto; unset: BKD_DATA, else auto");
    options.choice("--split", model.split, {"train", "test"}, "which part, whole");
    options.value("--batch", model.batch_size, 1, 65536, "images a batch; the result does not depend on it");
    options.value("--network", network, "network of a file that does not say it");
    options.value("--classifier", classifier, "linear or cosine, likewise");
    options.value("--mean", mean, "per channel, of values in 0..1, likewise");
    options.value("--std", deviation, "per channel, likewise");
    options.flag("--per-class", parts.per_class, "a line for every class");
    options.flag("--confusion", parts.confusion, "the confusion matrix of the last model");
    options.flag("--calibration", parts.calibration,
                 "the expected calibration error, and accuracy by confidence of the last model");
    options.value("--expect", expect,
                  "METRIC>=NUMBER of the last model (top1, top5, balanced): exit code 1 if it is missed");
    options.value("--predictions", predictions, "file for the last model's classes, one byte each");
    options.value("--logits", logits, "file for the last model's logits, f32, row-major");
    options.flag("--json", as_json, "the result as one JSON document");
    if (!options.parse(arguments)) return 0;

    // Refused before the work, not after it.
    if (!expect.empty()) meets({.top5 = 0.0}, expect);
    for (const std::string& result : {predictions, logits})
        if (!result.empty()) {
            for (const std::string& input : models) check_not_input(result, input);
            check_place(result, Overwrite::no);
        }
    if (!predictions.empty() && predictions == logits)
        throw InputError({.id = 208,
                          .what = "--predictions and --logits name one file",
                          .at = "option --logits",
                          .try_ = "two names"});
    model.data_root = root.empty() ? data_root_of_environment() : root;
    model.device = machine.chosen_device();
    model.threads = machine.chosen_threads();
    model.keeps_logits = !predictions.empty() || !logits.empty();
    if (!network.empty()) model.network = network;
    if (!classifier.empty()) model.classifier = classifier;
    if (!mean.empty()) model.mean = parse_numbers("--mean", mean);
    if (!deviation.empty()) model.deviation = parse_numbers("--std", deviation);

    std::vector<EvaluatedModel> evaluated;
    for (const std::string& path : models) {
        model.model = path;
        evaluated.push_back({path, evaluate_model(model)});
        for (const std::string& warning : evaluated.back().result.warnings) say("warning: {}\n", warning);
    }
    if (as_json)
        fmt::print("{}\n", eval_json(evaluated, model.split).dump());
    else
        print_eval(stdout, evaluated, model.split, parts);

    const ModelEvaluation& last = evaluated.back().result;
    const std::vector<float>& z = last.evaluation.logits;
    if (!logits.empty()) write_file_atomically(logits, std::as_bytes(std::span(z)), Overwrite::no);
    if (!predictions.empty()) {
        const auto classes = static_cast<std::ptrdiff_t>(last.class_names.size());
        std::vector<std::uint8_t> best;
        for (auto row = z.begin(); row != z.end(); row += classes)
            best.push_back(static_cast<std::uint8_t>(std::max_element(row, row + classes) - row));
        write_file_atomically(predictions, std::as_bytes(std::span(best)), Overwrite::no);
    }
    return expect.empty() || meets(last.evaluation.metrics, expect) ? 0 : 1;
}

}
