// bkd train RECIPE [key=value ...] | --resume RUN: all stages of a recipe, in a run folder.
#include "engine/file.h"
#include "tools/narrators.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "tools/signals.h"
#include "tools/terminal.h"
#include "tools/version.h"
#include "train/train_run.h"

#include <unistd.h>

#include <cstdio>
#include <span>

namespace bkd {
namespace {

// An option and an override of the same key must agree.
void check_said_once(const std::vector<RecipeSetting>& options, const std::vector<std::string>& overrides) {
    for (const RecipeSetting& option : options)
        for (const std::string& text : overrides) {
            if (!text.starts_with(option.path + "=")) continue;
            std::string value = text.substr(option.path.size() + 1);
            const bool is_quoted =
                value.size() >= 2 && value.front() == value.back() && (value.front() == '"' || value.front() == '\'');
            if (is_quoted) value = value.substr(1, value.size() - 2);
            if (value == option.value) continue;
            throw InputError({.id = 204,
                              .what = fmt::format("{} is given twice: \"{}\" and \"{}\"", option.path,
                                                  printable(option.value), printable(value)),
                              .at = fmt::format("{} and override \"{}\"", option.origin, printable(text)),
                              .try_ = "one of the two"});
        }
}

// The recipe on made data: as it is but for what decides how long it takes.
void make_smoke(RecipeOptions& recipes, const RecipeWords& words) {
    const Recipe recipe = load_recipe(words.recipe, words.overrides, recipes);
    const auto set = [&](const char* key, const char* value) {
        recipes.options.push_back({key, value, "option --smoke"});
    };
    set("data.name", "synthetic");
    if (recipe.text("data.imbalance") != "none") set("data.imbalance_ratio", "4");
    set("batch.size", "32");
    set("train.epochs", "2");
    set("schedule.warmup_epochs", "0.5");
    set("log.every", "5");
}

}

int run_train(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    std::string resume, from, allow, name, folder, progress = "auto";
    std::optional<std::int64_t> seed;
    bool is_smoke = false, is_verbose = false;
    Options options(
        "train",
        "Runs all stages of a recipe (teacher, then student) in a folder of its own: log, checkpoints, models. Prints "
        "the\n"
        "folder. RECIPE is an installed recipe's name or a .toml file; key=value overrides come after it.",
        {"bkd train fashion_mnist_lt_100_bkd --seed 2", "bkd train cifar10_lt_100_resnet8_bkd data.root=../shared/data",
         "bkd train --resume runs/fashion_mnist_lt_100_bkd-s1"});
    options.words("RECIPE", words, 0, Options::any_number, "a recipe, then key=value overrides");
    options.takes_overrides();
    machine.add_to(options);
    options.value("--resume", resume, "a run's folder: continue from its newest whole checkpoint");
    options.value("--from", from, "with --resume: this checkpoint instead; later ones are set aside");
    options.value("--allow", allow,
                  "with --resume: keys that may change though they decide results, separated by commas");
    options.value("--seed", seed, 0, INT64_MAX, "of everything random but the subset; the same as run.seed=N");
    options.value("--name", name, "of the run; default <recipe>-s<seed>");
    options.value("--run-dir", folder, "folder that holds runs; the same as run.dir");
    options.flag("--smoke", is_smoke, "on made data, for two epochs: whether a recipe runs, in seconds");
    options.choice("--progress", progress, {"auto", "bar", "lines", "none"}, "how progress is shown on standard error");
    options.flag("-v,--verbose", is_verbose, "also notes: an override that replaces another");
    if (!options.parse(arguments)) return 0;

    const RecipeWords split = split_overrides(words);
    RunOptions run{.device = machine.chosen_device(),
                   .threads = machine.chosen_threads(),
                   .version = program_version(),
                   .commit = program_commit(),
                   .command = arguments,
                   .recipes = recipe_options(),
                   .stop_signal = stop_signal,
                   .wants_checkpoint = takes_checkpoint_wish,
                   .allowed_changes = split_at_commas(allow),
                   .from = from};
    run.command.insert(run.command.begin(), {"bkd", "train"});
    for (const auto& [key, value, option] :
         {std::tuple{"run.seed", seed ? fmt::format("{}", *seed) : std::string(), "option --seed"},
          {"run.name", name, "option --name"},
          {"run.dir", folder, "option --run-dir"}})
        if (!value.empty()) run.recipes.options.push_back({key, value, option});

    std::unique_ptr<Narrator> narrator = make_narrator(progress);
    watch_stop_signals();
    RunResult result;
    if (!resume.empty()) {
        if (is_smoke)
            throw InputError({.id = 208,
                              .what = "--smoke has no effect beside --resume",
                              .at = "option --smoke",
                              .try_ = "bkd train RECIPE --smoke"});
        if (!split.recipe.empty())
            throw InputError(
                {.id = 205,
                 .what = fmt::format("--resume takes its recipe from the run, got \"{}\"", printable(split.recipe)),
                 .try_ = "bkd train --resume RUN [key=value]"});
        if (!run.recipes.options.empty())
            throw InputError({.id = 208,
                              .what = fmt::format("--resume goes on with the run as it is: its {} cannot change",
                                                  run.recipes.options.front().path),
                              .at = run.recipes.options.front().origin,
                              .try_ = "bkd train --resume RUN [key=value]"});
        result = resume_run(resume, split.overrides, run, *narrator);
    } else {
        for (const auto& [option, value] : {std::pair{"--from", &from}, {"--allow", &allow}})
            if (!value->empty())
                throw InputError({.id = 208,
                                  .what = fmt::format("{} has no effect without --resume", option),
                                  .at = fmt::format("option {}", option),
                                  .try_ = "bkd train --resume RUN"});
        if (split.recipe.empty())
            throw InputError(
                {.id = 206, .what = "bkd train needs a recipe", .try_ = "bkd train RECIPE [key=value ...]"});
        if (is_smoke) make_smoke(run.recipes, split);
        check_said_once(run.recipes.options, split.overrides);
        const Recipe recipe = load_recipe(split.recipe, split.overrides, run.recipes);
        if (is_verbose)
            for (const std::string& note : recipe.notes) say("note: {}\n", note);
        result = train_run(recipe, run, *narrator);
    }
    narrator.reset();  // a bar is cleared
    if (result.state == RunResult::State::stopped) end_by_stop_signal();
    const std::string line = result.folder.string() + "\n";
    if (!write_all({}, STDOUT_FILENO, std::as_bytes(std::span(line))))  // the run is whole all the same
        say("warning: standard output takes nothing; the run is {}\n", printable(result.folder.string()));
    return 0;
}

}
