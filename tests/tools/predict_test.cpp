// bkd predict on the real program: its records, its lists, what it does at a file that cannot be read, and as a filter.
#include "engine/json.h"
#include "engine/model_file.h"
#include "tests/tools/program.h"
#include "tests/train/toy_run.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <chrono>
#include <cmath>

namespace bkd::test {
namespace {

// A trained model, its test images and files that are none.
class Desk {
public:
    Desk()
        : model_((toy_.train("ce", "run", {"train.max_steps=6"}).folder / "models/train.last.safetensors").string()) {
        const std::string images = toy_.bytes("t10k-images-idx3-ubyte");
        write("a.jpg", "\xff\xd8\xff\xe0 and so on");
        write("cut", images.substr(0, 500));
        std::string two = images.substr(0, 16 + 2 * 64);
        two[7] = 2;
        write("two", two);
    }
    Said predict(const std::string& words, const std::string& in = "/dev/null") const {
        return run_program(folder(), "",
                           "cd " + folder() + " && ( " + BKD_PROGRAM + " predict " + model_ + " --threads 1 " + words +
                               " <" + in + " )");
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream((toy_.path() / name).string(), std::ios::binary) << text;
    }
    std::string text(const std::string& name) const { return toy_.bytes(name); }
    const std::string& model() const { return model_; }
    std::string folder() const { return toy_.path().string(); }

private:
    ToyRun toy_;
    std::string model_;
};

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

const std::string images = "t10k-images-idx3-ubyte ";

}

TEST_CASE("predict has eval's classes and its probabilities, an image a record in the order of the file") {
    const Desk desk;
    REQUIRE(run_program(desk.folder(), "eval " + desk.model() + " --data-root " + desk.folder() + " --predictions " +
                                           desk.folder() + "/best --logits " + desk.folder() + "/logits")
                .code == 0);
    const std::string best = desk.text("best"), bytes = desk.text("logits");
    std::vector<float> logits(bytes.size() / sizeof(float));
    std::memcpy(logits.data(), bytes.data(), bytes.size());
    for (const std::string batch : {"1", "7", "100"}) {
        CAPTURE(batch);
        const Said said = desk.predict(images + "--top-k 10 --batch " + batch);
        CAPTURE(said.err);
        REQUIRE(said.code == 0);
        CHECK(said.err.empty());
        const std::vector<std::string> lines = lines_of(said.out);
        REQUIRE(lines.size() == 40);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const Json record = Json::parse(lines[i], "record");
            CHECK(record.at("input").text() == "t10k-images-idx3-ubyte");
            CHECK(record.at("image").integer() == static_cast<std::int64_t>(i));
            CHECK(record.at("ok").boolean());
            CHECK(record.at("index").integer() == best[i]);
            CHECK(record.at("top").elements().size() == 10);
            CHECK(record.at("top").elements()[0].elements()[0] == record.at("label"));
            const float* row = logits.data() + 10 * i;
            double sum = 0;
            for (int c = 0; c < 10; ++c) sum += std::exp(static_cast<double>(row[c]) - row[static_cast<int>(best[i])]);
            CHECK(std::abs(record.at("p").number() - 1 / sum) < 1e-5);
        }
    }
}

TEST_CASE("records as JSONL, CSV and a table say the same, with as many classes as asked for") {
    const Desk desk;
    const std::vector<std::string> json = lines_of(desk.predict("two --top-k 2").out),
                                   csv = lines_of(desk.predict("two --top-k 2 --format csv").out),
                                   table = lines_of(desk.predict("two --top-k 2 --format table").out);
    REQUIRE(json.size() == 2);
    REQUIRE(csv.size() == 3);
    REQUIRE(table.size() == 2);
    CHECK(csv[0] == "input,image,ok,label,index,p,label2,p2,error");
    const Json record = Json::parse(json[1], "record");
    const auto& top = record.at("top").elements();
    const auto p = [](const Json& pair) { return static_cast<float>(pair.elements()[1].number()); };
    const auto name = [](const Json& pair) { return pair.elements()[0].text(); };
    CHECK(csv[2] == fmt::format("two,1,true,{},{},{},{},{},", name(top[0]), record.at("index").integer(), p(top[0]),
                                name(top[1]), p(top[1])));
    CHECK(table[1].starts_with("two     1  " + name(top[0])));
    CHECK(contains(table[1], fmt::format("{:.4f}", p(top[1]))));
    CHECK(desk.predict("two --json").out == desk.predict("two").out);
    CHECK(Json::parse(lines_of(desk.predict("two").out).at(0), "record").at("top").elements().size() == 5);
}

TEST_CASE("paths come from the command line, from a list and from standard input, in their order") {
    const Desk desk;
    desk.write("list.txt", "two\n\n" + desk.folder() + "/two");
    const std::string once = desk.predict("two").out;
    std::string absolute = once;
    for (std::size_t at = 0; (at = absolute.find("\"two\"", at)) != std::string::npos; at += desk.folder().size())
        absolute.insert(at + 1, desk.folder() + "/");
    CHECK(desk.predict("two two").out == once + once);
    CHECK(desk.predict("@list.txt two").out == once + absolute + once);
    desk.write("list.txt", "two\r\n\r\ntwo\r\n");
    CHECK(desk.predict("@list.txt").out == once + once);
    desk.write("in", "two\n\ntwo");
    CHECK(desk.predict("two -", "in").out == once + once + once);
    CHECK(desk.predict("-").out.empty());
    CHECK(desk.predict("-").code == 0);
}

TEST_CASE("a file that cannot be read stops the work with the code of its error, or is skipped and counted") {
    const Desk desk;
    const std::string once = desk.predict("two").out;
    const Said stopped = desk.predict("two a.jpg two");
    CHECK(stopped.code == 4);
    CHECK(stopped.out == once);
    CHECK(contains(stopped.err, "bkd: error[E0434]: the file is a JPEG picture\n  at:  a.jpg"));
    CHECK(contains(stopped.err, "pictures (JPEG, PNG) are not read by this version"));

    const Said skipped = desk.predict("a.jpg two none cut --on-error skip");
    CHECK(skipped.code == 1);
    const std::vector<std::string> lines = lines_of(skipped.out);
    REQUIRE(lines.size() == 5);
    CHECK(lines[0] == R"({"input":"a.jpg","ok":false,"error":{"id":"E0434","what":"the file is a JPEG picture"}})");
    CHECK(lines[1] + "\n" + lines[2] + "\n" == once);
    CHECK(contains(lines[3], "\"E0501\""));
    CHECK(contains(lines[4], "\"E0430\""));
    CHECK(contains(skipped.err, "warning: 3 of the inputs skipped"));
    CHECK(!contains(skipped.err, "bkd: error["));
    CHECK(desk.predict("a.jpg --on-error skip --format csv --top-k 2").out ==
          "input,image,ok,label,index,p,label2,p2,error\na.jpg,,false,,,,,,E0434: the file is a JPEG picture\n");
    CHECK(contains(desk.predict("a.jpg --on-error skip --format table").out, "a.jpg  not read: E0434"));
    // What is wrong with the model or the machine is no reason to skip a file.
    CHECK(desk.predict("@none two --on-error skip").code == 5);
}

TEST_CASE("records go whole into a file, which is not there before and not if the work stops") {
    const Desk desk;
    const Said said = desk.predict("two --out out.jsonl");
    CHECK(said.code == 0);
    CHECK(said.out.empty());
    CHECK(desk.text("out.jsonl") == desk.predict("two").out);
    CHECK(desk.predict("two two --out out.jsonl").code == 6);
    CHECK(desk.predict("two two --out out.jsonl --force").code == 0);
    CHECK(lines_of(desk.text("out.jsonl")).size() == 4);
    CHECK(desk.predict("two a.jpg --out half.jsonl").code == 4);
    CHECK(!std::filesystem::exists(desk.folder() + "/half.jsonl"));
    const Said own = desk.predict("two --out two --force");
    CHECK(own.code == 6);
    CHECK(contains(own.err, "E0606"));
}

TEST_CASE("no result takes the place of a file of a run, whichever run it is") {
    const Desk desk;
    const std::string run = desk.folder() + "/run";
    std::filesystem::create_directories(run + "/checkpoints/aside-2");
    for (const char* name : {"run.json", "log.jsonl", "checkpoints/aside-2/a.ckpt", "report.html"})
        std::ofstream(run + "/" + name) << "kept";
    for (const char* name : {"run.json", "log.jsonl", "checkpoints/aside-2/a.ckpt", "checkpoints/../log.jsonl"}) {
        CAPTURE(name);
        const Said said = desk.predict(std::string("two --force --out run/") + name);
        CHECK(said.code == 6);
        CHECK(contains(said.err, "error[E0606]: run/"));
        CHECK(desk.text(std::string("run/") + name) == "kept");
        CHECK(run_program(desk.folder(), "convert " + desk.model() + " " + run + "/" + name + " --force").code == 6);
        CHECK(desk.text(std::string("run/") + name) == "kept");
    }
    CHECK(desk.predict("two --force --out run/report.html").code == 0);
    CHECK(desk.predict("two --out run/mine.jsonl").code == 0);
}

TEST_CASE("logits that are not finite have no class: exit code 9, and the file and image are named") {
    const Desk desk;
    const ModelFile file = read_model_file(desk.model());
    const std::vector<float> huge(10, 3e38F), weights(10 * 64, 3e38F);
    std::vector<TensorToStore> tensors;
    for (const StoredTensor& t : file.tensors.tensors)
        tensors.push_back(t.name == "linear.bias"     ? f32_tensor(t.name, t.shape, huge)
                          : t.name == "linear.weight" ? f32_tensor(t.name, t.shape, weights)
                                                      : TensorToStore{t.name, t.type, t.shape, file.tensors.bytes(t)});
    write_model_file(desk.folder() + "/huge", *file.facts, tensors, Overwrite::yes);
    const Said said = run_program(desk.folder(), "predict " + desk.folder() + "/huge " + desk.folder() + "/two");
    CHECK(said.code == 9);
    CHECK(said.out.empty());
    CHECK(contains(said.err, "error[E0901]: a logit of image 0 is "));
}

TEST_CASE("as a filter it answers a path before it is given the next one") {
    const Desk desk;
    int to[2], from[2];
    REQUIRE(::pipe(to) == 0);
    REQUIRE(::pipe(from) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(to[0], 0);
        ::dup2(from[1], 1);
        for (const int fd : {to[0], to[1], from[0], from[1]}) ::close(fd);
        if (::chdir(desk.folder().c_str()) == 0)
            ::execl(BKD_PROGRAM, "bkd", "predict", desk.model().c_str(), "-", "--threads", "1", nullptr);
        ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(::write(to[1], "two\n", 4) == 4);
        std::string answer;
        while (std::ranges::count(answer, '\n') < 2) {
            pollfd ready{from[0], POLLIN, 0};
            constexpr int patience = 20'000;  // ms: the machine may be busy
            REQUIRE(::poll(&ready, 1, patience) == 1);
            char piece[4096];
            const ssize_t n = ::read(from[0], piece, sizeof(piece));
            REQUIRE(n > 0);
            answer.append(piece, static_cast<std::size_t>(n));
        }
        CHECK(lines_of(answer).size() == 2);
    }
    ::close(to[1]);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    ::close(from[0]);
}

TEST_CASE("predict refuses words, options and places that cannot be meant") {
    const Desk desk;
    const auto row = [&](const std::string& words, int code, const std::string& says) {
        CAPTURE(words);
        const Said said = desk.predict(words);
        CAPTURE(said.err);
        CHECK(said.code == code);
        CHECK(contains(said.err, says));
        CHECK(said.out.empty());
    };
    row("", 2, "error[E0206]: bkd predict needs MODEL PATH");
    row("two ''", 2, "error[E0206]");
    row("- -", 2, "error[E0207]: standard input is one list");
    row("two --top-k 11", 2, "error[E0203]: --top-k must be 1..10, the model's classes, got 11");
    row("two --top-k 0", 2, "error[E0203]: --top-k must be 1..65536, got \"0\"");
    row("two --format xml", 2, "error[E0203]: --format must be one of jsonl, csv, table");
    row("two --json --format csv", 2, "error[E0208]: --json has no effect beside --format csv");
    row("two --on-error retry", 2, "error[E0203]");
    row("two --dtype f16", 2, "error[E0203]");
    row("two --batch 0", 2, "error[E0203]");
    row("two --device plan", 2, "error[E0203]: --device plan executes nothing");
    row("two --mean 0.1,x", 2, "error[E0203]");
    row("two --mean 0.1,0.2", 2, "error[E0203]: 2 means and 1 deviations for the 1 channels");
    row("two --data mnist", 3, "error[E0305]: the model's 10 classes are not the 10 of mnist");
    row("two --network resnet9", 3, "error[E0304]");
    row("two --out none/out", 6, "error[E0601]");
    row(".", 5, "error[E0503]");
}

}
