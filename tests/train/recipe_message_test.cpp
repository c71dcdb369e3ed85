// The exact text of messages about recipes.
#include "tests/train/recipe_fixture.h"

#include <fmt/format.h>

using namespace bkd;
using bkd::test::RecipeFolder;
using bkd::test::required_keys;

TEST_CASE("a wrong value is marked under the value, in lines of any length") {
    const RecipeFolder folder;
    CHECK(folder.refused(required_keys + "[optim]\n\tlr = -3.5  # caf\xC3\xA9\n").message() ==
          "error[E0304]: optim.lr must be in [0, 100], got -3.5\n"
          "  at:  exp.toml:4:7\n"
          "       lr = -3.5  # caf\xC3\xA9\n"
          "            ^~~~\n");
    // The window of 100 columns begins 20 before the marked one.
    const std::string line = "optim = {lr = 1," + std::string(150, ' ') + "nesterov = false, momentum = 7}";
    const InputError error = folder.refused(required_keys + line + "\n");
    CHECK(error.parts().at == "exp.toml:3:196");
    CHECK(error.parts().source == line.substr(175) + "\n" + std::string(20, ' ') + "^");
}

TEST_CASE("up to 20 errors are collected, and the first cause decides the exit code") {
    const RecipeFolder folder;
    const std::string file =
        folder.write("exp.toml", "recipe = 2\n[optim]\nlr = -1\nlrr = 1\nmomentum = \"x\"\n").string();
    try {
        load_recipe(file, {"nonsense"});
        FAIL("accepted");
    } catch (const RecipeErrors& errors) {
        REQUIRE(errors.errors().size() == 5);
        CHECK(errors.errors()[0].id() == "E1006");
        CHECK(errors.errors()[1].id() == "E0304");
        CHECK(errors.errors()[2].id() == "E0302");
        CHECK(errors.errors()[3].id() == "E0303");
        CHECK(errors.errors()[4].id() == "E0205");
        CHECK(errors.id() == "E0205");
        CHECK(errors.exit_code() == 2);
    }
    std::string many;
    for (int i = 0; i < 50; ++i) many += fmt::format("unknown_{} = 1\n", i);
    try {
        folder.load(many);
        FAIL("accepted");
    } catch (const RecipeErrors& errors) { CHECK(errors.errors().size() == 20); }
}

TEST_CASE("names of data sets, networks and methods are checked against those there are, the nearest first") {
    const RecipeFolder folder;
    const RecipeOptions options{
        .names = {.data_sets = {"cifar10", "cifar100"}, .networks = {"resnet20", "resnet8"}, .methods = {"bkd", "ce"}}};
    CHECK(folder.load(required_keys, {}, options).text("model.name") == "resnet8");
    CHECK(folder.refused(required_keys, {"model.name=resnet9"}, options).parts().what ==
          "model.name must be one of resnet8, resnet20, got \"resnet9\"");
    CHECK(folder.refused(required_keys, {"data.name=mnist"}, options).id() == "E0304");
    CHECK(folder.refused(required_keys, {"teacher.method=kb"}, options).id() == "E0304");
    CHECK(folder.refused(required_keys, {"stages.teacher.method.name=xx"}, options).parts().what ==
          "stages.teacher.method.name must be one of ce, bkd, got \"xx\"");
}

TEST_CASE("removing the quotes is advised only where the text would then be of the wanted type") {
    const RecipeFolder folder;
    const auto advice = [&](const std::string& override_) {
        return folder.refused(required_keys, {override_}).parts().try_;
    };
    CHECK(advice("optim.lr=\"0.1\"") == "remove the quotes: optim.lr = 0.1");
    CHECK(advice("optim.lr=\"1\"") == "remove the quotes: optim.lr = 1");
    CHECK(advice("optim.lr=\"fast\"").empty());
    CHECK(advice("optim.lr=\"true\"").empty());
    CHECK(advice("train.epochs=\"3\"") == "remove the quotes: train.epochs = 3");
    CHECK(advice("train.epochs=\"2.5\"").empty());
    CHECK(advice("optim.nesterov=\"true\"") == "remove the quotes: optim.nesterov = true");
    CHECK(advice("optim.nesterov=\"no\"").empty());
}
