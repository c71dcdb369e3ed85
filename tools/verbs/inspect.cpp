// bkd inspect FILE [TENSOR] | RECIPE [key=value ...] [--tape] | RUN --omega --teacher-probs --gradients-by-class: what
// a model file, checkpoint, golden file, recipe or run holds. Values of a file are read only when a tensor is named.
#include "tools/inspect/inspect.h"
#include "engine/file_type.h"
#include "engine/model_file.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "tools/terminal.h"

#include <algorithm>
#include <cstdio>

namespace bkd {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_folder(const std::string& path) {
    const bool is_run = fs::exists(fs::path(path) / "run.json");
    throw InputError(
        {.id = 503,
         .what = fmt::format("{} is a folder{}", printable(path), is_run ? ", of a run" : ""),
         .try_ =
             is_run ? fmt::format(
                          "a file in it: {0}/recipe.toml, or those in {0}/models; its classes: bkd inspect {0} --omega "
                          "--teacher-probs --gradients-by-class",
                          printable(path))
                    : "bkd inspect FILE"});
}

// Whether the words name a recipe, not a file of tensors. A file that is there is judged by its first bytes, unless its
// name says what it is meant to be: then the reader of such files has the better message.
bool names_recipe(const std::string& path) {
    const bool is_named_as_tensors = path.ends_with(".safetensors") || path.ends_with(".ckpt");
    std::error_code error;
    if (is_named_as_tensors || path.ends_with(".toml") || !fs::exists(path, error)) return !is_named_as_tensors;
    if (fs::is_directory(path, error)) {
        const auto recipes = installed_recipes(recipe_folders());
        if (std::ranges::find(recipes, path, &InstalledRecipe::name) != recipes.end()) return true;
        refuse_folder(path);
    }
    const FileSystem system;
    const InputFile file(path, {}, system);
    const std::vector<std::byte> first = file.read(0, std::min<std::uint64_t>(file.size(), recognised_bytes));
    if (is_zip(first) || (first.size() > 8 && first[8] == std::byte{'{'})) return false;
    const std::optional<FileType> type = recognised_type(first);
    if (type && type->is_text) return true;
    throw InputError(
        {.id = 429,
         .what = type ? fmt::format("this is {}", type->name) : "this is no file that bkd inspects",
         .at = printable(path),
         .why = "model files, checkpoints and golden files are safetensors or PyTorch's ZIP archives; a recipe is text",
         .try_ = type ? std::string(type->advice) : std::string()});
}

Recipe recipe_of(const std::vector<std::string>& words, bool is_verbose) {
    const RecipeWords split = split_overrides(words);
    if (split.recipe.empty())
        throw InputError({.id = 206,
                          .what = "bkd inspect needs a file or a recipe, got overrides alone",
                          .try_ = "bkd inspect RECIPE [key=value ...]"});
    // A file whose name has neither '/' nor ".toml" would be taken for an installed recipe's name.
    std::error_code error;
    const std::string& named = split.recipe;
    const bool is_plain_name = named.find('/') == std::string::npos && !named.ends_with(".toml");
    const std::string name = is_plain_name && fs::is_regular_file(named, error) ? "./" + named : named;
    Recipe recipe = load_recipe(name, split.overrides, recipe_options());
    for (const std::string& warning : recipe.warnings) say("warning: {}\n", warning);
    if (is_verbose)
        for (const std::string& note : recipe.notes) say("note: {}\n", note);
    return recipe;
}

void refuse_words(const std::vector<std::string>& words, std::size_t most, const char* takes, const char* usage) {
    if (words.size() <= most) return;
    throw InputError({.id = 207,
                      .what = fmt::format("bkd inspect takes {}: \"{}\" is too much", takes, printable(words[most])),
                      .try_ = usage});
}

}

int run_inspect(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    std::string data_root;
    RunTables tables;
    bool as_json = false, is_verbose = false, tape = false;
    Options options(
        "inspect",
        "What a model file, checkpoint or golden file holds; of a recipe, every value and where it came from, or each\n"
        "launch of a training step; of a run, what its loss and models do to each class.",
        {"bkd inspect student.last.safetensors", "bkd inspect student.last.safetensors layer1.0.conv1.weight",
         "bkd inspect cifar10_lt_100_bkd optim.lr=0.05", "bkd inspect cifar10_lt_100_bkd --tape",
         "bkd inspect runs/a --omega --teacher-probs --gradients-by-class"});
    options.words("FILE", words, 1, Options::any_number,
                  "a safetensors or .pth file and possibly a tensor, a recipe and overrides, or a run");
    options.takes_overrides();
    options.flag("--tape", tape, "of a recipe: the launches of one step of each stage; none is executed");
    options.flag("--omega", tables.omega, "of a run: class weights, beside those of other laws");
    options.flag("--teacher-probs", tables.teacher_probs,
                 "of a run: mean probabilities of teacher, weighted teacher, student");
    options.flag("--gradients-by-class", tables.gradients, "of a run: what the loss sends to each class's logit");
    machine.add_to(options);
    options.value("--data-root", data_root, "folder of the run's data; default: as the run has it");
    options.flag("--json", as_json, "the same as one JSON document");
    options.flag("-v,--verbose", is_verbose, "of a recipe also notes: an override that replaces another");
    options.only_in("RECIPE", {"--tape"});
    options.only_in("RUN --omega, --teacher-probs or --gradients-by-class",
                    {"--omega", "--teacher-probs", "--gradients-by-class", "--device", "--threads", "--data-root"});
    options.only_in({"RECIPE", "FILE"}, {"--verbose"});
    if (!options.parse(arguments)) return 0;
    if (tables.omega || tables.teacher_probs || tables.gradients) {
        options.check_mode("RUN --omega, --teacher-probs or --gradients-by-class");
        refuse_words(words, 1, "one run", "bkd inspect RUN --omega");
        const StudyOptions study{.device = machine.chosen_device(),
                                 .threads = machine.chosen_threads(),
                                 .recipes = recipe_options(),
                                 .data_root = data_root};
        inspect_run(read_run_record(words[0]), tables, study, as_json);
    } else if (names_recipe(words[0])) {
        options.check_mode("RECIPE");
        (tape ? inspect_tape : inspect_recipe)(recipe_of(words, is_verbose), as_json);
    } else {
        options.check_mode("FILE");
        refuse_words(words, 2, "a file and one tensor", "bkd inspect FILE [TENSOR]");
        const FileSystem system;
        const InputFile input(words[0], {}, system);
        const SafeTensors file =
            is_pth(input) ? read_pth(input, words[0], {}).tensors : read_safetensors(input, words[0]);
        if (words.size() == 2)
            inspect_tensor(file, words[1], as_json);
        else
            inspect_tensors(file, as_json);
    }
    return 0;
}

}
