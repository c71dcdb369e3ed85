// Recipes and overrides that are refused, row by row: input, id, and the words the reader needs.
#include "tests/train/recipe_fixture.h"

#include <fmt/format.h>

using namespace bkd;
using bkd::test::RecipeFolder;
using bkd::test::required_keys;

namespace {

struct Row {
    const char* name;
    std::string text;  // of the recipe
    int id;
    const char* phrase;  // somewhere in the message
    std::vector<std::string> overrides{};
};

void check_rows(const std::vector<Row>& rows) {
    const RecipeFolder folder;
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const std::string message = folder.refused(row.text, row.overrides).message();
        CAPTURE(message);
        CHECK(message.starts_with(fmt::format("error[E{:04}]", row.id)));
        CHECK(message.find(row.phrase) != std::string::npos);
    }
}

std::string repeated(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
}

std::string with(const std::string& text) { return required_keys + text; }

}

TEST_CASE("what is no TOML is refused with the place and what to write instead") {
    check_rows({
        {"lone carriage return", "a = 1\rb = 2\n", 301, "exp.toml:1:6"},
        {"UTF-16",
         std::string("\xFF\xFE"
                     "a\0",
                     4),
         301, "UTF-16"},
        {"invalid UTF-8", "a = \"\xC3\x28\"\n", 301, "exp.toml:1:6"},
        {"overlong UTF-8", "a = \"\xC0\xAF\"\n", 301, "0xc0"},
        {"NUL in a comment", std::string("# x\0y\n", 6), 301, "exp.toml:1:4"},
        {"key twice", "a = 1\na = 2\n", 301, "first given at exp.toml:1:1"},
        {"table twice", "[optim]\nlr = 1\n[optim]\n", 301, "first given at exp.toml:1:2"},
        {"dotted after table", "[a.b]\nc = 1\n[a]\nb.d = 2\n", 301, "first given at exp.toml:1:4"},
        {"extended inline table", "a = {b = 1}\na.c = 2\n", 301, "first given at exp.toml:1:1"},
        {"base twice", "base = \"x.toml\"\nbase = \"y.toml\"\n", 301, "first given at exp.toml:1:1"},
        {"leading zero", "a = 01\n", 301, "without leading zeros"},
        {"5.", "a = 5.\n", 301, "0.5"},
        {".5", "a = .5\n", 301, "0.5"},
        {"True", "a = True\n", 301, "lower case"},
        {"bare word", "a = resnet8\n", 301, "quotes"},
        {"missing value", "a =\n", 301, "write a value"},
        {"colon", "a: 1\n", 301, "write key = value, with ="},
        {"semicolon", "a = 1;\n", 301, "without ;"},
        {"two pairs on a line", "a = 1 b = 2\n", 301, "one key = value on a line"},
        {"2^63", "a = 9223372036854775808\n", 301, "9223372036854775807"},
        {"1e400", "a = 1e400\n", 301, "1.7e308"},
        {"300 nested arrays", "a = " + repeated("[", 300) + repeated("]", 300), 301, "16"},
        {"100 000 nested arrays", "a = " + repeated("[\n", 100000) + repeated("]\n", 100000), 301, "16"},
        {"300 nested inline tables", "a = " + repeated("{a = ", 300) + "1" + repeated("}", 300), 301, "16"},
        {"non-ASCII bare key", "\xC3\xA9 = 1\n", 301, "put it in quotes"},
    });
}

TEST_CASE("what would harm the parser is refused before it") {
    check_rows({
        {"1 MiB and a byte", repeated("# 345678901234567890123456789012\n", 32768 - 1000) + std::string(33001, '\n'),
         306, "1048576"},
        {"dotted key of 100 000 parts", "a" + repeated(".a", 100000) + " = 1\n", 306, "17 parts"},
        {"header of 18 parts", "[a" + repeated(".a", 17) + "]\n", 306, "exp.toml:1:35"},
        {"65 dots on a line", "a = [" + repeated("1.0, ", 65) + "]\n", 306, "64 dots"},
        {"line of 4 097 bytes", "#" + std::string(4096, 'x') + "\n", 306, "4096"},
        {"10 001 values",
         [] {
             std::string text;
             for (int i = 0; i <= 10000; ++i) text += fmt::format("a{} = 1\n", i);
             return text;
         }(),
         306, "10000"},
    });
}

TEST_CASE("the limits themselves are accepted, and strings and comments are left alone") {
    const RecipeFolder folder;
    std::string page =
        with("#" + std::string(4095, '.') + "\n[run]\nname = '\xC3\xA9.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r'\n");
    page += std::string((1 << 20) - page.size(), '\n');
    CHECK(folder.load(page).text("run.name") == "\xC3\xA9.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r");
    CHECK(folder.load("\xEF\xBB\xBF" + required_keys).text("data.name") == "cifar10");
    CHECK(folder.load("data.name = \"cifar10\"\r\nmodel.name = \"resnet8\"\r\n").text("model.name") == "resnet8");
    CHECK(folder.load(with("[run]\nname = \"say \\\"\xC3\xA9\"\n")).text("run.name") == "say \"\xC3\xA9");
    CHECK(folder.load(with("[run]\nname = \"\"\"say \\\"\xC3\xA9\\\" # \"\"\"  # \xC3\xA9\n")).text("run.name") ==
          "say \"\xC3\xA9\" # ");
}

TEST_CASE("an unknown key is refused with the key that was meant") {
    check_rows({
        {"at the top", with("presett = \"paper\"\n"), 302, "try: preset\n"},
        {"nested", with("[optim]\nmomentun = 0.9\n"), 302, "try: optim.momentum\n"},
        {"exchanged letters", with("[method]\nnmae = \"ce\"\n"), 302, "try: method.name\n"},
        {"in an array element", with("[[schedule]]\nmilestones = [1]\n"), 302, "schedule[0].milestones"},
        {"right key, wrong table", with("lr = 0.1\n"), 302, "try: optim.lr\n"},
        {"right key, other wrong table", with("[kd]\nbeta = 0.9\n"), 302, "weights.beta"},
        {"wrong case", with("[optim]\nLR = 0.1\n"), 302, "try: optim.lr\n"},
        {"wrong case of the table", with("[Optim]\nlr = 0.1\n"), 302, "try: optim.lr\n"},
        {"quoted key beyond ASCII", with("\"\xC3\xA9\" = 1\n"), 302, "unknown key"},
        {"quoted key with a dot", with("\"optim.lr\" = 1\n"), 302, "unknown key"},
        {"table taken for a key", "optim = 3\n" + required_keys, 302, "optim.lr"},
        {"unknown empty table", with("[nothing]\n"), 302, "unknown key \"nothing\""},
        {"no key near", with("[optim]\nwholly_different = 1\n"), 302, "one of: optim.name, optim.lr"},
        {"in a stage", with("[stages.teacher.optim]\nlearning_rate = 1\n"), 302, "try: stages.teacher.optim.lr\n"},
        {"stage's own key", with("[stages.teacher]\nepoch = 1\n"), 302, "try: stages.teacher.epochs\n"},
        {"table that is the same for all stages", with("[stages.teacher.run]\nseed = 1\n"), 302, "unknown key"},
        {"later key", with("[ride]\nkd_on = \"mean\"\n"), 308, "ride.kd_on is not in this version"},
        {"unknown choice", with("[compute]\ndtype = \"f16\"\n"), 304, "one of bf16, f32"},
    });
}

TEST_CASE("a value of the wrong type or out of range is refused with the rule") {
    check_rows({
        {"empty recipe", "", 303, "model.name, data.name are required"},
        {"text for a number", with("[optim]\nlr = \"0.1\"\n"), 303, "remove the quotes"},
        {"number for a text", "data.name = 10\nmodel.name = \"resnet8\"\n", 303, "data.name takes a text, got 10"},
        {"float for an integer", with("[train]\nepochs = 3.0\n"), 303, "train.epochs = 3"},
        {"text for a boolean", with("[optim]\nnesterov = \"no\"\n"), 303, "true or false"},
        {"number for a list", with("[schedule]\nmilestones = 160\n"), 303, "a list of whole numbers"},
        {"nan", with("[optim]\nlr = nan\n"), 304, "got nan"},
        {"inf", with("[data]\nimbalance_ratio = inf\n").substr(required_keys.find("model")), 304, "got inf"},
        {"1e-400", with("[kd]\ntemperature = 1e-400\n"), 304, "(0, 100]"},
        {"date", with("[run]\nname = 2024-01-01\n"), 304, "no key takes a date"},
        {"time", with("[run]\nseed = 07:32:00\n"), 304, "07:32:00"},
        {"no epochs", with("[train]\nepochs = 0\n"), 304, "[1, 100000], got 0"},
        {"negative epochs", with("[train]\nepochs = -1\n"), 304, "got -1"},
        {"1e9 epochs", with("[train]\nepochs = 1000000000\n"), 304, "got 1000000000"},
        {"empty batch", with("[batch]\nsize = 0\n"), 304, "[1, 65536]"},
        {"negative rate", with("[optim]\nlr = -0.1\n"), 304, "[0, 100]"},
        {"momentum 1", with("[optim]\nmomentum = 1.0\n"), 304, "[0, 1)"},
        {"temperature 0", with("[kd]\ntemperature = 0\n"), 304, "(0, 100]"},
        {"beta 1", with("[weights]\nbeta = 1.0\n"), 304, "1 divides by 0; the paper has 0.9999"},
        {"negative alpha", with("[mixup]\nalpha = -1\n"), 304, "[0, 100]"},
        {"ratio below 1", "model.name = \"resnet8\"\n[data]\nname = \"cifar10\"\nimbalance_ratio = 0.5\n", 304,
         "[1, 1000000]"},
        {"milestone out of range", with("[schedule]\nmilestones = [1, -2]\n"), 304, "got -2"},
        {"unknown choice", with("[weights]\nkind = \"ens\"\n"), 304, "one of en, if, uniform, got \"ens\""},
        {"$ in a path", with("[teacher]\nfile = \"$HOME/x\"\n"), 304, "not expanded"},
        {"~ in a path", with("[teacher]\nfile = \"~/x\"\n"), 304, "use BKD_DATA"},
        {"NUL in a path", with("[teacher]\nfile = \"a\\u0000b\"\n"), 304, "control character"},
        {"milestones not increasing", with("[schedule]\nmilestones = [180, 160]\n"), 305,
         "must increase, got 180 before 160"},
        {"equal milestones", with("[schedule]\nmilestones = [160, 160]\n"), 305, "must increase"},
        {"few above many", with("[eval]\ngroups = [20, 100]\n"), 305, "many starts at 20, below few at 100"},
        {"one group", with("[eval]\ngroups = [20]\n"), 305, "takes two numbers"},
        {"a stage's epochs twice", with("[stages.teacher]\nepochs = 1\ntrain.epochs = 2\n"), 305, "twice"},
        {"newer schema", "recipe = 2\n" + required_keys, 1006, "recipe = 2"},
        {"older schema", "recipe = 0\n" + required_keys, 304, "[1, 1]"},
    });
}

TEST_CASE("an override that is no assignment to a key is refused") {
    check_rows({
        {"no =", required_keys, 205, "write key=value", {"optim.lr"}},
        {"no key", required_keys, 205, "override #1 \"=x\"", {"=x"}},
        {"two dots", required_keys, 205, "empty part", {"a..b=1"}},
        {"dot at the end", required_keys, 205, "empty part", {"a.=1"}},
        {"dot at the start", required_keys, 205, "empty part", {".a=1"}},
        {"no value", required_keys, 205, "empty value; use run.name=\"\"", {"run.name="}},
        {"a table", required_keys, 205, "set leaves one by one", {"optim={lr=0.1}"}},
        {"no UTF-8", required_keys, 205, "UTF-8", {"run.name=\xFF"}},
        {"unknown key", required_keys, 302, "try: optim.lr\n", {"optim.learning_rate=0.1"}},
        {"element beyond the list", required_keys, 302, "the list has 2 elements", {"schedule.milestones.7=1"}},
        {"element of no list", required_keys, 302, "unknown key", {"optim.lr.0=1"}},
        {"append to no list", required_keys, 303, "nothing can be appended", {"optim.lr+=1"}},
        {"two lines", required_keys, 303, "override #1", {"optim.lr=1\noptim.momentum=0"}},
        {"no number", required_keys, 303, "optim.lr takes a number, got \"fast\"", {"optim.lr=fast"}},
        {"base", required_keys, 305, "file only", {"base=other.toml"}},
        {"second of two", required_keys, 304, "override #2 \"kd.temperature=0\"", {"optim.lr=1", "kd.temperature=0"}},
    });
}
