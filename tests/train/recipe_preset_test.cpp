// Every difference between paper and public code, as the presets resolve it.
#include "tests/train/recipe_fixture.h"

#include "train/recipe_preset.h"

#include <fmt/format.h>

#include <set>

using namespace bkd;
using bkd::test::RecipeFolder;

namespace {

// The value of `key` under a preset, and where it came from.
std::pair<std::string, std::string> resolved(const std::string& preset, const std::string& data,
                                             const std::string& method, const std::string& key) {
    const RecipeFolder folder;
    const Recipe recipe = folder.load(
        fmt::format("preset = \"{}\"\ndata.name = \"{}\"\nmodel.name = \"resnet32\"\nmethod.name = \"{}\"\n", preset,
                    data, method));
    return {value_text(recipe.find(key)->value), recipe.find(key)->provenance};
}

std::string value(const std::string& preset, const std::string& data, const std::string& method,
                  const std::string& key) {
    return resolved(preset, data, method, key).first;
}

}

TEST_CASE("each option has the value of its preset") {
    struct Row {
        const char *key, *data, *method, *paper, *code;
    };
    const std::vector<Row> rows = {
        {"mixup.alpha", "cifar10", "bkd", "1.0", "0.0"},
        {"mixup.alpha", "cifar10_lt100", "bkd", "1.0", "0.0"},
        {"mixup.alpha", "cifar100", "bkd", "1.0", "0.0"},
        {"mixup.alpha", "imagenet_lt", "bkd", "0.2", "0.0"},
        {"mixup.alpha", "inaturalist2018", "bkd", "0.2", "0.0"},
        {"mixup.alpha", "places_lt", "bkd", "0.2", "0.0"},
        {"mixup.alpha", "ag_news", "bkd", "0.0", "0.0"},
        {"mixup.alpha", "cifar10", "mixup", "1.0", "1.0"},
        {"mixup.alpha", "cifar10", "kd", "0.0", "0.0"},
        {"mixup.alpha", "cifar10", "ce", "0.0", "0.0"},
        {"mixup.alpha", "cifar10", "cb", "0.0", "0.0"},
        {"mixup.teacher_input", "cifar10", "bkd", "\"mixed\"", "\"mixed\""},
        {"kd.ce_class_weights", "cifar10", "kd", "\"none\"", "\"en\""},
        {"kd.ce_class_weights", "cifar10", "bkd", "\"none\"", "\"none\""},
        {"cb.reduction", "cifar10", "cb", "\"weighted_mean\"", "\"weighted_mean\""},
        {"weights.normalize", "cifar10", "bkd", "\"sum_c\"", "\"sum_c\""},
        {"weights.defer_until", "cifar10", "bkd", "160", "160"},
        {"weights.defer_until", "cifar10_lt100", "bkd", "160", "160"},
        {"weights.defer_until", "cifar100", "bkd", "0", "0"},
        {"weights.defer_until", "imagenet_lt", "bkd", "0", "0"},
        {"weights.defer_until", "cifar10", "kd", "0", "160"},
        {"weights.defer_until", "cifar100", "kd", "0", "0"},
        {"weights.defer_until", "cifar10", "cb", "0", "0"},
        {"bkd.form", "cifar10", "bkd", "\"eq8\"", "\"eq8\""},
        {"bkd.target_math", "cifar10", "bkd", "\"log_domain\"", "\"product\""},
        {"optim.weight_decay", "cifar10", "ce", "0.0002", "0.0002"},
        {"optim.weight_decay", "imagenet_lt", "ce", "0.0005", "0.0005"},
        {"optim.weight_decay", "inaturalist2018", "ce", "0.0001", "0.0001"},
        {"schedule.warmup_epochs", "cifar100", "bkd", "5.0", "5.0"},
        {"schedule.warmup_epochs", "imagenet_lt", "bkd", "0.0", "0.0"},
        {"teacher.checkpoint", "cifar10", "bkd", "\"last\"", "\"last\""},
        {"teacher.mode", "cifar10", "bkd", "\"eval\"", "\"eval\""},
        {"batch.drop_last", "cifar10", "bkd", "false", "false"},
        {"batch.drop_last", "imagenet_lt", "bkd", "true", "true"},
        {"schedule.cosine_offset", "imagenet_lt", "bkd", "0", "0"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.key);
        CAPTURE(row.data);
        CAPTURE(row.method);
        CHECK(value("paper", row.data, row.method, row.key) == row.paper);
        CHECK(value("code", row.data, row.method, row.key) == row.code);
    }
}

TEST_CASE("a preset's value says so and whose it is, and any explicit value replaces it") {
    CHECK(resolved("paper", "cifar10", "bkd", "mixup.alpha").second == "preset paper (D1, D2)");
    CHECK(resolved("code", "cifar10", "bkd", "bkd.target_math").second == "preset code (D20)");
    const RecipeFolder folder;
    const std::string text =
        "preset = \"code\"\ndata.name = \"cifar10\"\nmodel.name = \"resnet32\"\nmethod.name = \"bkd\"\n";
    const Recipe recipe = folder.load(text + "mixup.alpha = 0.4\n", {"weights.defer_until=16"});
    CHECK(recipe.number("mixup.alpha") == 0.4);
    CHECK(recipe.integer("weights.defer_until") == 16);
    CHECK(folder.load(text, {"preset=paper"}).number("mixup.alpha") == 1.0);
    CHECK(folder.load(text, {"preset=paper", "method.name=ce"}).number("mixup.alpha") == 0.0);
}

TEST_CASE("the presets differ in mixup, in the baseline KD and in arithmetic, and in nothing else") {
    std::set<std::string> differing;
    for (const char* data : {"cifar10", "cifar100", "fashion_mnist", "imagenet_lt", "ag_news"})
        for (const char* method : {"ce", "kd", "mixup", "cb", "bkd"}) {
            const RecipeFolder folder;
            const std::string text =
                fmt::format("data.name = \"{}\"\nmodel.name = \"resnet32\"\nmethod.name = \"{}\"\n", data, method);
            const Recipe paper = folder.load(text, {"preset=paper"}), code = folder.load(text, {"preset=code"});
            for (const auto& [path, leaf] : paper.leaves())
                if (value_text(leaf.value) != value_text(code.find(path)->value)) differing.insert(path);
        }
    CHECK(differing == std::set<std::string>{"bkd.target_math", "kd.ce_class_weights", "mixup.alpha", "preset",
                                             "weights.defer_until"});
}
