// `bkd bench --peer` beside programs that stand in for PyTorch.
#include "tests/engine/temporary_folder.h"
#include "tests/tools/program.h"

#include <doctest/doctest.h>

#include <filesystem>

namespace bkd::test {
namespace {

using bkd_test::TemporaryFolder;

// A Python that imports everything, and whose scripts answer with `answer`.
std::string stand_in(const TemporaryFolder& folder, const std::string& answer) {
    folder.write("python", "#!/bin/sh\n[ \"$1\" = -c ] && exit 0\necho '" + answer + "'\n");
    std::filesystem::permissions(folder / "python", std::filesystem::perms::owner_all);
    return (folder / "python").string();
}

Said bench_beside(const TemporaryFolder& folder, const std::string& answer) {
    return run_program(folder.path().string(),
                       "bench infer --network resnet8 --size 8 --batch 2 --steps 1 --rounds 1 --peer torch --python " +
                           stand_in(folder, answer));
}

const std::string times = R"("program":"stand-in 1","min_ms":1,"quartile_ms":2,"median_ms":2)";

}

TEST_CASE("a peer's time counts only where it has done the same work") {
    const TemporaryFolder folder;
    const Said other = bench_beside(folder, R"({"schema":"x","logits":[0,0,0,0,1e9],)" + times + "}");
    CHECK(other.code == 1);  // no group has its ratio
    CHECK(contains(other.out, "void: other work: its losses or logits are not ours"));
    CHECK_FALSE(contains(other.out, "bkd / "));
    const Said failed = bench_beside(folder, R"({"schema":"x","error":"no such network"})");
    CHECK(contains(failed.out, "void: no such network"));
}

TEST_CASE("a peer that says what is no answer, or never stops, spoils only its own times") {
    const TemporaryFolder folder;
    for (const auto& [answer, why] :
         {std::pair{R"({"schema":"x","logits":)", "void: "},
          {R"({"schema":"x","logits":"none",)"
           R"("program":"p","min_ms":1,"quartile_ms":2,"median_ms":2})",
           "void: "},
          {"'; sleep 600 & exit 4; '", "void: exit code 4"},  // its child holds the output
          {"nothing", "void: it says nothing of its work"},
          {"'; exec yes '", "void: ended after 64 MiB of output"},
          {"'; printf \"Traceback\\n%0300d\\nValueError: the cause\" 1 >&2; exit 3; '", "ValueError: the cause\n"}}) {
        CAPTURE(std::string(answer));
        const Said said = bench_beside(folder, answer);
        CHECK(said.code == 1);
        CAPTURE(said.out);
        CHECK(contains(said.out, why));
        CHECK(contains(said.out, "batch 1    bkd      "));
        CHECK(said.err.empty());
    }
}

TEST_CASE("a Python that is not there is told from one without PyTorch") {
    const TemporaryFolder folder;
    const std::string words = "bench infer --network resnet8 --size 8 --peer torch --python ";
    folder.write("bare", "#!/bin/sh\necho 'No module named torch' >&2; exit 1\n");
    std::filesystem::permissions(folder / "bare", std::filesystem::perms::owner_all);
    check_rows(folder.path().string(),
               {{words + "/nowhere/python", 5, "error[E0501]: no program /nowhere/python can be started"},
                {words + (folder / "bare").string(), 8, "why: No module named torch"}});
}

TEST_CASE("where the numbers are ours, the ratio is that of the times") {
    const TemporaryFolder folder;
    const Said own =
        run_program(folder.path().string(), "bench infer --network resnet8 --size 8 --batch 2 --steps 1 --json");
    const std::size_t begin = own.out.find("\"logits\":"), end = own.out.find(']', begin);
    REQUIRE(end != std::string::npos);
    const std::string logits = own.out.substr(begin, end + 1 - begin);
    const Said same = bench_beside(folder, R"({"schema":"x",)" + logits + "," + times + "}");
    CHECK(contains(same.out, "beside stand-in 1; 1 rounds"));
    CHECK(contains(same.out, "batch 2: bkd / "));
    for (const char* wrong :
         {R"("min_ms":0,"quartile_ms":0,"median_ms":0)", R"("min_ms":3,"quartile_ms":2,"median_ms":2)",
          R"("min_ms":1,"quartile_ms":2,"median_ms":1e300)"}) {
        const Said said = bench_beside(folder, R"({"schema":"x",)" + logits + R"(,"program":"p",)" + wrong + "}");
        CHECK(said.code == 1);
        CHECK(contains(said.out, "void: no times of a step: "));
    }
    CHECK(same.code == 0);  // the first image's logits are those of batch 1, too
}

}
