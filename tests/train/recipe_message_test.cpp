// The exact text of messages about recipes.
#include "tests/train/recipe_fixture.h"
#include "train/recipe_check.h"

#include <fmt/format.h>

using namespace bkd;
using bkd::test::RecipeFolder;
using bkd::test::required_keys;

namespace {

// `line` at the given line number of a recipe that is otherwise fine.
std::string recipe_with_line(int number, const std::string& table, const std::string& line) {
    return required_keys + std::string(static_cast<std::size_t>(number - 4), '\n') + table + "\n" + line + "\n";
}

}

TEST_CASE("an unknown key is shown with its line, a marker and the key that was meant") {
    const RecipeFolder folder;
    CHECK(folder.refused(recipe_with_line(14, "[optim]", "learning_rate = 0.1")).message() ==
          "error[E0302]: unknown key \"optim.learning_rate\"\n"
          "  at:  exp.toml:14:1\n"
          "       learning_rate = 0.1\n"
          "       ^~~~~~~~~~~~~\n"
          "  try: optim.lr\n");
}

TEST_CASE("a value out of range in an override is shown with the override and the rule") {
    const RecipeFolder folder;
    CHECK(folder.refused(required_keys, {"kd.temperature=-2"}).message() ==
          "error[E0304]: kd.temperature must be in (0, 100], got -2\n"
          "  at:  override #1 \"kd.temperature=-2\"\n"
          "  why: the teacher's probabilities are softmax(z/T)\n");
}

TEST_CASE("a stage that does not exist is shown with those that do") {
    const RecipeFolder folder;
    const Recipe recipe = folder.load(recipe_with_line(31, "[stages.student]", "init_from = \"techer\""));
    try {
        check_stages(recipe, std::vector<std::string>{"teacher", "student"});
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(InputError(folder.shortened(error.parts())).message() ==
              "error[E0311]: stages.student.init_from names stage \"techer\", which does not exist\n"
              "  at:  exp.toml:31:13\n"
              "  try: one of: teacher, student\n");
    }
}

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
