// bkd inspect FILE [TENSOR]: what a model file, checkpoint, golden file or recipe holds. Values are read only when a
// tensor is named.
#include "engine/json.h"
#include "engine/model_file.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "train/recipe.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bkd {
namespace {

void print_tensors(const SafeTensors& file) {
    std::int64_t numbers = 0;
    std::vector<const StoredTensor*> in_file_order;
    for (const StoredTensor& t : file.tensors) in_file_order.push_back(&t);
    std::sort(in_file_order.begin(), in_file_order.end(),
              [](const auto* a, const auto* b) { return a->name < b->name; });
    for (const StoredTensor* t : in_file_order) {
        fmt::print("{:<48} {:<5} {:<20} {:>10} bytes\n", printable(t->name), name_of(t->type), shape_text(t->shape),
                   t->end - t->begin);
        std::int64_t count = 1;
        for (const std::int64_t extent : t->shape) count *= extent;
        numbers += count;
    }
    fmt::print("{} tensors, {} numbers, {} bytes of data\n", file.tensors.size(), numbers, file.data.size());
}

void print_tensor(const SafeTensors& file, const std::string& name) {
    const StoredTensor& t = file.at(name);
    if (t.type != ElementType::f32)
        throw InputError({.id = 409,
                          .what = fmt::format("values of {} tensors are not shown", name_of(t.type)),
                          .at = file.place(t)});
    const std::vector<float> values = file.values<float>(t);
    double sum = 0, square = 0;
    std::int64_t nonfinite = 0;
    float low = INFINITY, high = -INFINITY;
    for (const float v : values) {
        if (!std::isfinite(v)) {
            ++nonfinite;
            continue;
        }
        sum += v;
        square += static_cast<double>(v) * v;
        low = std::min(low, v);
        high = std::max(high, v);
    }
    const double n = static_cast<double>(std::max<std::size_t>(values.size(), 1));
    fmt::print("{} {} {}\n", printable(t.name), name_of(t.type), shape_text(t.shape));
    fmt::print("norm {:.6g}  mean {:.6g}  deviation {:.6g}  min {:.6g}  max {:.6g}  not finite {}\n", std::sqrt(square),
               sum / n, std::sqrt(std::max(0.0, square / n - sum / n * sum / n)), low, high, nonfinite);
    fmt::print("first:");
    for (std::size_t i = 0; i < std::min<std::size_t>(values.size(), 8); ++i) fmt::print(" {:.7g}", values[i]);
    fmt::print("\n");
}

}

int run_inspect(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    bool as_json = false;
    Options options(
        "inspect",
        "What a model file, checkpoint or golden file holds; of a recipe, every value and where it came from.",
        {"bkd inspect student.last.safetensors", "bkd inspect student.last.safetensors layer1.0.conv1.weight",
         "bkd inspect cifar10_lt_100_bkd optim.lr=0.05"});
    options.words("FILE", words, 1, "a .safetensors or .ckpt file and possibly a tensor, or a recipe and overrides");
    options.flag("--json", as_json, "names, dtypes and shapes as one JSON document");
    if (!options.parse(arguments)) return 0;
    const std::string& path = words[0];
    if (!path.ends_with(".safetensors") && !path.ends_with(".ckpt")) {
        const RecipeWords split = split_overrides(words);
        if (split.rest.size() != 1)
            throw InputError({.id = 206,
                              .what = fmt::format("bkd inspect needs one file or recipe, got {}", split.rest.size()),
                              .try_ = "bkd inspect RECIPE [key=value ...]"});
        fmt::print("{}", load_recipe(split.rest[0], split.overrides, {.folders = recipe_folders()}).print());
        return 0;
    }
    const SafeTensors file = read_safetensors(path);
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
    } else if (words.size() > 1) {
        print_tensor(file, words[1]);
    } else {
        for (const auto& [key, value] : file.metadata) fmt::print("{}: {}\n", printable(key), printable(value));
        print_tensors(file);
    }
    return 0;
}

}
