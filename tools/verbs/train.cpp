// bkd train RECIPE [key=value ...] | --resume RUN: all stages of a recipe, in a run folder.
#include "data/dataset.h"
#include "models/network.h"
#include "tools/narrators.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "tools/version.h"
#include "train/method.h"
#include "train/train_run.h"

#include <cstdio>
#include <cstdlib>

namespace bkd {
namespace {

RecipeOptions recipe_options() {
    RecipeOptions options{.folders = recipe_folders()};
    for (const DatasetEntry& entry : datasets()) options.names.data_sets.emplace_back(entry.name);
    for (const NetworkEntry& entry : network_list()) options.names.networks.emplace_back(entry.name);
    for (const MethodEntry& entry : method_list()) options.names.methods.emplace_back(entry.name);
    if (const char* data = std::getenv("BKD_DATA"); data != nullptr)
        options.environment.push_back({"data.root", data, "env BKD_DATA"});
    if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr)
        options.user_file = std::filesystem::path(folder) / "bkd/config.toml";
    return options;
}

}

int run_train(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    std::string resume, seed, name, folder, progress = "auto";
    Options options(
        "train",
        "Runs all stages of a recipe (teacher, then student) in a folder of its own: log, checkpoints, models. Prints "
        "the\n"
        "folder. RECIPE is an installed recipe's name or a .toml file; key=value overrides come after it.",
        {"bkd train fashion_mnist_lt_100_bkd --seed 2", "bkd train cifar10_lt_100_resnet8_bkd data.root=../shared/data",
         "bkd train --resume runs/fashion_mnist_lt_100_bkd-s1"});
    options.words("RECIPE", words, 0, "a recipe, then key=value overrides");
    machine.add_to(options);
    options.value("--resume", resume, "a run's folder: continue from its newest whole checkpoint");
    options.value("--seed", seed, "of everything random but the subset; the same as run.seed=N");
    options.value("--name", name, "of the run; default <recipe>-s<seed>");
    options.value("--run-dir", folder, "folder that holds runs; the same as run.dir");
    options.choice("--progress", progress, {"auto", "bar", "lines", "none"}, "how progress is shown on standard error");
    if (!options.parse(arguments)) return 0;

    const RecipeWords split = split_overrides(words);
    RunOptions run{.device = machine.chosen_device(),
                   .threads = static_cast<int>(machine.threads),
                   .version = program_version(),
                   .commit = program_commit(),
                   .command = arguments,
                   .recipes = recipe_options()};
    run.command.insert(run.command.begin(), {"bkd", "train"});
    for (const auto& [key, value, option] : {std::tuple{"run.seed", seed, "option --seed"},
                                             {"run.name", name, "option --name"},
                                             {"run.dir", folder, "option --run-dir"}})
        if (!value.empty()) run.recipes.options.push_back({key, value, option});

    const std::unique_ptr<Narrator> narrator = make_narrator(progress);
    RunResult result;
    if (!resume.empty()) {
        if (!split.rest.empty())
            throw InputError(
                {.id = 205,
                 .what = fmt::format("--resume takes its recipe from the run, got \"{}\"", printable(split.rest[0])),
                 .try_ = "bkd train --resume RUN [key=value]"});
        result = resume_run(resume, split.overrides, run, *narrator);
    } else {
        if (split.rest.size() != 1)
            throw InputError({.id = 206,
                              .what = fmt::format("bkd train needs one recipe, got {}", split.rest.size()),
                              .try_ = "bkd train RECIPE [key=value ...]"});
        result = train_run(load_recipe(split.rest[0], split.overrides, run.recipes), run, *narrator);
    }
    if (result.state == RunResult::State::nothing_to_do) fmt::print(stderr, "nothing to do: the run is finished\n");
    fmt::print("{}\n", result.folder.string());
    return 0;
}

}
