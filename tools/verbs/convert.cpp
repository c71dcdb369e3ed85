// bkd convert IN OUT --network N: PyTorch's weights as a model file that says what it is.
#include "tools/options.h"
#include "tools/version.h"
#include "train/import_model.h"

#include <cstdio>

namespace bkd {

int run_convert(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    ImportModel import;
    std::string root;
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
    options.flag("--force", force, "overwrite OUT");
    if (!options.parse(arguments)) return 0;
    if (!root.empty() && import.data.empty())
        throw InputError({.id = 206,
                          .what = "--data-root needs --data, the set that lies there",
                          .at = "option --data-root",
                          .try_ = "--data cifar10"});
    import.data_root = root;
    import.from = words[0];
    import.to = words[1];
    import.commit = program_commit();
    import.overwrite = force ? Overwrite::yes : Overwrite::no;
    const ImportedModel result = import_model(import);
    for (const auto& [from, to] : result.renamed) fmt::print("{} -> {}\n", printable(from), printable(to));
    fmt::print("{}: {} tensors, {} parameters of {}\n", words[1], result.tensors, result.parameters, result.network);
    return 0;
}

}
