// Which layer wins, where each value says it came from, and what the base chain, overrides and stages do.
#include "tests/train/recipe_fixture.h"
#include "train/recipe_check.h"

#include <fmt/format.h>

using namespace bkd;
using bkd::test::RecipeFolder;
using bkd::test::required_keys;

namespace {

std::string provenance(const RecipeFolder& folder, const Recipe& recipe, const std::string& path) {
    const Leaf* leaf = recipe.find(path);
    REQUIRE(leaf != nullptr);
    return folder.shortened({.id = 0, .what = leaf->provenance}).what;
}

int refused_stages(const Recipe& recipe, const std::vector<std::string>& stages) {
    try {
        check_stages(recipe, stages);
    } catch (const InputError& error) { return error.parts().id; }
    return 0;
}

}

TEST_CASE("a later layer replaces single values and says where each came from") {
    const RecipeFolder folder;
    folder.write(
        "base.toml",
        required_keys + "[optim]\nlr = 0.1\nmomentum = 0.8\nweight_decay = 1e-3\n[schedule]\nmilestones = [1, 2, 3]\n");
    folder.write("user.toml", "data.root = \"/user\"\ntrain.workers = 3\n");
    const std::string text =
        "base = \"base.toml\"\n[optim]\nmomentum = 0.7\nweight_decay = 1e-4\n[schedule]\nmilestones = [5]\n";
    const Recipe recipe = folder.load(text, {"optim.weight_decay=1e-5", "run.seed=7"},
                                      {.user_file = folder.path() / "user.toml",
                                       .environment = {{"data.root", "/environment", "env BKD_DATA"}},
                                       .options = {{"run.seed", "9", "option --seed"}}});
    CHECK(recipe.number("optim.lr") == 0.1);
    CHECK(provenance(folder, recipe, "optim.lr") == "base.toml:4:1");
    CHECK(recipe.number("optim.momentum") == 0.7);
    CHECK(provenance(folder, recipe, "optim.momentum") == "exp.toml:3:1");
    CHECK(recipe.integers("schedule.milestones") == std::vector<std::int64_t>{5});
    CHECK(recipe.number("optim.weight_decay") == 1e-5);
    CHECK(provenance(folder, recipe, "optim.weight_decay") == "override #1 \"optim.weight_decay=1e-5\"");
    CHECK(recipe.integer("run.seed") == 9);
    CHECK(provenance(folder, recipe, "run.seed") == "option --seed");
    CHECK(recipe.text("data.root") == "/environment");
    CHECK(provenance(folder, recipe, "data.root") == "env BKD_DATA");
    CHECK(recipe.integer("train.workers") == 3);
    CHECK(provenance(folder, recipe, "train.workers") == "user.toml:2:7");
    CHECK(recipe.number("kd.weight") == 1.0);
    CHECK(provenance(folder, recipe, "kd.weight") == "default");
    CHECK(recipe.number("schedule.warmup_epochs") == 5.0);
    CHECK(provenance(folder, recipe, "schedule.warmup_epochs") == "preset paper (D22)");
}

TEST_CASE("what affects results comes neither from the user's file nor from the environment") {
    const RecipeFolder folder;
    folder.write("user.toml", "[optim]\nlr = 1\n");
    CHECK(folder.refused(required_keys, {}, {.user_file = folder.path() / "user.toml"}).id() == "E0309");
    CHECK(folder.refused(required_keys, {}, {.environment = {{"run.seed", "1", "env BKD_SEED"}}}).id() == "E0309");
    CHECK(folder.load(required_keys, {}, {.user_file = folder.path() / "absent.toml"}).integer("train.workers") == 1);
}

TEST_CASE("a recipe that cannot be read says why") {
    const RecipeFolder folder;
    CHECK(folder.refused_file(folder.path() / "absent.toml").id() == "E0501");
    CHECK(folder.refused_file(folder.path() / ".").id() == "E0503");
    CHECK(folder.refused_file(folder.write("large.toml", std::string((1 << 20) + 1, '\n'))).id() == "E0306");
    folder.write("installed/good_one.toml", "# Table 9: nothing.\n" + required_keys);
    const std::vector<std::filesystem::path> folders = {folder.path() / "installed"};
    CHECK(load_recipe("good_one", {}, {.folders = folders}).name() == "good_one");
    try {
        load_recipe("good_onee", {}, {.folders = folders});
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.id() == "E0501");
        CHECK(error.parts().try_ == "good_one");
    }
    CHECK(installed_recipes(folders).at(0).about == "Table 9: nothing.");
}

TEST_CASE("the limits themselves are accepted, and strings and comments are left alone") {
    const RecipeFolder folder;
    std::string page = (required_keys + "#" + std::string(4095, '.') +
                        "\n[run]\nname = '\xC3\xA9.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r'\n");
    page += std::string((1 << 20) - page.size(), '\n');
    CHECK(folder.load(page).text("run.name") == "\xC3\xA9.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r");
    CHECK(folder.load("\xEF\xBB\xBF" + required_keys).text("data.name") == "cifar10");
    CHECK(folder.load("data.name = \"cifar10\"\r\nmodel.name = \"resnet8\"\r\n").text("model.name") == "resnet8");
    CHECK(folder.load((required_keys + "[run]\nname = \"say \\\"\xC3\xA9\"\n")).text("run.name") == "say \"\xC3\xA9");
    CHECK(folder.load((required_keys + "[run]\nname = \"\"\"say \\\"\xC3\xA9\\\" # \"\"\"  # \xC3\xA9\n"))
              .text("run.name") == "say \"\xC3\xA9\" # ");
}

TEST_CASE("a chain of bases has at most 8, no cycle, and stays in its folder") {
    const RecipeFolder folder;
    folder.write("in/base0.toml", required_keys + "[optim]\nlr = 0.5\n");
    for (int i = 1; i <= 8; ++i)
        folder.write(fmt::format("in/base{}.toml", i), fmt::format("base = \"base{}.toml\"\n", i - 1));
    const auto in = [&](const std::string& text) { return folder.write("in/exp.toml", text); };
    CHECK(load_recipe(in("base = \"base7.toml\"\n").string()).number("optim.lr") == 0.5);
    const InputError deep = folder.refused_file(in("base = \"base8.toml\"\n"));
    CHECK(deep.id() == "E0307");
    CHECK(deep.parts().at == "in/base1.toml:1:8");
    CHECK(folder.refused_file(in("base = \"exp.toml\"\n")).id() == "E0307");
    const InputError absent = folder.refused_file(in("base = \"absent.toml\"\n"));
    CHECK(absent.id() == "E0501");
    CHECK(absent.message().find("in/exp.toml:1:8") != std::string::npos);
    CHECK(folder.refused_file(in("base = \"../../etc/passwd\"\n")).id() == "E0440");
    CHECK(folder.refused_file(in("base = \"/etc/passwd\"\n")).id() == "E0440");
    folder.write("outside.toml", required_keys);
    CHECK(folder.refused_file(in("base = \"../outside.toml\"\n")).id() == "E0440");
    std::filesystem::create_symlink("../outside.toml", folder.path() / "in/link.toml");
    CHECK(folder.refused_file(in("base = \"link.toml\"\n")).id() == "E0440");
    CHECK(folder.refused_file(in("base = 1\n")).id() == "E0303");
    CHECK(folder.refused_file(in("base = \"~/x.toml\"\n")).id() == "E0304");
}

TEST_CASE("a base is found beside its recipe, whatever the folders are called and however long their names") {
    const RecipeFolder folder;
    const std::string deep = std::string(120, 'a') + "/" + std::string(120, 'b');
    for (const std::string& inner : {deep, std::string("tab\tand\nline"), std::string("latin\xe9")}) {
        CAPTURE(inner);
        folder.write(inner + "/base0.toml", required_keys + "[optim]\nlr = 0.3\n");
        folder.write(inner + "/base1.toml", "base = \"base0.toml\"\n");
        const std::string file = folder.write(inner + "/exp.toml", "base = \"base1.toml\"\n").string();
        CHECK(load_recipe(file, {}).number("optim.lr") == 0.3);
    }
}

TEST_CASE("no text that is not UTF-8 gets into a recipe, from wherever it comes") {
    const RecipeFolder folder;
    for (const RecipeOptions& options : {RecipeOptions{.environment = {{"data.root", "/data/\xff", "BKD_DATA"}}},
                                         RecipeOptions{.options = {{"run.dir", "runs\xe9", "option --run-dir"}}}}) {
        const InputError error = folder.refused(required_keys, {}, options);
        CHECK(error.id() == "E0304");
        CHECK(error.message().find("is not UTF-8") != std::string::npos);
    }
    CHECK(folder.refused(required_keys, {}, {.options = {{"run.dir", "", "option --run-dir"}}}).id() == "E0304");
    CHECK(folder.refused(required_keys + "run.dir = \"\"\n").id() == "E0304");
}

TEST_CASE("a base is found among the installed recipes, too") {
    const RecipeFolder folder;
    folder.write("installed/good.toml", required_keys);
    const std::vector<std::filesystem::path> folders = {folder.path() / "installed"};
    const std::string file = folder.write("mine/exp.toml", "base = \"good.toml\"\n[optim]\nlr = 0.3\n").string();
    CHECK(load_recipe(file, {}, {.folders = folders}).text("model.name") == "resnet8");
}

TEST_CASE("overrides set, append to and index; a text key takes what is no TOML as it stands") {
    const RecipeFolder folder;
    const Recipe recipe =
        folder.load(required_keys, {"run.name=my run", "schedule.milestones.0=150", "schedule.milestones+=190",
                                    "schedule.milestones+=[195, 197]", "model.name=\"resnet20\"", "optim.lr=1",
                                    "stages.teacher.schedule.milestones.0=100", "stages.teacher.optim.lr=0.05"});
    CHECK(recipe.text("run.name") == "my run");
    CHECK(recipe.integers("schedule.milestones") == std::vector<std::int64_t>{150, 180, 190, 195, 197});
    CHECK(recipe.text("model.name") == "resnet20");
    CHECK(recipe.number("optim.lr") == 1.0);
    CHECK(recipe.for_stage("teacher").number("optim.lr") == 0.05);
    CHECK(recipe.for_stage("teacher").integers("schedule.milestones") ==
          std::vector<std::int64_t>{100, 180, 190, 195, 197});
    CHECK(recipe.notes.empty());
    CHECK(folder.load(required_keys, {"run.name=\"\""}).text("run.name").empty());
}

TEST_CASE("of an override given twice the last wins and a note says so; 4 000 overrides are fine") {
    const RecipeFolder folder;
    const Recipe twice = folder.load(required_keys, {"optim.lr=0.1", "optim.lr=0.2"});
    CHECK(twice.number("optim.lr") == 0.2);
    REQUIRE(twice.notes.size() == 1);
    CHECK(twice.notes[0] == "override #2 \"optim.lr=0.2\" replaces override #1 \"optim.lr=0.1\"");
    CHECK(folder.load(required_keys, std::vector<std::string>(4000, "run.seed=5")).integer("run.seed") == 5);
}

TEST_CASE("a stage sees its own values over those of all stages") {
    const RecipeFolder folder;
    const Recipe recipe =
        folder.load(required_keys + "train.epochs = 9\n[stages.teacher]\nepochs = 3\nfreeze = [\"layer1\"]\n"
                                    "[stages.teacher.optim]\nlr = 0.5\n[stages.student]\ninit_from = \"teacher\"\n");
    const Recipe teacher = recipe.for_stage("teacher"), student = recipe.for_stage("student");
    CHECK(teacher.integer("train.epochs") == 3);
    CHECK(student.integer("train.epochs") == 9);
    CHECK(teacher.number("optim.lr") == 0.5);
    CHECK(student.number("optim.lr") == 0.1);
    CHECK(teacher.texts("freeze") == std::vector<std::string>{"layer1"});
    CHECK_FALSE(student.is_set("freeze"));
    CHECK(student.text("init_from") == "teacher");
    CHECK(recipe.stage_names() == std::vector<std::string>{"student", "teacher"});
    CHECK(recipe.unused_keys().empty());
    CHECK_THROWS_AS(teacher.is_set("no.key"), LogicError);
    CHECK_THROWS_AS(teacher.integer("optim.lr"), LogicError);
    CHECK_THROWS_AS(teacher.text("teacher.file"), LogicError);
}

TEST_CASE("stages must exist, start from an earlier one, and a student needs a teacher") {
    const RecipeFolder folder;
    const std::vector<std::string> stages = {"teacher", "student"};
    CHECK(refused_stages(folder.load(required_keys, {"stages.student.init_from=teacher"}), stages) == 0);
    CHECK(refused_stages(folder.load(required_keys, {"stages.student.init_from=w.safetensors"}), stages) == 0);
    CHECK(refused_stages(folder.load(required_keys, {"stages.studnet.optim.lr=1"}), stages) == 302);
    CHECK(refused_stages(folder.load(required_keys, {"stages.student.init_from=techer"}), stages) == 311);
    CHECK(refused_stages(folder.load(required_keys, {"stages.teacher.init_from=student"}), stages) == 311);
    CHECK(refused_stages(folder.load(required_keys, {"stages.teacher.init_from=teacher"}), stages) == 311);
    CHECK(refused_stages(folder.load(required_keys, {"stages.teacher.epochs=0"}), stages) == 305);
    CHECK(refused_stages(folder.load(required_keys, {"stages.teacher.epochs=0", "teacher.file=t.safetensors"}),
                         stages) == 0);
    CHECK(refused_stages(folder.load(required_keys), stages) == 0);
}

TEST_CASE("sizes are checked against the data") {
    const RecipeFolder folder;
    const auto refused = [&](const std::vector<std::string>& overrides) {
        try {
            check_sizes(folder.load(required_keys, overrides), 12406, 5000);
        } catch (const InputError& error) { return error.parts().id; }
        return 0;
    };
    CHECK(refused({"data.imbalance=step", "data.imbalance_ratio=5000"}) == 0);
    CHECK(refused({"data.imbalance=step", "data.imbalance_ratio=5001"}) == 304);
    CHECK(refused({"batch.size=12406", "batch.drop_last=true"}) == 0);
    CHECK(refused({"batch.size=12407", "batch.drop_last=true"}) == 305);
    CHECK(refused({"batch.size=12407"}) == 0);
}

TEST_CASE("legal but strange values are warned of") {
    const RecipeFolder folder;
    CHECK(folder.load(required_keys).warnings.empty());
    CHECK(folder.load(required_keys, {"optim.lr=0"}).warnings.size() == 1);
    const Recipe shortened = folder.load(required_keys, {"method.name=bkd", "train.epochs=20"});
    REQUIRE(shortened.warnings.size() == 2);
    CHECK(shortened.warnings[0] == "milestone 180 never comes: there are 20 epochs, counted from 0 (default)");
    CHECK(shortened.warnings[1] == "weights.defer_until = 160 never comes: there are 20 epochs, and bkd has no class "
                                   "weights (preset paper (D13))");
    CHECK(folder.load(required_keys, {"stages.teacher.optim.lr=0"}).warnings.at(0).starts_with("stage teacher: "));
    CHECK(folder.load(required_keys, {"stages.teacher.epochs=20"})
              .warnings.at(0)
              .starts_with("stage teacher: milestone 180"));
    CHECK(folder.load(required_keys, {"stages.teacher.epochs=0"}).warnings.empty());
    CHECK(folder.load(required_keys, {"mixup.alpha=0"}).number("mixup.alpha") == 0.0);
}
