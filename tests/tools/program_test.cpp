// The real program: exit codes, messages, a run killed and taken up again, and its model in PyTorch.
#include "tests/tools/program.h"
#include "engine/sha256.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace bkd::test {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string hash_of(const std::filesystem::path& file) {
    const std::string text = text_of_file(file.string());
    REQUIRE(!text.empty());
    return sha256_hex(std::as_bytes(std::span(text)));
}

// The toy's recipe as a file, for the program to read.
std::string write_recipe(const ToyRun& toy, const std::string& method) {
    const std::string path = (toy.path() / (method + ".toml")).string();
    std::ofstream(path) << toy.recipe(method).print();
    return path;
}

}

TEST_CASE("every verb refuses with the exit code of the cause, one message and one way on") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    struct Row {
        std::string words;
        int code;
        std::string said;
    };
    const Row rows[] = {
        {"trian", 2, "bkd: error[E0201]: unknown verb \"trian\"\n  try: bkd train --help\n"},
        {"train " + folder + "/toy.toml --threads 0x", 2,
         "error[E0203]: --threads must be 0..1024, got \"0x\"\n  at:  option --threads\n"},
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
        {"eval x --device gpu", 2, "error[E0203]: --device must be cpu, cuda, cuda:N, reference or plan, got \"gpu\""},
        {"eval x --device cuda:3", 5, "error[E0501]"},
        {"data stats nothing", 3, "error[E0304]"},
        {"data stats fashion_mnist --root " + folder + "/nowhere", 5, "error[E0501]"},
        {"convert " + folder + "/toy.toml " + folder + "/o.safetensors --network resnet8", 4, "error[E04"},
        {"inspect " + folder + "/none.ckpt", 5, "error[E0501]"},
        {"check-ops dance", 2, "error[E0203]"},
        {"check-ops golden " + folder + "/none.safetensors", 5, "error[E0501]"},
        {"check-ops --case '('", 2, "error[E0203]"},
        {"bench swim", 2, "error[E0203]"},
        {"bench step --network resnet9", 3, "error[E0304]: no network is called \"resnet9\""},
        {"help optim.rl", 2, "error[E0201]"},
        {"bench step --network text_cnn", 3, "error[E0304]: text_cnn needs a vocabulary"},
        {"eval x --expect 'top1>='", 2, "error[E0203]: --expect takes"},
        {"eval x --expect 'top1>=1e999'", 2, "error[E0203]: --expect takes"},
        {"eval x --expect 'few>=9'", 2, "error[E0203]: --expect takes"},
        {"check-ops --op nosuch", 2, "error[E0203]: no case of any op passes the filters"},
        {"check-ops golden " BKD_SOURCE_DIR "/tests/golden/ops.safetensors --op nosuch", 2,
         "error[E0203]: no case of the files"},
        {"eval x --device plan", 2, "error[E0203]: --device plan executes nothing"},
        {"inspect optim.lr=1", 2, "error[E0206]"},
        {"train " + folder + "/ce.toml run.name=../escaped", 3, "error[E0304]: run.name \"../escaped\" is no name"},
    };
    write_recipe(toy, "ce");
    for (const Row& row : rows) {
        CAPTURE(row.words);
        const Said said = run_program(folder, row.words);
        CAPTURE(said.err);
        CHECK(said.code == row.code);
        CHECK(contains(said.err, row.said));
        CHECK(said.out.empty());
    }
}

TEST_CASE("help goes to standard output, is at most 100 columns wide and names every verb") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    for (const std::string words :
         {"", "--help", "train --help", "eval --help", "data --help", "convert --help", "inspect --help",
          "check-ops --help", "bench --help", "help", "help optim.lr", "help recipes", "version"}) {
        CAPTURE(words);
        const Said said = run_program(folder, words);
        CHECK(said.code == 0);
        CHECK(said.err.empty());
        std::istringstream lines(said.out);
        for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 130);
    }
    for (const char* verb : {"train", "eval", "data", "convert", "inspect", "check-ops", "bench"})
        CHECK(contains(run_program(folder, "").out, verb));
}

TEST_CASE("a run killed at an epoch end and resumed ends with the same weights, bit for bit") {
    const ToyRun toy;
    const std::string folder = toy.path().string(), recipe = write_recipe(toy, "bkd");
    const Said whole = run_program(folder, "train " + recipe + " train.epochs=3 --name whole --threads 1");
    REQUIRE(whole.code == 0);
    CHECK(whole.out == (toy.path() / "whole").string() + "\n");

    const std::filesystem::path checkpoints = toy.path() / "killed/checkpoints";
    const pid_t child = fork();
    if (child == 0) {
        execl(BKD_PROGRAM, "bkd", "train", recipe.c_str(), "train.epochs=3", "--name", "killed", "--threads", "1",
              "--progress", "none", nullptr);
        _exit(127);
    }
    const auto checkpoint_is_there = [&] {
        std::error_code none_yet;
        for (const auto& entry : std::filesystem::directory_iterator(checkpoints, none_yet))
            if (entry.path().extension() == ".ckpt") return true;
        return false;
    };
    for (int i = 0; i < 20000 && !checkpoint_is_there(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(checkpoint_is_there());

    const Said resumed = run_program(folder, "train --resume " + folder + "/killed --threads 1");
    CAPTURE(resumed.err);
    REQUIRE(resumed.code == 0);
    for (const char* model : {"models/teacher.last.safetensors", "models/student.last.safetensors"})
        CHECK(hash_of(toy.path() / "killed" / model) == hash_of(toy.path() / "whole" / model));
    CHECK(contains(run_program(folder, "train --resume " + folder + "/killed").err, "nothing to do"));
    CHECK(run_program(folder, "train " + recipe + " --name whole").code == 10);
}

TEST_CASE("models stand beside each other, --expect is a gate, and results are one JSON document") {
    const ToyRun toy;
    const std::string folder = toy.path().string(), recipe = write_recipe(toy, "bkd");
    REQUIRE(run_program(folder, "train " + recipe + " --name run --threads 1").code == 0);
    const std::string models = folder + "/run/models/teacher.last.safetensors " + folder +
                               "/run/models/student.last.safetensors --data-root " + folder;
    const Said table = run_program(folder, "eval " + models + " --per-class --confusion");
    CAPTURE(table.err);
    CHECK(table.code == 0);
    CHECK(contains(table.out, "teacher.last"));
    CHECK(contains(table.out, "difference"));
    CHECK(run_program(folder, "eval " + models + " --expect 'top1>=0'").code == 0);
    CHECK(run_program(folder, "eval " + models + " --expect 'top1>=100.5'").code == 1);
    CHECK(run_program(folder, "eval " + models + " --expect top1").code == 2);
    const Said json = run_program(folder, "eval " + models + " --json");
    CHECK(Json::parse(json.out, "stdout").at("models").elements().size() == 2);
    CHECK(Json::parse(run_program(folder, "data stats fashion_mnist --root " + folder + " --json").out, "stdout")
              .at("total")
              .integer() == 240);
    CHECK(contains(run_program(folder, "inspect " + folder + "/run/models/student.last.safetensors").out,
                   "layer1.0.conv1.weight"));
    CHECK(contains(run_program(folder, "inspect " + folder + "/run/models/student.last.safetensors linear.bias").out,
                   "norm"));
}

TEST_CASE("a model trained here loads into the same network in PyTorch and predicts the same") {
    const ToyRun toy;
    const std::string folder = toy.path().string(), recipe = write_recipe(toy, "ce");
    REQUIRE(run_program(folder, "train " + recipe + " --name run --threads 1").code == 0);
    const std::string model = folder + "/run/models/train.last.safetensors";
    REQUIRE(run_program(folder, "eval " + model + " --data-root " + folder + " --logits " + folder + "/logits").code ==
            0);
    const std::string idx = text_of_file(folder + "/t10k-images-idx3-ubyte");
    std::ofstream(folder + "/images", std::ios::binary) << idx.substr(16);
    const std::string script = BKD_SOURCE_DIR "/tests/tools/torch_interop.py";
    for (const std::string python : {"/usr/bin/python3", "python3"}) {
        const int status = std::system((python + " " + script + " " + model + " " + folder + "/images " + folder +
                                        "/logits >" + folder + "/torch 2>&1")
                                           .c_str());
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (code == 77 || code == 127) continue;
        CAPTURE(text_of_file(folder + "/torch"));
        CHECK(code == 0);
        MESSAGE(text_of_file(folder + "/torch"));
        return;
    }
    MESSAGE("skipped: no PyTorch here (Debian's python3-torch serves)");
}

}
