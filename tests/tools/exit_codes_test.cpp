// Every verb with each exit code that it can end with, on the real program. Signals: program_test.cpp.
#include "engine/model_file.h"
#include "tests/tools/program.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

// A folder with a finished run, and recipes, models and files that are wrong in one way each.
class Desk {
public:
    Desk() {
        write("ce.toml", toy_.recipe("ce").print());
        write("bad.toml", "[optim]\nlrr = 1\n");
        write("newer.toml", "recipe = 2\n" + toy_.recipe("ce").print().substr(11));
        REQUIRE(run("train ce.toml train.epochs=1 --name run --threads 1").code == 0);
        write("bad.safetensors", std::string(8, '\0'));
        write("golden.safetensors", text_of_file(BKD_SOURCE_DIR "/tests/golden/ops.safetensors"));
        std::filesystem::create_directory(toy_.path() / "wrong");
        write("wrong/t10k-images-idx3-ubyte", "x");
        write("wrong/t10k-labels-idx1-ubyte", "x");
        write("wrong/train-images-idx3-ubyte", "x");
        write("wrong/train-labels-idx1-ubyte", "x");
        const std::vector<float> one{1};
        const TensorToStore tensor = f32_tensor("a", {1}, one);
        write_file_atomically(toy_.path() / "newer.safetensors",
                              safetensors_bytes({tensor}, {{"bkd.schema", "bkd.model/2"}}, Checksums::no),
                              Overwrite::yes);
        write_file_atomically(toy_.path() / "nameless.safetensors", safetensors_bytes({tensor}, {}, Checksums::no),
                              Overwrite::yes);
    }

    Said run(const std::string& words, const std::string& before = {}) const {
        return run_program(toy_.path().string(), words, "cd " + toy_.path().string() + " && " + before + BKD_PROGRAM);
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream((toy_.path() / name).string(), std::ios::binary) << text;
    }

private:
    ToyRun toy_;
};

const char* const model = "run/models/train.last.safetensors --data-root . ";

struct Row {
    int code;
    std::string words;
    const char* says;  // within the one message; of codes 0 and 1 there is none
};

void check_rows(const Desk& desk, const std::vector<Row>& rows, const std::string& before = {}) {
    for (const Row& row : rows) {
        CAPTURE(row.words);
        const Said said = desk.run(row.words, before);
        CAPTURE(said.err);
        CHECK(said.code == row.code);
        CHECK(contains(said.err, row.says));
        const bool is_refusal = row.code > 1;
        CHECK(contains(said.err, "bkd: error[E") == is_refusal);
        if (!is_refusal) continue;
        CHECK(said.out.empty());
        CHECK(said.err.find("error[E") == said.err.rfind("error[E"));
        CHECK(contains(said.err, fmt::format("error[E{:02}", row.code)));
    }
}

}

TEST_CASE("exit codes 0 and 1: each verb does what it was asked, or a check says no") {
    const Desk desk;
    std::string wrong = text_of_file(BKD_SOURCE_DIR "/tests/golden/ops.safetensors");
    wrong.back() = static_cast<char>(wrong.back() ^ 0x40);
    desk.write("wrong.safetensors", wrong);
    check_rows(desk, {
                         {0, "train --resume run", "nothing to do"},
                         {0, std::string("eval ") + model, ""},
                         {0, "predict run/models/train.last.safetensors t10k-images-idx3-ubyte", ""},
                         {0, "data ls", ""},
                         {0, "data stats fashion_mnist --root .", ""},
                         {0, "inspect ce.toml", ""},
                         {0, "inspect run/models/train.last.safetensors", ""},
                         {0, "convert run/models/train.last.safetensors out.safetensors", ""},
                         {0, "check-ops --op relu_forward", ""},
                         {0, "bench --network resnet8 --batch 2 --steps 1 --size 8", ""},
                         {0, "doctor --plans", ""},
                         {0, "help optim.lr", ""},
                         {0, "version", ""},
                         {1, std::string("eval ") + model + "--expect 'top1>=100.5'", ""},
                         {1, "predict run/models/train.last.safetensors none --on-error skip", "skipped: error[E0501]"},
                         {1, "check-ops golden wrong.safetensors --device cpu", ""},
                     });
}

TEST_CASE("exit codes 2 and 3: usage, and what recipes and names say") {
    const Desk desk;
    check_rows(desk, {
                         {2, "train", "E0206"},
                         {2, "train ce.toml --seed x", "E0203"},
                         {2, "eval", "E0206"},
                         {2, "predict run/models/train.last.safetensors", "E0206"},
                         {2, "data dance", "E0203"},
                         {2, "inspect", "E0206"},
                         {2, "convert a", "E0206"},
                         {2, "check-ops dance", "E0203"},
                         {2, "bench dance", "E0203"},
                         {2, "doctor x", "E0207"},
                         {2, "help optim.rl", "E0201"},
                         {2, "version x", "E0207"},
                         {2, "dance", "E0201"},
                         {3, "train bad.toml", "E0302"},
                         {3, "eval nameless.safetensors --data fashion_mnist --data-root .", "E0304"},
                         {3, "predict nameless.safetensors t10k-images-idx3-ubyte", "E0304"},
                         {3, "data stats nothing", "E0304"},
                         {3, "inspect bad.toml", "E0302"},
                         {3, "convert nameless.safetensors out", "E0304"},
                         {3, "bench --network resnet9", "E0304"},
                     });
}

TEST_CASE("exit codes 4, 5 and 6: content, files that cannot be read, and places that cannot be written") {
    const Desk desk;
    const std::string good = "run/models/train.last.safetensors";
    check_rows(desk, {
                         {4, "train ce.toml data.root=wrong --name b", "E0430"},
                         {4, "eval bad.safetensors --data fashion_mnist", "E0402"},
                         {4, "predict bad.safetensors t10k-images-idx3-ubyte", "E0402"},
                         {4, "predict " + good + " wrong/t10k-images-idx3-ubyte", "E0434"},
                         {4, "data stats fashion_mnist --root wrong", "E0430"},
                         {4, "inspect bad.safetensors", "E0402"},
                         {4, "convert bad.safetensors out --network resnet8", "E0402"},
                         {4, "check-ops golden bad.safetensors", "E0402"},
                         {5, "train none.toml", "E0501"},
                         {5, "train ce.toml data.root=none --name b", "E0501"},
                         {5, "eval none.safetensors", "E0501"},
                         {5, "predict none.safetensors x", "E0501"},
                         {5, "predict " + good + " none", "E0501"},
                         {5, "data stats fashion_mnist --root none", "E0501"},
                         {5, "inspect none.safetensors", "E0501"},
                         {5, "convert none.safetensors out --network resnet8", "E0501"},
                         {5, "check-ops golden none.safetensors", "E0501"},
                         {6, "train ce.toml --run-dir /proc/none", "E0601"},
                         {6, std::string("eval ") + model + "--logits none/out", "E0601"},
                         {6, "predict " + good + " t10k-images-idx3-ubyte --out none/out", "E0601"},
                         {6, "convert " + good + " none/out", "E0601"},
                     });
    // A full disk under standard output: every verb that prints a result.
    for (const std::string& words :
         {std::string("eval ") + model, "predict " + good + " t10k-images-idx3-ubyte", std::string("data ls"),
          "inspect " + good, "convert " + good + " full.safetensors", std::string("check-ops list"),
          std::string("bench --network resnet8 --batch 2 --steps 1 --size 8"), std::string("doctor"),
          std::string("help keys"), std::string("version"), std::string("train --help")}) {
        CAPTURE(words);
        const Said said = desk.run(words + " >/dev/full)", "(");
        CHECK(said.code == 6);
        CHECK(contains(said.err, "error[E0602]: writing "));
    }
}

TEST_CASE("exit codes 7 to 10: memory, device, numbers and the state of runs") {
    const Desk desk;
    check_rows(desk, {
                         {8, "train ce.toml --device cuda:99 --name b", "cuda:99"},
                         {8, std::string("eval ") + model + "--device cuda:99", "cuda:99"},
                         {8, "predict run/models/train.last.safetensors x --device cuda:99", "cuda:99"},
                         {8, "check-ops --device cuda:99", "cuda:99"},
                         {8, "bench --device cuda:99", "cuda:99"},
                         {9, "train ce.toml optim.lr=100 schedule.warmup_epochs=0 train.epochs=30 --name b", "E0901"},
                         {10, "train ce.toml --name run", "E1001"},
                         {10, "train --resume none", "E1004"},
                         {10, "train newer.toml", "E1006"},
                         {10, "inspect newer.toml", "E1006"},
                         {10, "eval newer.safetensors --data fashion_mnist --data-root .", "E1006"},
                         {10, "predict newer.safetensors x --network resnet8", "E1006"},
                         {10, "convert newer.safetensors out --network resnet8", "E1006"},
                     });
#ifndef BKD_NO_CLONES  // a build with sanitizers, whose shadow is larger than any such limit
    const std::string limit = "ulimit -v 400000; ";
    check_rows(desk,
               {
                   {7, "bench --network resnet110 --batch 4096 --steps 1", "E0701"},
               },
               limit);
#endif
}

#ifndef BKD_NO_CLONES
TEST_CASE("under any limit of memory a training goes through or is E0701, never a signal") {
    const Desk desk;
    int refused = 0;
    for (int kib = 60'000; kib <= 360'000; kib += 20'000) {
        CAPTURE(kib);
        const Said said = desk.run("train ce.toml --smoke --threads 2 --name limited",
                                   fmt::format("rm -rf limited; ulimit -v {}; ", kib));
        CAPTURE(said.err);
        CHECK((said.code == 0 || said.code == 7));
        CHECK(contains(said.err, "error[E0701]") == (said.code == 7));
        refused += said.code == 7;
    }
    CHECK(refused >= 4);
}
#endif

}
