// bkd doctor on what lies beside the program: the CUDA backend and the table of cuDNN's engines.
#include "engine/json.h"
#include "tests/engine/temporary_folder.h"
#include "tests/tools/program.h"

#include <doctest/doctest.h>

#include <filesystem>

namespace bkd::test {
namespace {

// The program in a folder of its own, where no backend is unless a test puts it there.
class Alone {
public:
    Alone() {
        std::filesystem::copy_file(BKD_PROGRAM, folder_ / "bkd");
        const std::string libraries = std::filesystem::path(BKD_PROGRAM).parent_path().string();
        // Libraries that were carried lie beside the original.
        program_ =
            "LD_LIBRARY_PATH=" + libraries + "${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} " + (folder_ / "bkd").string();
    }
    void write(const std::string& name, const std::string& text) { folder_.write(name, text); }
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    Said doctor(const std::string& words) const {
        return run_program(folder_.path().string(), "doctor " + words, program_);
    }

private:
    bkd_test::TemporaryFolder folder_;
    std::string program_;
};

}

TEST_CASE("doctor --plans says which engines are taken, from which file, or that there is none") {
    Alone alone;
    Said said = alone.doctor("--plans");
    CAPTURE(said.err);
    CHECK(said.code == 0);
    CHECK(said.out == "no table of cuDNN's engines: this installation has no CUDA backend\n");

    alone.write("libbkd_cuda.so", "");
    const std::string path = alone.path("cuda-plans.txt");
    said = alone.doctor("--plans");
    CHECK(said.code == 0);
    CHECK(contains(said.out, path + " does not exist, so the first lawful engine of cuDNN's ranking runs\n"));
    CHECK(Json::parse(alone.doctor("--plans --json").out, "stdout").at("plans").elements().empty());

    alone.write("cuda-plans.txt", "# a comment\nforward x 1: 12\ndata x 2: 0\n");
    said = alone.doctor("--plans");
    CHECK(said.code == 0);
    CHECK(said.out == path + ": 2 convolutions, each with its engine's place in cuDNN's ranking\n" +
                          "   0  data x 2\n  12  forward x 1\n");
    const Json json = Json::parse(alone.doctor("--plans --json").out, "stdout");
    CHECK(json.at("schema").text() == "bkd.doctor-plans/1");
    CHECK(json.at("file").text() == path);
    CHECK(json.at("plans").elements()[1].at("rank").number() == 12);

    alone.write("cuda-plans.txt", "forward x 1: first\n");
    said = alone.doctor("--plans");
    CHECK(said.code == 4);
    CHECK(said.out.empty());
    CHECK(contains(said.err, "error[E0404]: line 1 is no choice of an engine"));
}

TEST_CASE("doctor --cuda-properties refuses as any use of a device does where there is none") {
    Alone alone;
    const Said without = alone.doctor("--cuda-properties");
    CHECK(without.code == 8);
    CHECK(without.out.empty());
    CHECK(contains(without.err, "error[E0801]: this installation has no CUDA backend"));
    alone.write("libbkd_cuda.so", "");
    const Said broken = alone.doctor("--cuda-properties");
    CHECK(broken.code == 8);
    CHECK(contains(broken.err, "error[E0801]: cannot open the CUDA backend"));
    if (std::filesystem::exists("/dev/nvidiactl")) return;
    const bkd_test::TemporaryFolder folder;
    const Said said = run_program(folder.path().string(), "doctor --cuda-properties");
    CHECK(said.code == 8);
    CHECK(said.out.empty());
    CHECK(contains(said.err, "error[E080"));
}

TEST_CASE("a backend that was cut short is refused, not mapped") {
    const std::string whole = (std::filesystem::path(BKD_PROGRAM).parent_path() / "libbkd_cuda.so").string();
    if (!std::filesystem::exists(whole)) return;
    Alone alone;
    alone.write("libbkd_cuda.so", text_of_file(whole).substr(0, 1 << 20));
    const Said said = alone.doctor("");
    CHECK(said.code == (std::filesystem::exists("/dev/nvidiactl") ? 1 : 0));
    CHECK(contains(said.out, "libbkd_cuda.so is cut short: it ends before its table of sections"));
    CHECK(contains(said.out, "try: a fresh copy of it"));
    CHECK(contains(said.out, "cuda driver"));
}

TEST_CASE("a run on the CPU opens no library of CUDA, whether the backend is there or not") {
    const bkd_test::TemporaryFolder folder;
    for (const char* words : {"help", "bench step --device cpu --network resnet8 --batch 4 --size 8 --steps 1"}) {
        // The loader says what it opens.
        const Said said = run_program(folder.path().string(), words, std::string("LD_DEBUG=files ") + BKD_PROGRAM);
        CHECK(said.code == 0);
        CHECK((contains(said.err, "calling init: ") || contains(said.out, "calling init: ")));
        for (const char* library : {"libbkd_cuda", "libcuda", "libcudart", "libcudnn", "libcublas"}) {
            CAPTURE(library);
            CHECK_FALSE(contains(said.err, library));
            CHECK_FALSE(contains(said.out, library));
        }
    }
}

TEST_CASE("doctor names the decoders of pictures with their versions") {
    const Alone alone;
    CHECK(contains(alone.doctor("").out, "decoders of pictures           stb_image 2."));
}

}
