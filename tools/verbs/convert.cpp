// bkd convert IN OUT --network N: PyTorch's weights as a model file that says what it is.
#include "engine/file.h"
#include "tools/options.h"
#include "tools/terminal.h"
#include "tools/version.h"
#include "train/import_model.h"
#include "train/run_folder.h"

#include <fmt/format.h>

#include <cstdio>

namespace bkd {

int run_convert(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    ImportModel import;
    std::string root, mean, deviation;
    bool force = false;
    Options options(
        "convert",
        "Turns a safetensors file under PyTorch's names into a model file: every tensor is held against the network, "
        "a\n"
        "\"module.\" prefix is taken off, and the network, classes and normalisation are written into the file.",
        {"bkd convert resnet20.safetensors out.safetensors --network resnet20 --data cifar10",
         "bkd convert cosine.safetensors out.safetensors --network resnet32 --classifier cosine"});
    options.words("IN OUT", words, 2, 2, "the file to read and the one to write");
    options.value("--network", import.network, "network of models/list.inc; default: what the file says");
    options.value("--classifier", import.classifier, "linear or cosine; default: what the file says or shows");
    options.value("--data", import.data, "data set whose class names and normalisation the file gets");
    options.value("--data-root", root, "folder of the set's files, or auto: the size of their images is written");
    options.value("--mean", mean, "per channel, of values in 0..1, written in place of the set's own");
    options.value("--std", deviation, "per channel, likewise");
    options.flag("--force", force, "overwrite OUT");
    if (!options.parse(arguments)) return 0;
    if (!root.empty() && import.data.empty())
        throw InputError({.id = 206,
                          .what = "--data-root needs --data, the set that lies there",
                          .at = "option --data-root",
                          .try_ = "--data cifar10"});
    if ((!mean.empty() || !deviation.empty()) && import.data.empty())
        throw InputError({.id = 206,
                          .what = "--mean and --std need --data, the set whose images they are for",
                          .at = mean.empty() ? "option --std" : "option --mean",
                          .try_ = "--data cifar10"});
    if (!mean.empty()) import.mean = parse_numbers("--mean", mean);
    if (!deviation.empty()) import.deviation = parse_numbers("--std", deviation);
    check_not_input(words[1], words[0]);
    check_not_of_a_run(words[1]);
    import.data_root = root;
    import.from = words[0];
    import.to = words[1];
    import.commit = program_commit();
    import.overwrite = force ? Overwrite::yes : Overwrite::no;
    const ImportedModel result = import_model(import);
    for (const auto& [from, to] : result.renamed) fmt::print("{} -> {}\n", printable(from), printable(to));
    if (!import.data.empty() && !(import.mean && import.deviation))
        say("normalisation from {}: mean {}, std {}; if the model was trained with others: --mean, --std\n",
            import.data, fmt::join(result.normalisation.mean, ","), fmt::join(result.normalisation.deviation, ","));
    fmt::print("{}: {} tensors, {} parameters of {}\n", words[1], result.tensors, result.parameters, result.network);
    return 0;
}

}
