// Words, options and files that the program does not take: one message, the cause's exit code, nothing on stdout.
#include "tests/tools/program.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

const std::string recipe = BKD_SOURCE_DIR "/train/recipes/cifar10_lt_100_bkd.toml";

}

TEST_CASE("every verb refuses with the exit code of the cause, one message and one way on") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    std::ofstream(folder + "/ce.toml") << toy.recipe("ce").print();
    check_rows(
        folder,
        {
            {"train x --epochs 3", 2, "error[E0202]: bkd train has no option \"--epochs\""},
            {"train", 2, "error[E0206]"},
            {"train no_such_recipe", 5, "error[E0501]: no recipe \"no_such_recipe\""},
            {"train " + folder + "/ce.toml optim.lrr=1", 3, "error[E0302]: unknown key \"optim.lrr\""},
            {"train " + folder + "/ce.toml kd.temperature=-2", 3,
             "error[E0304]: kd.temperature must be in (0, 100], got -2"},
            {"train " + folder + "/ce.toml data.root=" + folder + "/nowhere", 5, "error[E0501]"},
            {"train --resume " + folder + "/nowhere", 10, "error[E1004]"},
            {"eval " + folder + "/none.safetensors", 5, "error[E0501]"},
            {"eval", 2, "error[E0206]"},
            {"eval x --device gpu", 2,
             "error[E0203]: --device must be cpu, cuda, cuda:N, reference or plan, got \"gpu\""},
            {"eval x --device cuda:3", 5, "error[E0501]"},
            {"data stats nothing", 3, "error[E0304]"},
            {"data stats fashion_mnist --root " + folder + "/nowhere", 5, "error[E0501]"},
            {"convert " + folder + "/toy.toml " + folder + "/o.safetensors --network resnet8", 4, "error[E04"},
            {"inspect " + folder + "/none.ckpt", 5, "error[E0501]"},
            {"check-ops dance", 2, "error[E0203]"},
            {"check-ops golden " + folder + "/none.safetensors", 5, "error[E0501]"},
            {"check-ops --case '('", 2, "error[E0203]"},
            {"check-ops --case " + std::string(4097, 'x'), 2, "--case has 4097 characters"},
            {"bench swim", 2, "error[E0203]"},
            {"bench step --dtype f16", 2, "error[E0203]"},
            {"bench step --network resnet9", 3, "error[E0304]: no network is called \"resnet9\""},
            {"help optim.rl", 2, "error[E0201]"},
            {"bench step --network text_cnn", 3, "error[E0304]: text_cnn needs a vocabulary"},
            {"eval x --expect 'top1>='", 2, "error[E0203]: --expect takes"},
            {"eval x --expect 'top1>=1e999'", 2, "error[E0203]: --expect takes"},
            {"eval x --expect 'few>=9'", 2, "error[E0203]: --expect takes"},
            {"check-ops --op nosuch", 2, "error[E0203]: no case of any op passes the filters"},
            {"check-ops golden " BKD_SOURCE_DIR "/tests/golden/ops.safetensors --op nosuch", 2,
             "error[E0203]: no case of the files"},
            {"bench step --device cuda:999", 8, "cuda:999"},
            {"eval x --device plan", 2, "error[E0203]: --device plan executes nothing"},
            {"inspect optim.lr=1", 2, "error[E0206]"},
            {"train " + folder + "/ce.toml run.name=../escaped", 3, "error[E0304]: run.name \"../escaped\" is no name"},
        });
}

TEST_CASE("surplus and empty words and values are refused, not ignored") {
    const bkd_test::TemporaryFolder folder;
    check_rows(folder.path().string(),
               {
                   {"data ls x", 2, "got \"ls x\""},
                   {"data stats mnist cifar10", 2, "error[E0207]: \"cifar10\" is one word too many for bkd data"},
                   {"bench ops x", 2, "error[E0207]"},
                   {"bench start a b c", 2, "error[E0207]"},
                   {"bench start a", 2, "error[E0206]: bench start needs a model and a file of images"},
                   {"bench start a b", 5, "error[E0501]: no such file: a\n"},
                   {"bench step --rounds 2", 2, "error[E0208]: --rounds has no effect in bkd bench step\n"},
                   {"bench step --peer torch --method bkd", 2, "error[E0208]: --method has no effect"},
                   {"bench start a b --direct", 2, "error[E0208]: --direct has no effect in bkd bench start"},
                   {"bench step --batch 1", 2, "error[E0203]: --batch 1"},
                   {"bench infer --method bkd", 2, "error[E0208]"},
                   {"bench step --peer torch --python ./none", 5, "error[E0501]: no program ./none can be started"},
                   {"doctor x", 2, "error[E0207]"},
                   {"bench step --device cpu --tf32", 2, "error[E0208]: --tf32 has no effect on cpu"},
                   {"bench step --device cpu --tune t.txt", 2, "error[E0208]: --tune has no effect on cpu"},
                   {"doctor --cuda-properties --json", 2, "error[E0208]: --json has no effect beside"},
                   {"doctor --cuda-properties --plans", 2, "error[E0208]: --plans has no effect beside"},
                   {"check-ops test x", 2, "error[E0207]"},
                   {"convert a b c", 2, "error[E0207]"},
                   {"help a b", 2, "error[E0207]"},
                   {"version x", 2, "error[E0207]"},
                   {"--help x", 2, "error[E0207]"},
                   {"inspect a.safetensors b c", 2, "error[E0207]"},
                   {"train ''", 2, "error[E0206]: bkd train got an empty word where RECIPE belongs"},
                   {"inspect ''", 2, "error[E0206]"},
                   {"train x --name ''", 2, "error[E0203]: --name must be a text that is not empty, got \"\""},
                   {"eval x --data ''", 2, "error[E0203]"},
                   {"data ls --root ''", 2, "error[E0203]"},
                   {"data ls --split test", 2, "error[E0208]"},
                   {"bench --op relu", 2, "error[E0208]: --op has no effect in bkd bench step"},
                   {"bench ops --steps 3", 2, "  try: bkd bench step --steps\n"},
                   {"eval x --logits a --predictions a", 2, "error[E0208]"},
                   {"train x --name=", 2, "error[E0203]: --name needs a value"},
                   {"train x --name", 2, "error[E0203]: --name needs a value"},
                   {"train x --seed 1 run.seed=2", 2, "error[E0204]: run.seed is given twice: \"1\" and \"2\""},
                   {"train x --name a 'run.name=\"b\"'", 2, "error[E0204]: run.name is given twice"},
                   {"train x --name a 'run.name=\"a\"'", 5, "error[E0501]: no recipe \"x\""},
                   {"train x --run-dir a run.dir=b", 2, "error[E0204]: run.dir is given twice"},
                   {"convert a b --mean 0.5", 2, "error[E0206]: --mean and --std need --data"},
                   {"convert a b --data cifar10 --mean x", 2, "error[E0203]: --mean takes numbers"},
                   {"bench ops --op nosuch", 2, "error[E0203]: no case of any op passes the filters"},
                   {"train x --seed 1 --seed 2", 2, "error[E0204]: --seed is given twice"},
               });
}

TEST_CASE("the place of a result is looked at before the work") {
    const bkd_test::TemporaryFolder folder;
    folder.write("old", "kept");
    const std::string here = folder.path().string();
    check_rows(here, {
                         {"eval x --predictions " + here + "/old", 6, "error[E0607]"},
                         {"eval x --logits " + here + "/none/new", 6, "error[E0601]"},
                         {"eval x --logits " + here, 6, "error[E0604]"},
                     });
    CHECK(text_of_file(here + "/old") == "kept");
}

TEST_CASE("a seed outside its range is a bad option, and says the range") {
    const bkd_test::TemporaryFolder folder;
    const std::string range = "error[E0203]: --seed must be 0..9223372036854775807, got \"";
    for (const char* seed : {"-1", "1e3", "9223372036854775808", "''"})
        check_rows(folder.path().string(), {{fmt::format("train x --seed {}", seed), 2, range}});
}

TEST_CASE("an unknown option that is near a recipe's key is answered with the override") {
    const bkd_test::TemporaryFolder folder;
    check_rows(folder.path().string(),
               {
                   {"train x --epochs 3", 2, "  try: key train.epochs: write train.epochs=3\n"},
                   {"train x --epoch=7", 2, "  try: key train.epochs: write train.epochs=7\n"},
                   {"train x --lr 0.1 --seed 2", 2, "  try: key optim.lr: write optim.lr=0.1\n"},
                   {"inspect x --batch-size", 2, "  try: key batch.size: write batch.size=VALUE\n"},
                   {"train x --seeds 3", 2, "  try: --seed\n"},
                   {"eval x --epochs 3", 2, "  try: bkd eval --help\n"},
               });
}

TEST_CASE("a cut needs both its law and its ratio") {
    const bkd_test::TemporaryFolder folder;
    check_rows(folder.path().string(),
               {
                   {"data stats mnist --ratio 10", 2, "error[E0206]: --ratio needs --imbalance"},
                   {"data stats mnist --subset-seed 1", 2, "error[E0206]: --subset-seed needs --imbalance"},
                   {"data stats mnist --imbalance step", 2, "error[E0206]: --imbalance needs --ratio"},
                   {"data ls --ratio 10", 2, "error[E0208]: --ratio has no effect in bkd data ls"},
                   {"convert a b --data-root x", 2, "error[E0206]: --data-root needs --data"},
               });
}

TEST_CASE("a resumed run keeps its seed, name and place, whichever way another is asked for") {
    ToyRun toy;
    toy.train("ce", "run", {"train.max_steps=1"});
    const std::string resume = "train --resume " + toy.path().string() + "/run ";
    check_rows(toy.path().string(),
               {
                   {resume + "--seed 2", 2, "error[E0208]: --resume goes on with the run as it is"},
                   {resume + "--name other", 2, "option --name"},
                   {resume + "--run-dir other", 2, "option --run-dir"},
                   {resume + "run.seed=2", 10, "error[E1005]: run.seed cannot change on resume"},
                   {resume + "run.name=b", 10, "why: the run goes on in its folder"},
                   {resume + "run.dir=b", 10, "error[E1005]: run.dir cannot change on resume"},
               });
    const Said done = run_program(toy.path().string(), resume);
    CHECK(done.code == 0);
    const std::size_t first = done.err.find("nothing to do");
    CHECK(first != std::string::npos);
    CHECK(done.err.find("nothing to do", first + 1) == std::string::npos);
}

TEST_CASE("inspect judges a file by what it holds, not by its name") {
    const bkd_test::TemporaryFolder folder;
    using namespace std::string_literals;
    folder.write("digits", "\0\0\x08\x03\0\0\0\x01\0\0\0\x1c\0\0\0\x1c"s);
    folder.write("packed.toml.gz", "\x1f\x8b\x08\0\0\0\0\0\0\x03"s);
    folder.write("page", "<!DOCTYPE html><html>");
    folder.write("noise", "\x01\x02\x03\x04\x05\x06\x07\x08\x09"s);
    const std::string alone =
        text_of_file(BKD_SOURCE_DIR "/train/recipes/cifar10_lt_100_resnet8_ce.toml");  // has no base
    folder.write("recipe", alone);
    folder.write("umlaut", "# \xc3\xbc\n" + alone);
    std::filesystem::create_directory(folder / "run");
    folder.write("run/run.json", "{}");
    const std::string here = folder.path().string();
    check_rows(here, {
                         {"inspect " + here + "/digits", 4, "error[E0429]: this is an IDX file of images"},
                         {"inspect " + here + "/packed.toml.gz", 4, "error[E0429]: this is a gzip file"},
                         {"inspect " + here + "/page", 4, "error[E0429]: this is an HTML page"},
                         {"inspect " + here + "/noise", 4, "error[E0429]: this is no file that bkd inspects"},
                         {"inspect " + here + "/recipe optim.lrr=1", 3, "error[E0302]"},
                         {"inspect " + here, 5, "is a folder\n  try: bkd inspect FILE"},
                         {"inspect " + here + "/run", 5, "/run is a folder, of a run\n  try: a file in it: "},
                         {"inspect /dev/null", 5, "error[E0503]"},
                         {"inspect nowhere", 5, "error[E0501]: no recipe \"nowhere\""},
                     });
    for (const char* name : {"/recipe", "/umlaut"}) CHECK(run_program(here, "inspect " + here + name).code == 0);
    std::filesystem::copy_file(BKD_SOURCE_DIR "/tests/golden/ops.safetensors", folder / "golden");
    CHECK(contains(run_program(here, "inspect " + here + "/golden").out, " tensors, "));
}

TEST_CASE("inspect refuses of a recipe what train would refuse: networks, methods, data sets and stages") {
    const bkd_test::TemporaryFolder folder;
    const std::string inspect = "inspect " + recipe + " ";
    check_rows(folder.path().string(), {
                                           {inspect + "model.name=resnet9", 3, "error[E0304]: model.name must be"},
                                           {inspect + "method.name=kb", 3, "error[E0304]: method.name must be"},
                                           {inspect + "data.name=cifar", 3, "error[E0304]: data.name must be"},
                                           {inspect + "stages.studnet.epochs=3", 3, "error[E0302]: unknown stage"},
                                           {inspect + "stages.student.init_from=techer", 3, "error[E0311]"},
                                       });
}

TEST_CASE("every result that --json gives is one JSON document, of a recipe with its values' places") {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string(), golden = BKD_SOURCE_DIR "/tests/golden/ops.safetensors";
    struct Document {
        std::string words, schema;
    };
    const Document documents[] = {
        {"data ls", "bkd.data-list/1"},
        {"inspect " + golden, "bkd.inspect/1"},
        {"inspect " + recipe + " optim.lr=0.25", "bkd.recipe/1"},
        {"check-ops list --op relu_forward", "bkd.check-list/1"},
        {"check-ops --op relu_forward", "bkd.check-ops/1"},
        {"check-ops golden " + golden + " --op relu --device reference", "bkd.check-golden/1"},
        {"bench ops --op relu_forward --min-time 0.01", "bkd.bench-ops/1"},
        {"bench step --network resnet8 --batch 2 --steps 1 --size 8", "bkd.bench-step/1"},
        {"bench step --network resnet8 --batch 2 --steps 1 --size 8 --dtype bf16", "bkd.bench-step/1"},
        {"bench infer --network resnet8 --batch 1 --steps 1 --size 8", "bkd.bench-infer/1"},
        {"doctor", "bkd.doctor/1"},
        {"doctor --plans", "bkd.doctor-plans/1"},
    };
    for (const Document& document : documents) {
        CAPTURE(document.words);
        const Said said = run_program(here, document.words + " --json");
        CAPTURE(said.err);
        CHECK(said.code == 0);
        const Json json = Json::parse(said.out, "stdout");
        CHECK(json.at("schema").text() == document.schema);
        if (document.schema != "bkd.recipe/1") continue;
        const auto& values = json.at("values").elements();
        const auto rate = std::ranges::find_if(values, [](const Json& v) { return v.at("key").text() == "optim.lr"; });
        REQUIRE(rate != values.end());
        CHECK(rate->at("value").number() == 0.25);
        CHECK(rate->at("from").text() == "override #1 \"optim.lr=0.25\"");
    }
}

}
