// T10 to T42: recipes whose keys or values are not what they must be.
#include "tests/tools/recipe_cases.h"

namespace bkd::test {

TEST_CASE("T10, T11: numbers are finite") {
    check_cases({
        {"T10 nan", with("[optim]\nlr = nan\n"), R"(error[E0304]: optim.lr must be in [0, 100], got nan
  at:  exp.toml:4:6
       lr = nan
            ^~~
)"},
        {"T10 -inf", with("[kd]\ntemperature = -inf\n"), R"(error[E0304]: kd.temperature must be in (0, 100], got -inf
  at:  exp.toml:4:15
       temperature = -inf
                     ^~~~
  why: the teacher's probabilities are softmax(z/T)
)"},
        {"T10 inf for a whole number", with("[train]\nepochs = inf\n"),
         R"(error[E0304]: train.epochs must be finite, got inf
  at:  exp.toml:4:10
       epochs = inf
                ^~~
)"},
        {"T11 1e-400 where 0 is not allowed", with("[kd]\ntemperature = 1e-400\n"),
         R"(error[E0304]: kd.temperature must be in (0, 100], got 0.0
  at:  exp.toml:4:15
       temperature = 1e-400
                     ^~~~~~
  why: the teacher's probabilities are softmax(z/T)
)"},
        {"T11 1e-400 where it is", with("[optim]\nweight_decay = 1e-400\n"), ""},
    });
}

TEST_CASE("T17 to T19: an unknown key is refused with the one that was meant") {
    check_cases({
        {"T17 at the top", with("presett = \"paper\"\n"), R"(error[E0302]: unknown key "presett"
  at:  exp.toml:3:1
       presett = "paper"
       ^~~~~~~
  try: preset
)"},
        {"T17 nested", with("[optim]\nmomentun = 0.9\n"), R"(error[E0302]: unknown key "optim.momentun"
  at:  exp.toml:4:1
       momentun = 0.9
       ^~~~~~~~
  try: optim.momentum
)"},
        {"T17 exchanged letters", with("[method]\nnmae = \"ce\"\n"), R"(error[E0302]: unknown key "method.nmae"
  at:  exp.toml:4:1
       nmae = "ce"
       ^~~~
  try: method.name
)"},
        {"T17 in an element of an array", with("[[schedule]]\nmilestones = [1]\n"),
         R"(error[E0302]: unknown key "schedule[0].milestones"
  at:  exp.toml:4:1
       milestones = [1]
       ^~~~~~~~~~
  try: schedule.milestones
)"},
        {"T17 in a stage", with("[stages.teacher.optim]\nlearning_rate = 1\n"),
         R"(error[E0302]: unknown key "stages.teacher.optim.learning_rate"
  at:  exp.toml:4:1
       learning_rate = 1
       ^~~~~~~~~~~~~
  try: stages.teacher.optim.lr
)"},
        {"T17 a stage's own key", with("[stages.teacher]\nepoch = 1\n"),
         R"(error[E0302]: unknown key "stages.teacher.epoch"
  at:  exp.toml:4:1
       epoch = 1
       ^~~~~
  try: stages.teacher.epochs
)"},
        {"T17 a table that all stages share", with("[stages.teacher.run]\nseed = 1\n"),
         R"(error[E0302]: unknown key "stages.teacher.run.seed"
  at:  exp.toml:4:1
       seed = 1
       ^~~~
  try: run.seed
)"},
        {"T17 quoted key with a dot", with("\"optim.lr\" = 1\n"), R"(error[E0302]: unknown key ""optim.lr""
  at:  exp.toml:3:1
       "optim.lr" = 1
       ^~~~~~~~~~
  try: optim.lr
)"},
        {"T17 empty table", with("[nothing]\n"), R"(error[E0302]: unknown key "nothing"
  at:  exp.toml:3:2
       [nothing]
        ^~~~~~~
  try: one of: recipe, base, preset, [run], [data], [model], [method], [weights], [ce], [cb], [kd], [bkd], [mixup], [teacher], [batch], [optim], [schedule], [train], [text], [ride], [stages], [eval], [compute], [dist], [checkpoint], [log]
)"},
        {"T17 table as a key", "optim = 3\n" + required, R"(error[E0302]: unknown key "optim"
  at:  exp.toml:1:1
       optim = 3
       ^~~~~
  try: one of: optim.name, optim.lr, optim.momentum, optim.nesterov, optim.weight_decay, optim.decay_bn_bias
)"},
        {"T17 nothing near", with("[optim]\nwholly_different = 1\n"),
         R"(error[E0302]: unknown key "optim.wholly_different"
  at:  exp.toml:4:1
       wholly_different = 1
       ^~~~~~~~~~~~~~~~
  try: one of: optim.name, optim.lr, optim.momentum, optim.nesterov, optim.weight_decay, optim.decay_bn_bias
)"},
        {"T18 right key, no table", with("lr = 0.1\n"), R"(error[E0302]: unknown key "lr"
  at:  exp.toml:3:1
       lr = 0.1
       ^~
  try: optim.lr
)"},
        {"T18 right key, other table", with("[kd]\nbeta = 0.9\n"), R"(error[E0302]: unknown key "kd.beta"
  at:  exp.toml:4:1
       beta = 0.9
       ^~~~
  try: weights.beta
)"},
        {"T19 case of a key", with("[optim]\nLR = 0.1\n"), R"(error[E0302]: unknown key "optim.LR"
  at:  exp.toml:4:1
       LR = 0.1
       ^~
  try: optim.lr
)"},
        {"T19 case of a table", with("[Optim]\nlr = 0.1\n"), R"(error[E0302]: unknown key "Optim.lr"
  at:  exp.toml:4:1
       lr = 0.1
       ^~
  try: optim.lr
)"},
        {"later key", with("[ride]\nkd_on = \"mean\"\n"), R"(error[E0308]: ride.kd_on is not in this version
  at:  exp.toml:4:1
       kd_on = "mean"
       ^~~~~
  why: what is distilled
  try: remove it
)"},
    });
}

TEST_CASE("T20 to T23: types are strict, but a whole number may stand for a number") {
    check_cases({
        {"T20 text for a number", with("[optim]\nlr = \"0.1\"\n"), R"(error[E0303]: optim.lr takes a number, got "0.1"
  at:  exp.toml:4:6
       lr = "0.1"
            ^~~~~
  try: remove the quotes: optim.lr = 0.1
)"},
        {"T21 number for a text", "data.name = 10\nmodel.name = \"resnet8\"\n",
         R"(error[E0303]: data.name takes a text, got 10
  at:  exp.toml:1:13
       data.name = 10
                   ^~
  try: data.name = "...", in quotes
)"},
        {"T22 3.0 for a whole number", with("[train]\nepochs = 3.0\n"),
         R"(error[E0303]: train.epochs takes a whole number, got 3.0
  at:  exp.toml:4:10
       epochs = 3.0
                ^~~
  try: train.epochs = 3
)"},
        {"T22 3.5 for a whole number", with("[train]\nepochs = 3.5\n"),
         R"(error[E0303]: train.epochs takes a whole number, got 3.5
  at:  exp.toml:4:10
       epochs = 3.5
                ^~~
)"},
        {"T23 whole number for a number", with("[optim]\nlr = 1\n"), ""},
        {"text for true or false", with("[optim]\nnesterov = \"no\"\n"),
         R"(error[E0303]: optim.nesterov takes true or false, got "no"
  at:  exp.toml:4:12
       nesterov = "no"
                  ^~~~
)"},
        {"number for a list", with("[schedule]\nmilestones = 160\n"),
         R"(error[E0303]: schedule.milestones takes a list of whole numbers, got 160
  at:  exp.toml:4:14
       milestones = 160
                    ^~~
)"},
    });
}

TEST_CASE("T24 to T30, T41: every number has its range") {
    check_cases({
        {"T24 no epochs", with("[train]\nepochs = 0\n"), R"(error[E0304]: train.epochs must be in [1, 100000], got 0
  at:  exp.toml:4:10
       epochs = 0
                ^
)"},
        {"T24 -1 epochs", with("[train]\nepochs = -1\n"), R"(error[E0304]: train.epochs must be in [1, 100000], got -1
  at:  exp.toml:4:10
       epochs = -1
                ^~
)"},
        {"T24 10^9 epochs", with("[train]\nepochs = 1000000000\n"),
         R"(error[E0304]: train.epochs must be in [1, 100000], got 1000000000
  at:  exp.toml:4:10
       epochs = 1000000000
                ^~~~~~~~~~
)"},
        {"T25 empty batch", with("[batch]\nsize = 0\n"), R"(error[E0304]: batch.size must be in [1, 65536], got 0
  at:  exp.toml:4:8
       size = 0
              ^
)"},
        {"T26 no learning rate", with("[optim]\nlr = 0\n"),
         "warning: optim.lr = 0: nothing is learned (exp.toml:4:6)\n"},
        {"T26 negative rate", with("[optim]\nlr = -0.1\n"), R"(error[E0304]: optim.lr must be in [0, 100], got -0.1
  at:  exp.toml:4:6
       lr = -0.1
            ^~~~
)"},
        {"T27 momentum 1", with("[optim]\nmomentum = 1.0\n"), R"(error[E0304]: optim.momentum must be in [0, 1), got 1.0
  at:  exp.toml:4:12
       momentum = 1.0
                  ^~~
  why: at 1 the velocity never fades
)"},
        {"T28 temperature 0", with("[kd]\ntemperature = 0\n"),
         R"(error[E0304]: kd.temperature must be in (0, 100], got 0
  at:  exp.toml:4:15
       temperature = 0
                     ^
  why: the teacher's probabilities are softmax(z/T)
)"},
        {"T29 beta 1", with("[weights]\nbeta = 1.0\n"), R"(error[E0304]: weights.beta must be in [0, 1), got 1.0
  at:  exp.toml:4:8
       beta = 1.0
              ^~~
  why: the weight is (1 - beta)/(1 - beta^n): 1 divides by 0; the paper has 0.9999
)"},
        {"T30 no mixup", with("[method]\nname = \"mixup\"\n[mixup]\nalpha = 0\n"), ""},
        {"T30 negative mixup", with("[mixup]\nalpha = -1\n"), R"(error[E0304]: mixup.alpha must be in [0, 100], got -1
  at:  exp.toml:4:9
       alpha = -1
               ^~
)"},
        {"T41 ratio below 1", "model.name = \"resnet8\"\n[data]\nname = \"cifar10\"\nimbalance_ratio = 0.5\n",
         R"(error[E0304]: data.imbalance_ratio must be in [1, 1000000], got 0.5
  at:  exp.toml:4:19
       imbalance_ratio = 0.5
                         ^~~
  why: the ratio is largest class over smallest
)"},
        {"T41 infinite ratio", "model.name = \"resnet8\"\n[data]\nname = \"cifar10\"\nimbalance_ratio = inf\n",
         R"(error[E0304]: data.imbalance_ratio must be in [1, 1000000], got inf
  at:  exp.toml:4:19
       imbalance_ratio = inf
                         ^~~
  why: the ratio is largest class over smallest
)"},
        {"milestone below 0", with("[schedule]\nmilestones = [1, -2]\n"),
         R"(error[E0304]: schedule.milestones must be in [0, 100000], got -2
  at:  exp.toml:4:14
       milestones = [1, -2]
                    ^~~~~~~
)"},
    });
}

TEST_CASE("T31, T33, T35, T42: values that contradict each other are refused or warned of") {
    check_cases({
        {"T31 milestones fall", with("[schedule]\nmilestones = [180, 160]\n"),
         R"(error[E0305]: schedule.milestones must increase, got 180 before 160
  at:  exp.toml:4:14
)"},
        {"T31 milestones repeat", with("[schedule]\nmilestones = [160, 160]\n"),
         R"(error[E0305]: schedule.milestones must increase, got 160 before 160
  at:  exp.toml:4:14
)"},
        {"T31 milestone that never comes", with("[train]\nepochs = 20\n"),
         "warning: milestone 180 never comes: there are 20 epochs, counted from 0 (default)\n"},
        {"T33 no teacher", with("[method]\nname = \"bkd\"\n[stages.teacher]\nepochs = 0\n"),
         R"(error[E0305]: the stage teacher is left out (stages.teacher.epochs = 0) and no teacher.file is given
  at:  exp.toml:6:10
  why: method bkd learns from a teacher
  try: set teacher.file, or remove stages.teacher.epochs
)"},
        {"T35 stage that comes later", with("[method]\nname = \"bkd\"\n[stages.teacher]\ninit_from = \"student\"\n"),
         R"(error[E0311]: stages.teacher.init_from names stage "student", which is not trained before teacher
  at:  exp.toml:6:13
  why: the stages run in the order teacher, student
)"},
        {"T35 stage of itself", with("[method]\nname = \"bkd\"\n[stages.student]\ninit_from = \"student\"\n"),
         R"(error[E0311]: stages.student.init_from names stage "student", which is not trained before student
  at:  exp.toml:6:13
  why: the stages run in the order teacher, student
)"},
        {"T35 no such stage", with("[method]\nname = \"bkd\"\n[stages.student]\ninit_from = \"techer\"\n"),
         R"(error[E0311]: stages.student.init_from names stage "techer", which does not exist
  at:  exp.toml:6:13
  try: one of: teacher, student
)"},
        {"T42 few above many", with("[eval]\ngroups = [20, 100]\n"),
         R"(error[E0305]: eval.groups: many starts at 20, below few at 100
  at:  exp.toml:4:10
  why: many have more images than the first, few less than the second
)"},
        {"one group", with("[eval]\ngroups = [20]\n"), R"(error[E0305]: eval.groups takes two numbers, got 1
  at:  exp.toml:4:10
  why: many have more images than the first, few less than the second
)"},
        {"epochs twice", with("[stages.teacher]\nepochs = 1\ntrain.epochs = 2\n"),
         R"(error[E0305]: stages.teacher.epochs and stages.teacher.train.epochs say the same twice
  at:  exp.toml:5:16
)"},
    });
}

TEST_CASE("T32: names are those there are, the nearest first") {
    check_cases({
        {"T32 network", "data.name = \"cifar10\"\nmodel.name = \"resnet9\"\n",
         R"(error[E0304]: model.name must be one of resnet8, resnet14, resnet20, resnet32, resnet44, resnet56, resnet10, resnet18, resnet34, resnet50, resnet110, resnet101, resnet152, text_cnn, ride_resnet32, resnext50_32x4d, got "resnet9"
  at:  exp.toml:2:14
       model.name = "resnet9"
                    ^~~~~~~~~
)"},
        {"T32 data set", "data.name = \"cifar\"\nmodel.name = \"resnet8\"\n",
         R"(error[E0304]: data.name must be one of cifar10, cifar100, mnist, toy, cifar10_lt100, places_lt, image_list, synthetic, image_folder, imagenet_lt, fashion_mnist, inaturalist2018, got "cifar"
  at:  exp.toml:1:13
       data.name = "cifar"
                   ^~~~~~~
)"},
        {"T32 method", with("[method]\nname = \"kb\"\n"),
         R"(error[E0304]: method.name must be one of cb, kd, bkd, ce, mixup, balanced_softmax, got "kb"
  at:  exp.toml:4:8
       name = "kb"
              ^~~~
)"},
        {"choice", with("[weights]\nkind = \"ens\"\n"),
         R"(error[E0304]: weights.kind must be one of en, if, uniform, got "ens"
  at:  exp.toml:4:8
       kind = "ens"
              ^~~~~
)"},
    });
}

TEST_CASE("T36: a chain of bases exists, ends, has at most 8, and stays in its folder") {
    check_cases({
        {"T36 missing", "base = \"absent.toml\"\n", R"(error[E0501]: no such file: absent.toml
  at:  exp.toml:1:8
)"},
        {"T36 empty", "base = \"\"\n", R"(error[E0304]: base is empty
  at:  exp.toml:1:8
       base = ""
              ^~
  try: a path, or no base
)"},
        {"T36 without .toml", "base = \"base0\"\n", R"(error[E0304]: base "base0" is no file
  at:  exp.toml:1:8
       base = "base0"
              ^~~~~~~
  try: base = "base0.toml"
)"},
        {"T36 cycle", "base = \"exp.toml\"\n",
         R"(error[E0307]: base "exp.toml" comes back to a recipe that it is the base of
  at:  exp.toml:1:8
       base = "exp.toml"
              ^~~~~~~~~~
)"},
        {"T36 8 deep", "base = \"base7.toml\"\n", ""},
        {"T36 9 deep", "base = \"base8.toml\"\n", R"(error[E0307]: base "base0.toml" is base number 9
  at:  base1.toml:1:8
       base = "base0.toml"
              ^~~~~~~~~~~~
  why: a chain has at most 8
)"},
        {"T36 outside", "base = \"../../etc/passwd\"\n",
         R"(error[E0440]: base "../../etc/passwd" lies outside the recipe's folder
  at:  exp.toml:1:8
       base = "../../etc/passwd"
              ^~~~~~~~~~~~~~~~~~
  why: a base lies under the recipe's folder or is an installed recipe
)"},
        {"T36 absolute", "base = \"/etc/passwd\"\n",
         R"(error[E0440]: base "/etc/passwd" lies outside the recipe's folder
  at:  exp.toml:1:8
       base = "/etc/passwd"
              ^~~~~~~~~~~~~
  why: a base lies under the recipe's folder or is an installed recipe
)"},
    });
}

TEST_CASE("T38 to T40: paths mean the same for everybody, and a recipe says its schema") {
    check_cases({
        {"T38 $HOME", with("[teacher]\nfile = \"$HOME/x\"\n"),
         R"(error[E0304]: teacher.file = "$HOME/x": ~ and $ are not expanded
  at:  exp.toml:4:8
       file = "$HOME/x"
              ^~~~~~~~~
  why: a recipe means the same for everybody
  try: write the path out, or use BKD_DATA
)"},
        {"T38 ~", "model.name = \"resnet8\"\n[data]\nname = \"cifar10\"\nroot = \"~/x\"\n",
         R"(error[E0304]: data.root = "~/x": ~ and $ are not expanded
  at:  exp.toml:4:8
       root = "~/x"
              ^~~~~
  why: a recipe means the same for everybody
  try: write the path out, or use BKD_DATA
)"},
        {"T39 NUL in a path", with("[teacher]\nfile = \"a\\u0000b\"\n"),
         R"(error[E0304]: teacher.file has a control character: "a\x00b"
  at:  exp.toml:4:8
       file = "a\u0000b"
              ^~~~~~~~~~
)"},
        {"T40 newer schema", "recipe = 2\n" + required,
         R"(error[E1006]: recipe = 2 is newer than this program, which reads recipe = 1
  at:  exp.toml:1:10
       recipe = 2
                ^
  try: use the version of bkd that wrote it
)"},
        {"T40 older schema", "recipe = 0\n" + required, R"(error[E0304]: recipe must be in [1, 1], got 0
  at:  exp.toml:1:10
       recipe = 0
                ^
)"},
    });
}

}
