// The real program: exit codes, messages, a run killed and taken up again, and its model in PyTorch.
#include "tests/tools/program.h"
#include "engine/sha256.h"
#include "tests/train/toy_run.h"
#include "tools/signals.h"

#include <doctest/doctest.h>

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace bkd::test {
namespace {

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

TEST_CASE("help goes to standard output, is at most 100 columns wide and names every verb") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    for (const std::string words :
         {"", "--help", "train --help", "eval --help", "data --help", "convert --help", "inspect --help",
          "predict --help", "check-ops --help", "bench --help", "report --help", "doctor --help", "help", "help help",
          "help train", "help optim.lr", "help recipes", "version"}) {
        CAPTURE(words);
        const Said said = run_program(folder, words);
        CHECK(said.code == 0);
        CHECK(said.err.empty());
        std::istringstream lines(said.out);
        for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 130);
    }
    for (const char* verb :
         {"train", "eval", "predict", "data", "convert", "inspect", "check-ops", "bench", "report", "doctor"})
        CHECK(contains(run_program(folder, "").out, verb));
}

TEST_CASE("any recipe runs on made data in seconds") {
    const ToyRun toy;
    const std::string folder = toy.path().string();
    for (const char* recipe : {"cifar100_step_10_kd", "fashion_mnist_lt_100_bkd"}) {
        const Said said =
            run_program(folder, std::string("train ") + recipe + " --smoke model.name=resnet8 --run-dir " + folder +
                                    "/smoke --progress none");
        CAPTURE(said.err);
        REQUIRE(said.code == 0);
        const std::string run = folder + "/smoke/" + recipe + "-s1";
        CHECK(said.out == run + "\n");
        CHECK(std::filesystem::exists(run + "/models/student.last.safetensors"));
        CHECK(contains(text_of_file(run + "/recipe.toml"), "name = \"synthetic\""));
    }
    CHECK(run_program(folder, "train --smoke --resume " + folder).code == 2);
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

namespace {

// The program at work on a run until a condition holds.
class Started {
public:
    Started(const ToyRun& toy, const std::vector<std::string>& words) : err_((toy.path() / "started.err").string()) {
        child_ = fork();
        if (child_ != 0) return;
        std::vector<char*> arguments{const_cast<char*>("bkd")};
        for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        if (std::freopen(err_.c_str(), "w", stderr) != nullptr) execv(BKD_PROGRAM, arguments.data());
        _exit(127);
    }
    void wait_until(const std::function<bool()>& holds) const {
        for (int i = 0; i < 20000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        REQUIRE(holds());
    }
    void send(int signal) const { kill(child_, signal); }
    // The signal that ended it; 0 if none did.
    int end() const {
        int status = 0;
        waitpid(child_, &status, 0);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    std::string err() const { return text_of_file(err_); }

private:
    std::string err_;
    pid_t child_ = 0;
};

std::string state_of(const ToyRun& toy, const std::string& run) {
    return Json::parse(toy.bytes(run + "/run.json"), "run.json").at("state").text();
}

bool has_step(const ToyRun& toy, const std::string& run) {
    return contains(text_of_file((toy.path() / run / "log.jsonl").string()), "\"type\":\"step\"");
}

}

TEST_CASE("a signal ends the running step, leaves a checkpoint and says how to go on") {
    const ToyRun toy;
    const std::string folder = toy.path().string(), recipe = write_recipe(toy, "ce");
    const std::string settings = "train.epochs=12";
    REQUIRE(run_program(folder, "train " + recipe + " " + settings + " --name whole --threads 1").code == 0);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        CAPTURE(signal);
        const std::string name = "run" + std::to_string(signal), run = folder + "/" + name;
        const Started program(toy, {"train", recipe, settings, "--name", name, "--threads", "1"});
        program.wait_until([&] { return has_step(toy, name); });
        // A second process is told who works on the run.
        const Said refused = run_program(folder, "train --resume " + run);
        CHECK(refused.code == 10);
        CHECK(contains(refused.err, "error[E1002]: run " + run + " is in use by process "));
        program.send(signal);
        CHECK(program.end() == signal);
        CHECK(contains(program.err(), "to go on: bkd train --resume " + run + "\n"));
        CHECK(state_of(toy, name) == "stopped");
        CHECK(run_program(folder, "train --resume " + run + " --threads 1").code == 0);
        CHECK(state_of(toy, name) == "done");
        CHECK(hash_of(run + "/models/train.last.safetensors") ==
              hash_of(folder + "/whole/models/train.last.safetensors"));
    }
}

TEST_CASE("signals of several kinds at once are one wish: the run leaves a checkpoint") {
    const ToyRun toy;
    const std::string folder = toy.path().string(), recipe = write_recipe(toy, "ce");
    const Started program(toy, {"train", recipe, "train.epochs=12", "--name", "run", "--threads", "1"});
    program.wait_until([&] { return has_step(toy, "run"); });
    program.send(SIGSTOP);  // so that both are there before it can act on the first
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCONT}) program.send(signal);
    CHECK(program.end() != 0);
    CHECK(state_of(toy, "run") == "stopped");
    const Said resumed = run_program(folder, "train --resume " + folder + "/run --threads 1");
    CHECK(resumed.code == 0);
    CHECK(contains(resumed.err, "resumed from "));
}

TEST_CASE("the same signal again, or another one a second later, ends the program at once") {
    for (const bool is_same : {true, false}) {
        CAPTURE(is_same);
        const pid_t child = fork();
        if (child == 0) {
            for (const int signal : {SIGTERM, SIGINT, SIGHUP}) std::signal(signal, SIG_DFL);
            watch_stop_signals();
            for (const int signal : {SIGTERM, SIGINT, SIGHUP}) std::raise(signal);
            if (stop_signal() == nullptr || std::string(stop_signal()) != "SIGTERM") _exit(1);
            if (!is_same) std::this_thread::sleep_for(std::chrono::milliseconds(1100));
            std::raise(is_same ? SIGTERM : SIGINT);
            _exit(2);
        }
        int status = 0;
        waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == (is_same ? SIGTERM : SIGINT));
    }
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
    CHECK(contains(table.out, "\nbalanced "));
    CHECK(contains(table.out, "\nmacro-F1 "));
    CHECK_FALSE(contains(table.out, "ECE"));
    CHECK(run_program(folder, "eval " + models + " --expect 'top1>=0'").code == 0);
    CHECK(run_program(folder, "eval " + models + " --expect 'top1>=100.5'").code == 1);
    CHECK(run_program(folder, "eval " + models + " --expect top1").code == 2);
    const Said json = run_program(folder, "eval " + models + " --json");
    const Json document = Json::parse(json.out, "stdout");
    REQUIRE(document.at("models").elements().size() == 2);
    const Json& student = document.at("models").elements()[1];
    const std::string calibrated = run_program(folder, "eval " + models + " --calibration").out;
    CAPTURE(calibrated);
    CHECK(contains(calibrated, "\nECE (15 bins) "));
    CHECK(contains(calibrated, fmt::format(" {:>18.2f} ", student.at("calibration").at("ece").number())));
    CHECK(contains(calibrated, "calibration of student.last"));
    std::int64_t samples = 0;
    for (const std::int64_t n : student.at("calibration").at("samples").integers()) samples += n;
    CHECK(samples == student.at("n").integer());
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
