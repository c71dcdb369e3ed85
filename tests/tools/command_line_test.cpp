// T1, T25, T34, T41 and T43 to T62: overrides, options, words and open files of the real program, said in full.
#include "engine/model_file.h"
#include "models/network.h"
#include "tests/tools/recipe_cases.h"
#include "tests/train/toy_run.h"

#include <sys/stat.h>

#include <thread>

namespace bkd::test {
namespace {

struct Line {
    const char* name;
    std::vector<std::string> words;
    std::string says;
};

void check_lines(const std::string& folder, const std::vector<Line>& lines) {
    for (const Line& line : lines) {
        CAPTURE(line.name);
        const Said said = run_words(folder, line.words);
        CHECK(said.err == "\nbkd: " + line.says);
        CHECK(said.code == exit_code_of(line.says));
        CHECK(said.out.empty());
    }
}

// A model file of ResNet-8 for grey images whose weights are all 0.
void write_model(const std::filesystem::path& path, std::int64_t classes) {
    const auto network = make_network({.name = "resnet8", .classes = classes, .channels = 1});
    const std::vector<float> zeros(1 << 20);
    std::vector<TensorToStore> tensors;
    for (const ExpectedTensor& t : expected_tensors(network->parameters())) {
        std::int64_t count = 1;
        for (const std::int64_t extent : t.shape) count *= extent;
        tensors.push_back(f32_tensor(t.name, t.shape, std::span(zeros).first(static_cast<std::size_t>(count))));
    }
    write_file_atomically(path, safetensors_bytes(std::move(tensors), {}, Checksums::no), Overwrite::yes);
}

}

TEST_CASE("T1: a recipe that is not there, a folder or not readable is told apart") {
    const bkd_test::TemporaryFolder folder;
    std::filesystem::create_directory(folder / "folder.toml");
    folder.write("secret.toml", required);
    ::chmod((folder / "secret.toml").c_str(), 0);
    check_lines(
        folder.path().string(),
        {
            {"T1 not there", {"train", "absent.toml"}, "error[E0501]: no such file: absent.toml\n"},
            {"T1 a folder", {"train", "folder.toml"}, "error[E0503]: folder.toml is a folder, not a regular file\n"},
            {"T1 no such name",
             {"train", "cifar10_lt_100_bdk"},
             "error[E0501]: no recipe \"cifar10_lt_100_bdk\"\n  try: cifar10_lt_100_bkd\n"},
        });
    if (::geteuid() == 0) return;  // root may read everything
    check_lines(folder.path().string(),
                {{"T1 not readable", {"train", "secret.toml"}, "error[E0502]: not allowed to read secret.toml\n"}});
}

TEST_CASE("T25, T34, T41: what contradicts the data is refused when the data are there") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    std::ofstream(folder + "/toy_ce.toml") << toy.recipe("ce").print();
    std::ofstream(folder + "/toy_kd.toml") << toy.recipe("kd").print();
    write_model(toy.path() / "five.safetensors", 5);
    check_lines(folder, {
                            {"T25 larger than the set",
                             {"train", "toy_ce.toml", "batch.size=119", "batch.drop_last=true"},
                             R"(error[E0305]: batch.size = 119 is larger than the training set of 110 images
  at:  override #1 "batch.size=119"
  why: batch.drop_last = true leaves out the only batch
  try: batch.drop_last=false
)"},
                            {"T34 teacher of 5 classes",
                             {"train", "toy_kd.toml", "teacher.file=five.safetensors"},
                             R"(error[E0413]: tensor "linear.weight" is [5,64], this network needs [10,64]
  at:  five.safetensors
  why: 2 of 37 tensors differ; first shown
  try: bkd inspect five.safetensors
)"},
                            {"T41 ratio above the largest class",
                             {"train", "toy_ce.toml", "data.imbalance_ratio=25"},
                             R"(error[E0304]: data.imbalance_ratio must be at most 24, got 25
  at:  override #1 "data.imbalance_ratio=25"
  why: the largest class has 24 images: the smallest would have none
)"},
                        });
    CHECK(run_words(folder, {"train", "toy_ce.toml", "batch.size=119", "train.epochs=1", "--threads", "1"}).code == 0);
}

TEST_CASE("T43 to T50: an override is one assignment to one key") {
    check_cases({
        {"T43 no =",
         required,
         R"(error[E0205]: "optim.lr" is no override: it has no =
  at:  override #1 "optim.lr"
  try: write key=value
)",
         {"optim.lr"}},
        {"T43 two recipes",
         required,
         R"(error[E0205]: "other.toml" is no override: it has no =
  at:  override #1 "other.toml"
  try: write key=value
)",
         {"other.toml"}},
        {"T44 no key",
         required,
         R"(error[E0205]: an override needs a key before =
  at:  override #1 "=x"
  try: write key=value
)",
         {"=x"}},
        {"T44 two dots",
         required,
         R"(error[E0205]: "a..b" has an empty part between its dots
  at:  override #1 "a..b=1"
)",
         {"a..b=1"}},
        {"T44 dot at the end",
         required,
         R"(error[E0205]: "a." has an empty part between its dots
  at:  override #1 "a.=1"
)",
         {"a.=1"}},
        {"T44 dot at the start",
         required,
         R"(error[E0205]: ".a" has an empty part between its dots
  at:  override #1 ".a=1"
)",
         {".a=1"}},
        {"T45 no value",
         required,
         R"(error[E0205]: empty value; use run.name=""
  at:  override #1 "run.name="
)",
         {"run.name="}},
        {"T45 no value of an unknown key",
         required,
         R"(error[E0205]: empty value; use a=""
  at:  override #1 "a="
)",
         {"a="}},
        {"T46 quotes eaten by the shell", required, "", {"run.name=my run"}},
        {"T47 a table",
         required,
         R"(error[E0205]: the value of optim is a table
  at:  override #1 "optim={lr=0.1}"
  try: set leaves one by one: optim.KEY=VALUE
)",
         {"optim={lr=0.1}"}},
        {"T48 beyond the list",
         required,
         R"(error[E0302]: schedule.milestones.7: the list has 2 elements
  at:  override #1 "schedule.milestones.7=1"
  try: schedule.milestones+=VALUE adds one
)",
         {"schedule.milestones.7=1"}},
        {"T48 no such stage",
         required,
         R"(error[E0302]: unknown stage "studnet" in stages.studnet.optim.lr
  at:  override #2 "stages.studnet.optim.lr=1"
  try: stages.student.optim.lr
)",
         {"method.name=bkd", "stages.studnet.optim.lr=1"}},
        {"T49 twice",
         required,
         "note: override #2 \"optim.lr=0.2\" replaces override #1 \"optim.lr=0.1\"\n",
         {"optim.lr=0.1", "optim.lr=0.2", "-v"}},
        {"T49 twice without -v", required, "", {"optim.lr=0.1", "optim.lr=0.2"}},
        {"T50 4,000 overrides", required, "", std::vector<std::string>(4000, "run.seed=5")},
        {"unknown key",
         required,
         R"(error[E0302]: unknown key "optim.learning_rate"
  at:  override #1 "optim.learning_rate=0.1"
  try: optim.lr
)",
         {"optim.learning_rate=0.1"}},
        {"element of no list",
         required,
         R"(error[E0302]: unknown key "optim.lr.0"
  at:  override #1 "optim.lr.0=1"
  try: optim.lr
)",
         {"optim.lr.0=1"}},
        {"append to no list",
         required,
         R"(error[E0303]: optim.lr takes a number: nothing can be appended
  at:  override #1 "optim.lr+=1"
)",
         {"optim.lr+=1"}},
        {"two lines",
         required,
         R"(error[E0303]: optim.lr takes a number, got "1\x0aoptim.momentum=0"
  at:  override #1 "optim.lr=1\x0aoptim.momentum=0"
)",
         {"optim.lr=1\noptim.momentum=0"}},
        {"no number",
         required,
         R"(error[E0303]: optim.lr takes a number, got "fast"
  at:  override #1 "optim.lr=fast"
)",
         {"optim.lr=fast"}},
        {"base",
         required,
         R"(error[E0305]: base can be set in a recipe's file only
  at:  override #1 "base=other.toml"
  try: write a recipe with this base
)",
         {"base=other.toml"}},
        {"second of two",
         required,
         R"(error[E0304]: kd.temperature must be in (0, 100], got 0
  at:  override #2 "kd.temperature=0"
  why: the teacher's probabilities are softmax(z/T)
)",
         {"optim.lr=1", "kd.temperature=0"}},
        {"T61 value not UTF-8",
         required,
         R"(error[E0205]: an override must be UTF-8 text
  at:  override #1 "run.name=\xff"
)",
         {"run.name=\xff"}},
        {"T61 key not UTF-8",
         required,
         R"(error[E0205]: an override must be UTF-8 text
  at:  override #1 "\xff=1"
)",
         {"\xff=1"}},
    });
}

TEST_CASE("T51 to T57: options have ranges, are given once, and unknown ones are answered") {
    const bkd_test::TemporaryFolder folder;
    folder.write("exp.toml", required);
    const std::string range = "error[E0203]: --seed must be 0..9223372036854775807, got \"";
    check_lines(
        folder.path().string(),
        {
            {"T51 -1", {"train", "exp.toml", "--seed", "-1"}, range + "-1\"\n  at:  option --seed\n"},
            {"T51 1e3", {"train", "exp.toml", "--seed", "1e3"}, range + "1e3\"\n  at:  option --seed\n"},
            {"T51 empty", {"train", "exp.toml", "--seed", ""}, range + "\"\n  at:  option --seed\n"},
            {"T51 2^63",
             {"train", "exp.toml", "--seed", "9223372036854775808"},
             range + "9223372036854775808\"\n  at:  option --seed\n"},
            {"T52 abc",
             {"train", "exp.toml", "--threads", "abc"},
             "error[E0203]: --threads must be 1..1024, got \"abc\"\n  at:  option --threads\n"},
            {"T53 gpu",
             {"bench", "--device", "gpu"},
             "error[E0203]: --device must be cpu, cuda, cuda:N, reference or plan, got \"gpu\"\n  at:  option "
             "--device\n"},
            {"T53 no number",
             {"bench", "--device", "cuda:"},
             "error[E0203]: --device must be cpu, cuda, cuda:N, reference or plan, got \"cuda:\"\n  at:  option "
             "--device\n"},
            {"T56 twice",
             {"train", "exp.toml", "--seed", "1", "--seed", "2"},
             "error[E0204]: --seed is given twice\n  at:  option --seed\n  try: bkd train --help\n"},
            {"T57 key as option",
             {"train", "exp.toml", "--epoch", "3"},
             "error[E0202]: bkd train has no option \"--epoch\"\n  try: key train.epochs: write train.epochs=3\n"},
            {"T57 without a value",
             {"train", "exp.toml", "--epoch"},
             "error[E0202]: bkd train has no option \"--epoch\"\n  try: key train.epochs: write train.epochs=VALUE\n"},
            {"T57 nothing near",
             {"data", "ls", "--wholly-different"},
             "error[E0202]: bkd data has no option \"--wholly-different\"\n  try: bkd data --help\n"},
        });
    const Said absent = run_words(folder.path().string(), {"bench", "--device", "cuda:99"});
    CHECK(absent.code == 8);  // no backend, no driver or no such device, by machine
    CHECK(absent.err.starts_with("\nbkd: error[E080"));
    const unsigned threads = std::thread::hardware_concurrency() + 1;
    const Said many = run_words(folder.path().string(), {"bench", "--network", "resnet8", "--batch", "2", "--steps",
                                                         "1", "--size", "8", "--threads", std::to_string(threads)});
    CHECK(many.code == 0);
    CHECK(many.err.starts_with(fmt::format("warning: {} threads on ", threads)));
}

TEST_CASE("T54: a result takes the place of no folder, no input, and lies in a folder that is there") {
    const bkd_test::TemporaryFolder folder;
    write_model(folder / "a.safetensors", 10);
    std::filesystem::create_directory(folder / "there");
    std::filesystem::create_hard_link(folder / "a.safetensors", folder / "there/same");
    const std::string as_resnet = "--network";
    check_lines(folder.path().string(),
                {
                    {"T54 a folder",
                     {"eval", "a.safetensors", "--predictions", "there"},
                     "error[E0604]: ./there is a folder, no file can take its place\n  at:  ./there\n  why: nothing "
                     "was left behind\n"},
                    {"T54 no parent",
                     {"eval", "a.safetensors", "--logits", "none/out"},
                     "error[E0601]: no such folder: none\n  at:  none/out\n"},
                    {"T54 the input",
                     {"eval", "a.safetensors", "--logits", "a.safetensors"},
                     "error[E0606]: a.safetensors is read and would be written\n  why: what is made from a file does "
                     "not take its place\n  try: another name for the result\n"},
                    {"T54 the input by another name",
                     {"convert", "a.safetensors", "there/same", as_resnet, "resnet8", "--force"},
                     "error[E0606]: there/same is read and would be written\n  why: what is made from a file does not "
                     "take its place\n  try: another name for the result\n"},
                    {"T54 convert into a folder",
                     {"convert", "a.safetensors", "there", as_resnet, "resnet8", "--force"},
                     "error[E0604]: ./there is a folder, no model can take its place\n  at:  ./there\n  why: the "
                     "previous there is intact\n"},
                    {"T54 convert without parent",
                     {"convert", "a.safetensors", "none/b", as_resnet, "resnet8"},
                     "error[E0601]: no such folder: none\n  at:  none/b\n"},
                });
}

TEST_CASE("T58: nothing asked is help, an unknown verb is answered with the one that was meant") {
    const bkd_test::TemporaryFolder folder;
    const Said help = run_words(folder.path().string(), {});
    CHECK(help.code == 0);
    CHECK(help.err.empty());
    CHECK(contains(help.out, "usage: bkd VERB"));
    check_lines(
        folder.path().string(),
        {
            {"T58 unknown verb", {"wholly"}, "error[E0201]: unknown verb \"wholly\"\n  try: bkd --help\n"},
            {"T58 misspelled verb", {"inspekt"}, "error[E0201]: unknown verb \"inspekt\"\n  try: bkd inspect --help\n"},
        });
}

TEST_CASE("T59, T61: after -- words are names, which may begin with - and need not be UTF-8") {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string();
    for (const char* name : {"--weird.safetensors", "-", "\xff\xfe.safetensors", "a\nb.safetensors"})
        write_model(folder / name, 10);
    CHECK(run_words(here, {"inspect", "--", "--weird.safetensors"}).code == 0);
    CHECK(run_words(here, {"inspect", "-"}).code == 0);
    CHECK(run_words(here, {"inspect", "./-"}).code == 0);
    CHECK(run_words(here, {"inspect", "\xff\xfe.safetensors"}).code == 0);
    CHECK(run_words(here, {"inspect", "a\nb.safetensors"}).code == 0);
    check_lines(
        here,
        {
            {"T59 no such file",
             {"inspect", "--", "--none.safetensors"},
             "error[E0501]: no such file: --none.safetensors\n"},
            {"T61 no such file", {"inspect", "\xff.safetensors"}, "error[E0501]: no such file: \\xff.safetensors\n"},
            {"T61 unknown verb", {"\xff"}, "error[E0201]: unknown verb \"\\xff\"\n  try: bkd --help\n"},
            {"T61 unknown option",
             {"eval", "--\xff"},
             "error[E0202]: bkd eval has no option \"--\\xff\"\n  try: bkd eval --help\n"},
        });
}

TEST_CASE("T62: a program started without standard files trains the same, and writes nothing of itself into a run") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    std::ofstream(folder + "/toy_ce.toml") << toy.recipe("ce").print();
    const std::string train = " train " + folder + "/toy_ce.toml train.epochs=1 --threads 1 --name ";
    REQUIRE(std::system((BKD_PROGRAM + train + "open >/dev/null 2>&1").c_str()) == 0);
    REQUIRE(std::system((BKD_PROGRAM + train + "closed <&- >&- 2>&-").c_str()) == 0);
    REQUIRE(std::system((BKD_PROGRAM + train + "full >/dev/full 2>/dev/full").c_str()) == 0);
    for (const char* file : {"models/train.last.safetensors", "metrics.csv"})
        CHECK(toy.bytes(std::string("open/") + file) == toy.bytes(std::string("closed/") + file));
    CHECK(toy.bytes("closed/log.jsonl").starts_with("{\"t\":"));
    // Another verb's result is what it prints: where that is lost it has failed.
    CHECK(std::system((BKD_PROGRAM " help keys >&- 2>" + folder + "/err").c_str()) == 6 << 8);
    CHECK(contains(text_of_file(folder + "/err"), "error[E0602]"));
    CHECK(std::system(BKD_PROGRAM " help keys >/dev/null 2>&-") == 0);
}

TEST_CASE("a path that the system does not look at is one that cannot be read, whatever the verb") {
    const bkd_test::TemporaryFolder folder;
    const std::string name(300, 'a');
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"inspect", name}, {"report", name}, {"train", name}, {"train", "--resume", name}}) {
        CAPTURE(words[0]);
        const Said said = run_words(folder.path().string(), words);
        CHECK(said.code == 5);
        CHECK(contains(said.err, "error[E050"));
    }
}

}
