// bkd inspect FILE [TENSOR]: what a model file, checkpoint, golden file or recipe holds. Values are read only when a
// tensor is named.
#include "engine/file_type.h"
#include "engine/json.h"
#include "engine/model_file.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "train/stage_recipe.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bkd {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_folder(const std::string& path) {
    const bool is_run = fs::exists(fs::path(path) / "run.json");
    throw InputError(
        {.id = 503,
         .what = fmt::format("{} is a folder{}", printable(path), is_run ? ", of a run" : ""),
         .try_ = is_run ? fmt::format("a file in it: {0}/recipe.toml, or those in {0}/models", printable(path))
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
    if (first.size() > 8 && first[8] == std::byte{'{'}) return false;
    const std::optional<FileType> type = recognised_type(first);
    if (type && type->is_text) return true;
    throw InputError({.id = 429,
                      .what = type ? fmt::format("this is {}", type->name) : "this is no file that bkd inspects",
                      .at = printable(path),
                      .why = "model files, checkpoints and golden files are safetensors; a recipe is text",
                      .try_ = type ? std::string(type->advice) : std::string()});
}

Json value_json(const Value& value) {
    return std::visit(
        [](const auto& v) -> Json {
            if constexpr (requires { Json(v); })
                return Json(v);
            else
                return Json::array(v);
        },
        value);
}

Json recipe_json(const Recipe& recipe) {
    Json::Array values;
    for (const auto& [path, leaf] : recipe.leaves())
        values.push_back(Json::Object{{"key", path},
                                      {"value", value_json(leaf.value)},
                                      {"from", leaf.provenance},
                                      {"affects_results", leaf.key->effect == KeyEffect::result}});
    return Json::Object{{"schema", "bkd.recipe/1"},
                        {"name", recipe.name()},
                        {"config_hash", recipe.hash()},
                        {"values", values},
                        {"warnings", Json::array(recipe.warnings)}};
}

// Also refuses the names of networks, methods, data sets and stages that `train` would refuse.
void inspect_recipe(const std::vector<std::string>& words, bool as_json, bool is_verbose) {
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
    const Recipe recipe = load_recipe(name, split.overrides, recipe_options());
    const std::string text = as_json ? recipe_json(recipe).dump() + "\n" : recipe.print();
    complete_stages(*make_method(recipe.text("method.name"), {.recipe = recipe}), recipe);
    for (const std::string& warning : recipe.warnings) fmt::print(stderr, "warning: {}\n", warning);
    if (is_verbose)
        for (const std::string& note : recipe.notes) fmt::print(stderr, "note: {}\n", note);
    fmt::print("{}", text);
}

std::int64_t numbers_of(const StoredTensor& t) { return static_cast<std::int64_t>(t.end - t.begin) / size_of(t.type); }

void print_tensors(const SafeTensors& file) {
    std::int64_t numbers = 0;
    for (const StoredTensor& t : file.tensors) {  // by name
        fmt::print("{:<48} {:<5} {:<20} {:>10} bytes\n", printable(t.name), name_of(t.type), shape_text(t.shape),
                   t.end - t.begin);
        numbers += numbers_of(t);
    }
    fmt::print("{} tensors, {} numbers, {} bytes of data\n", file.tensors.size(), numbers, file.data.size());
}

struct TensorSummary {
    double norm = 0, mean = 0, deviation = 0;  // of the finite values
    float low = INFINITY, high = -INFINITY;
    std::int64_t nonfinite = 0;
    std::vector<float> first{};
};

TensorSummary summary_of(const std::vector<float>& values) {
    TensorSummary s{.first = {values.begin(), values.begin() + std::min<std::ptrdiff_t>(std::ssize(values), 8)}};
    double sum = 0, square = 0;
    for (const float v : values) {
        if (!std::isfinite(v)) {
            ++s.nonfinite;
            continue;
        }
        sum += v;
        square += static_cast<double>(v) * v;
        s.low = std::min(s.low, v);
        s.high = std::max(s.high, v);
    }
    const double n = static_cast<double>(std::max<std::int64_t>(std::ssize(values) - s.nonfinite, 1));
    s.norm = std::sqrt(square);
    s.mean = sum / n;
    s.deviation = std::sqrt(std::max(0.0, square / n - s.mean * s.mean));
    return s;
}

void inspect_tensor(const SafeTensors& file, const std::string& name, bool as_json) {
    const StoredTensor& t = file.at(name);
    if (t.type != ElementType::f32)
        throw InputError({.id = 409,
                          .what = fmt::format("values of {} tensors are not shown", name_of(t.type)),
                          .at = file.place(t)});
    const TensorSummary s = summary_of(file.values<float>(t));
    if (as_json) {
        fmt::print("{}\n", Json(Json::Object{{"schema", "bkd.inspect-tensor/1"},
                                             {"name", t.name},
                                             {"dtype", name_of(t.type)},
                                             {"shape", Json::array(t.shape)},
                                             {"norm", s.norm},
                                             {"mean", s.mean},
                                             {"deviation", s.deviation},
                                             {"min", s.low},
                                             {"max", s.high},
                                             {"nonfinite", s.nonfinite},
                                             {"first", Json::array(s.first)}})
                               .dump());
        return;
    }
    fmt::print("{} {} {}\n", printable(t.name), name_of(t.type), shape_text(t.shape));
    fmt::print("norm {:.6g}  mean {:.6g}  deviation {:.6g}  min {:.6g}  max {:.6g}  not finite {}\n", s.norm, s.mean,
               s.deviation, s.low, s.high, s.nonfinite);
    fmt::print("first:");
    for (const float v : s.first) fmt::print(" {:.7g}", v);
    fmt::print("\n");
}

void inspect_tensors(const SafeTensors& file, bool as_json) {
    if (as_json) {
        Json::Array tensors;
        for (const StoredTensor& t : file.tensors)
            tensors.push_back(
                Json::Object{{"name", t.name}, {"dtype", name_of(t.type)}, {"shape", Json::array(t.shape)}});
        Json::Object metadata;
        for (const auto& [key, value] : file.metadata) metadata.emplace_back(key, value);
        fmt::print(
            "{}\n",
            Json(Json::Object{{"schema", "bkd.inspect/1"}, {"metadata", metadata}, {"tensors", tensors}}).dump());
        return;
    }
    for (const auto& [key, value] : file.metadata) fmt::print("{}: {}\n", printable(key), printable(value));
    print_tensors(file);
}

}

int run_inspect(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    bool as_json = false, is_verbose = false;
    Options options(
        "inspect",
        "What a model file, checkpoint or golden file holds; of a recipe, every value and where it came from.",
        {"bkd inspect student.last.safetensors", "bkd inspect student.last.safetensors layer1.0.conv1.weight",
         "bkd inspect cifar10_lt_100_bkd optim.lr=0.05"});
    options.words("FILE", words, 1, Options::any_number,
                  "a safetensors file or checkpoint and possibly a tensor, or a recipe and overrides");
    options.takes_overrides();
    options.flag("--json", as_json, "the same as one JSON document");
    options.flag("-v,--verbose", is_verbose, "of a recipe also notes: an override that replaces another");
    if (!options.parse(arguments)) return 0;
    if (names_recipe(words[0])) {
        inspect_recipe(words, as_json, is_verbose);
        return 0;
    }
    if (words.size() > 2)
        throw InputError(
            {.id = 207,
             .what = fmt::format("bkd inspect takes a file and one tensor: \"{}\" is too much", printable(words[2])),
             .try_ = "bkd inspect FILE [TENSOR]"});
    const SafeTensors file = read_safetensors(words[0]);
    if (words.size() == 2)
        inspect_tensor(file, words[1], as_json);
    else
        inspect_tensors(file, as_json);
    return 0;
}

}
