// bkd convert IN OUT --network N: PyTorch's weights as a model file that says what it is. Nothing of IN runs.
#include "engine/file.h"
#include "tools/options.h"
#include "tools/terminal.h"
#include "tools/version.h"
#include "train/import_model.h"
#include "train/run_folder.h"

#include <fmt/format.h>

#include <cstdio>

namespace bkd {

namespace {

// "from=to" of each part between commas.
std::vector<std::pair<std::string, std::string>> parse_renames(const std::string& text) {
    std::vector<std::pair<std::string, std::string>> renames;
    for (const std::string& part : split_at_commas(text)) {
        const std::size_t sign = part.find('=');
        if (sign == std::string::npos || sign == 0 || sign + 1 == part.size())
            throw InputError({.id = 203,
                              .what = fmt::format("--rename takes FROM=TO, got \"{}\"", printable(part)),
                              .at = "option --rename",
                              .try_ = "--rename 'head.*=fc.*'"});
        renames.emplace_back(part.substr(0, sign), part.substr(sign + 1));
    }
    return renames;
}

// What was read otherwise than it stands there.
void narrate(const ImportedModel& result) {
    if (const auto& pth = result.pth) {
        if (!pth->key.empty()) say("state dict: \"{}\" of the checkpoint\n", printable(pth->key));
        if (pth->others > 0) say("{} entries of it are no tensors\n", pth->others);
        if (pth->unchecked > 0) say("warning: {} tensors have no checksum in the file\n", pth->unchecked);
        if (!pth->unknown_globals.empty())
            say("warning: the file would run code in other loaders: it asks for {}\n", listed(pth->unknown_globals));
    }
    if (result.widened > 0) say("{} tensors of F16, BF16 or F64 are F32 now\n", result.widened);
}

void print_names(const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) fmt::print("{} {}: {}\n", what, names.size(), listed(names));
}

}

int run_convert(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    ImportModel import;
    std::string root, mean, deviation, may_miss, drop, rename;
    bool force = false;
    Options options(
        "convert",
        "Turns PyTorch's weights (a .pth of torch.save's, of which nothing runs, or safetensors) into a model file:\n"
        "each tensor is held against the network; network, classes and normalisation are written into the file.",
        {"bkd convert resnet20.safetensors out.safetensors --network resnet20 --data cifar10",
         "bkd convert resnet152.pth out.safetensors --network resnet152",
         "bkd convert ckpt.pth.tar out.safetensors --network resnet32 --key state_dict",
         "bkd convert moco.pth out.safetensors --network resnet50 --rename 'encoder.*=*' --allow-missing 'fc.*'"});
    options.words("IN OUT", words, 2, 2, "the file to read and the one to write");
    options.value("--network", import.network, "network of models/list.inc; default: what the file says");
    options.value("--classifier", import.classifier, "linear or cosine; default: what the file says or shows");
    options.value("--data", import.data, "data set whose class names and normalisation the file gets");
    options.value("--data-root", root, "folder of the set's files, or auto: the size of their images is written");
    options.value("--mean", mean, "per channel, of values in 0..1, written in place of the set's own");
    options.value("--std", deviation, "per channel, likewise");
    options.value("--key", import.pth.key,
                  "of the state dict in a checkpoint; default: state_dict, model and the like");
    options.flag("--skip-unknown-globals", import.pth.skip_unknown_globals,
                 "pass over values of classes that are not read");
    options.value("--rename", rename, "FROM=TO,...: other names; * stands for any characters");
    options.value("--drop", drop, "NAMES,...: tensors of the file that are left out");
    options.value("--allow-missing", may_miss, "NAMES,...: tensors of the network that it need not have");
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
    import.rename = parse_renames(rename);
    import.drop = split_at_commas(drop);
    import.may_miss = split_at_commas(may_miss);
    import.data_root = root;
    import.from = words[0];
    import.to = words[1];
    import.commit = program_commit();
    import.overwrite = force ? Overwrite::yes : Overwrite::no;
    const ImportedModel result = import_model(import);
    narrate(result);
    if (!result.prefix.empty()) fmt::print("\"{}\" taken off every name\n", printable(result.prefix));
    for (const auto& [from, to] : result.renamed) fmt::print("{} -> {}\n", printable(from), printable(to));
    if (!import.data.empty() && !(import.mean && import.deviation))
        say("normalisation from {}: mean {}, std {}; if the model was trained with others: --mean, --std\n",
            import.data, fmt::join(result.normalisation.mean, ","), fmt::join(result.normalisation.deviation, ","));
    print_names("dropped", result.dropped);
    if (!result.missing.empty()) say("training starts from such a file with model.init_fresh; nothing else takes it\n");
    print_names("missing", result.missing);
    fmt::print("matched {} of {}\n", result.matched, result.expected);
    fmt::print("{}: {} tensors, {} parameters of {}\n", words[1], result.tensors, result.parameters, result.network);
    return 0;
}

}
