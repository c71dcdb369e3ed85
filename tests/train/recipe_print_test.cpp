// Recipes as text and as a fingerprint, keys that nobody reads, and every recipe that is shipped.
#include "tests/train/recipe_fixture.h"
#include "train/recipe_check.h"

#include <fmt/format.h>

#include <map>

using namespace bkd;
using bkd::test::RecipeFolder;
using bkd::test::required_keys;

namespace {

const std::vector<std::filesystem::path> shipped = {std::filesystem::path(BKD_SOURCE_DIR) / "train/recipes"};

std::map<std::string, std::string> values(const Recipe& recipe) {
    std::map<std::string, std::string> texts;
    for (const auto& [path, leaf] : recipe.leaves()) texts[path] = value_text(leaf.value);
    return texts;
}

}

TEST_CASE("a printed recipe reads back to the identical values, whatever has been read before") {
    const RecipeFolder folder;
    const std::vector<std::string> overrides = {"run.name=a \"quoted\" \\ name",
                                                "stages.teacher.optim.lr=0.05",
                                                "stages.teacher.epochs=3",
                                                "stages.teacher.freeze=[\"conv1\", \"layer1\"]",
                                                "train.divergence.loss_above=1e3",
                                                "optim.weight_decay=3e-7",
                                                "weights.beta=0.1",
                                                "mixup.alpha=0"};
    const Recipe recipe = load_recipe("cifar10_lt_100_bkd", overrides, {.folders = shipped});
    const Recipe first = folder.load(recipe.print());
    CHECK(values(first) == values(recipe));
    CHECK(first.hash() == recipe.hash());
    CHECK(recipe.number("kd.weight") == 1.0);
    CHECK(recipe.boolean("optim.nesterov") == false);
    const std::string printed = recipe.print();
    CHECK(printed.find("\nweight = 1.0 ") != std::string::npos);
    CHECK(printed.find("# default") != std::string::npos);
    CHECK(printed.find("preset paper (D13)") != std::string::npos);
    CHECK(printed.find("override #6 \"optim.weight_decay=3e-7\"") != std::string::npos);
    const Recipe second = folder.load(printed);
    CHECK(values(second) == values(recipe));
    CHECK(second.hash() == recipe.hash());
}

TEST_CASE("the fingerprint follows what affects results and nothing else") {
    const RecipeFolder folder;
    const std::string hash = folder.load(required_keys).hash();
    CHECK(hash.size() == 64);
    CHECK(folder
              .load(required_keys,
                    {"data.root=/x", "run.name=x", "log.every=7", "train.workers=2", "checkpoint.keep_last=5"})
              .hash() == hash);
    CHECK(folder.load(required_keys, {"optim.lr=0.1"}).hash() == hash);
    for (const char* change :
         {"optim.lr=0.2", "run.seed=2", "preset=code", "stages.teacher.optim.lr=0.1", "eval.groups=[100, 10]"})
        CHECK(folder.load(required_keys, {change}).hash() != hash);
}

TEST_CASE("a value that is set and never read is an error with its place; defaults and output keys are not") {
    const RecipeFolder folder;
    const Recipe recipe = folder.load(required_keys + "[kd]\ntemperature = 3\n[log]\nevery = 5\n",
                                      {"optim.lr=0.2", "stages.teacher.optim.lr=0.3"});
    CHECK(recipe.for_stage("teacher").number("optim.lr") == 0.3);
    const std::vector<InputError> unused = recipe.unused_keys();
    REQUIRE(unused.size() == 1);
    CHECK(InputError(folder.shortened(unused[0].parts())).message() ==
          "error[E0305]: kd.temperature = 3.0 is set but has no effect\n"
          "  at:  exp.toml:4:1\n"
          "       temperature = 3\n"
          "       ^~~~~~~~~~~\n"
          "  why: method \"ce\" with these settings does not read it\n"
          "  try: remove it\n");
    CHECK_THROWS_AS(recipe.refuse_unused_keys(), RecipeErrors);
    CHECK(recipe.number("kd.temperature") == 3.0);
    CHECK_NOTHROW(recipe.refuse_unused_keys());
}

// paper: Table 1, 2
TEST_CASE("every shipped recipe loads without a warning, and its first line names the cell of the paper") {
    const std::map<std::string, std::vector<const char*>> cells = {
        // Tables 2 and 1: long-tailed, then step, of ratio 100, 50, 10.
        {"cifar10_ce", {"70.4", "74.8", "86.4", "63.1", "69.8", "84.7"}},
        {"cifar10_kd", {"70.7", "77.9", "87.5", "64.6", "70.0", "85.4"}},
        {"cifar10_mixup", {"71.4", "77.1", "86.6", "64.4", "70.1", "83.9"}},
        {"cifar10_cb", {"72.1", "77.7", "86.4", "61.0", "71.7", "85.2"}},
        {"cifar10_bkd", {"82.5", "85.1", "89.5", "80.9", "83.9", "89.5"}},
        {"cifar100_ce", {"38.3", "43.9", "55.7", "38.8", "40.3", "54.9"}},
        {"cifar100_kd", {"40.4", "45.5", "59.2", "39.3", "41.2", "56.5"}},
        {"cifar100_mixup", {"38.7", "43.6", "57.5", "38.3", "39.0", "51.1"}},
        {"cifar100_cb", {"32.7", "38.6", "54.9", "23.3", "29.5", "53.3"}},
        {"cifar100_bkd", {"46.5", "51.7", "62.0", "47.3", "52.2", "61.8"}}};
    const std::vector<InstalledRecipe> recipes = installed_recipes(shipped);
    std::map<std::string, std::string> about;
    for (const InstalledRecipe& recipe : recipes) about[recipe.name] = recipe.about;
    for (const auto& [cell, numbers] : cells)
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const std::size_t bar = cell.find('_');
            const int ratio = std::vector<int>{100, 50, 10}[i % 3];
            const bool is_step = i >= 3;
            const std::string name =
                fmt::format("{}_{}_{}_{}", cell.substr(0, bar), is_step ? "step" : "lt", ratio, cell.substr(bar + 1));
            CAPTURE(name);
            REQUIRE(about.contains(name));
            const std::string table = cell.starts_with("cifar100") ? "Table 1, CIFAR-100" : "Table 2, CIFAR-10";
            CHECK(about[name].starts_with(fmt::format("{}, {}, ratio {}: the paper has {} % top-1", table,
                                                      is_step ? "step" : "long-tailed", ratio, numbers[i])));
            const Recipe recipe = load_recipe(name, {}, {.folders = shipped});
            CHECK(recipe.number("data.imbalance_ratio") == ratio);
            CHECK(recipe.text("data.imbalance") == (is_step ? "step" : "long_tailed"));
            CHECK(recipe.text("method.name") == cell.substr(bar + 1));
            CHECK(recipe.text("model.name") == "resnet32");
        }
    CHECK(recipes.size() == 120);
    for (const InstalledRecipe& installed : recipes) {
        CAPTURE(installed.name);
        const Recipe recipe = load_recipe(installed.name, {}, {.folders = shipped});
        CHECK(recipe.warnings.empty());
        CHECK_FALSE(installed.about.empty());
    }
}

// paper: section 5.2, Table 7, Fig. 5, 6
TEST_CASE("rows of an ablation and points of a sweep differ from their recipe in one value") {
    struct Row {
        const char *name, *of, *key, *value;
    };
    constexpr Row rows[] = {{"cifar10_lt_100_kd_mixup", "cifar10_lt_100_kd", "mixup.alpha", "1.0"},
                            {"cifar10_lt_50_bkd_without_mixup", "cifar10_lt_50_bkd", "mixup.alpha", "0.0"},
                            {"cifar10_lt_100_bkd_t1_5", "cifar10_lt_100_bkd", "kd.temperature", "1.5"},
                            {"cifar100_lt_100_bkd_t4_0", "cifar100_lt_100_bkd", "kd.temperature", "4.0"},
                            {"cifar10_lt_100_bkd_beta0_99", "cifar10_lt_100_bkd", "weights.beta", "0.99"},
                            {"cifar10_lt_100_bkd_inverse", "cifar10_lt_100_bkd", "weights.kind", "\"if\""}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Recipe recipe = load_recipe(row.name, {}, {.folders = shipped}),
                     base = load_recipe(row.of, {}, {.folders = shipped});
        std::vector<std::string> differing;
        for (const auto& [path, leaf] : recipe.leaves())
            if (base.find(path) == nullptr || base.find(path)->value != leaf.value) differing.push_back(path);
        CHECK(differing == std::vector<std::string>{row.key});
        CHECK(value_text(recipe.find(row.key)->value) == row.value);
    }
}

TEST_CASE("the small recipes have the settings of their references") {
    const auto load = [](const std::string& name) { return load_recipe(name, {}, {.folders = shipped}); };
    const Recipe fashion = load("fashion_mnist_lt_100_bkd");
    CHECK(fashion.number("schedule.warmup_epochs") == 0.5);
    CHECK(fashion.integers("schedule.milestones") == std::vector<std::int64_t>{8, 9});
    CHECK(fashion.number("optim.weight_decay") == 2e-4);
    CHECK(fashion.number("mixup.alpha") == 0.0);
    CHECK(fashion.integer("weights.defer_until") == 0);
    const Recipe cifar = load("cifar10_lt_100_resnet8_bkd_mixup");
    CHECK(cifar.text("data.name") == "cifar10_lt100");
    CHECK(cifar.text("data.imbalance") == "none");
    CHECK(cifar.integer("train.epochs") == 20);
    CHECK(cifar.integer("weights.defer_until") == 16);
    CHECK(cifar.number("schedule.warmup_epochs") == 1.0);
    CHECK(cifar.number("mixup.alpha") == 1.0);
    CHECK(load("cifar10_lt_100_resnet8_bkd").number("mixup.alpha") == 0.0);
    CHECK(load("cifar10_lt_100_resnet8_cb").integer("weights.defer_until") == 0);
}
