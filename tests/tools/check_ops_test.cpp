// bkd check-ops through the real program: modes, choice of cases, processes, comparison with an earlier run, refusals.
#include "engine/json.h"
#include "tests/engine/temporary_folder.h"
#include "tests/tools/program.h"

#include <fmt/format.h>

#include <set>

namespace bkd::test {
namespace {

struct Checked {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string();
    Said operator()(const std::string& words) const { return run_program(here, "check-ops " + words); }
    Json json(const std::string& words) const {
        const Said said = (*this)(words + " --json");
        CAPTURE(said.err);
        return Json::parse(said.out, "stdout");
    }
};

std::set<std::string> lines(const std::string& text) {
    std::set<std::string> all;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) all.insert(line);
    return all;
}

std::string seed_of(const Json& document, std::size_t i) {
    return document.at("cases").elements().at(i).at("seed").text();
}

}

TEST_CASE("--dist, --trials and --shard choose cases, and say how many") {
    const Checked bkd;
    const Json some = bkd.json("--op relu_forward --dtype f32 --dist denormal,nan_one --device cpu");
    CHECK(some.at("passed").integer() == 24);  // 12 shapes, and no refusal
    for (const Json& c : some.at("cases").elements()) {
        const std::string& id = c.at("case").text();
        CHECK((id.ends_with("/denormal") || id.ends_with("/nan_one")));
    }
    const Json trials =
        bkd.json("--op relu_forward --case /17/f32/normal$ --dist normal --trials 3 --seed 5 --device cpu");
    CHECK(trials.at("passed").integer() == 3);
    CHECK(trials.at("trials").integer() == 3);
    std::set<std::string> seeds;
    for (std::size_t i = 0; i < 3; ++i) seeds.insert(seed_of(trials, i));
    CHECK(seeds.size() == 3);
    const Json one = bkd.json("--op relu_forward --case /17/f32/normal$ --dist normal --seed 6 --device cpu");
    CHECK(seed_of(one, 0) == seed_of(trials, 1));

    const std::set<std::string> all = lines(bkd("list --op sqrt").out);
    std::set<std::string> parts;
    std::size_t count = 0;
    for (const char* part : {"1/3", "2/3", "3/3"}) {
        const std::set<std::string> of = lines(bkd(fmt::format("list --op sqrt --shard {}", part)).out);
        CHECK(of.size() >= all.size() / 3);
        count += of.size();
        parts.insert(of.begin(), of.end());
    }
    CHECK(parts == all);
    CHECK(count == all.size());
}

TEST_CASE("a case beyond its limit is printed with its numbers, its pattern and the command that runs it again") {
    const Checked bkd;
    const std::string words = "--op exp --case '^exp/17/f32/hundred$' --dist hundred --device cpu";
    CHECK(bkd(words).code == 0);
    const Said said = bkd(words + " --tolerance-scale 0.001");
    CHECK(said.code == 1);
    CHECK(contains(said.out, "FAIL exp/17/f32/hundred  seed "));
    CHECK(contains(said.out, "  bound  cpu vs reference\n  tensor 1 [17]: "));
    CHECK(contains(said.out, " of 17 elements beyond bound, first at ["));
    CHECK(contains(said.out, "  again: bkd check-ops --op exp --case '^exp/17/f32/hundred$' --seed 0 --device cpu\n"));
    CHECK(contains(said.out, "every limit was multiplied by 0.001\n"));
    const Said fast = bkd("--op exp --dtype f32 --tolerance-scale 0.001 --fail-fast --device cpu");
    CHECK(fast.code == 1);
    CHECK(contains(fast.out, " 1 failed, "));
    CHECK_FALSE(contains(fast.out, " 0 left out"));
}

TEST_CASE("cases in processes of their own give what they give in one, and one that takes too long is a timeout") {
    const Checked bkd;
    const std::string words = "--op 'softmax_*' --dtype f32 --device cpu";
    const Json here = bkd.json(words), apart = bkd.json(words + " --isolate"), shared = bkd.json(words + " -j 2");
    for (const Json* other : {&apart, &shared}) {
        CHECK(other->at("passed").integer() == here.at("passed").integer());
        CHECK(other->at("description").text().starts_with("cpu"));
        REQUIRE(other->at("cases").elements().size() == here.at("cases").elements().size());
        for (std::size_t i = 0; i < here.at("cases").elements().size(); ++i)
            CHECK(other->at("cases").elements()[i] == here.at("cases").elements()[i]);
    }
    const Said late = bkd("--op batch_norm_forward --case '65x8200.*|/2x1_mean0/f32' --dtype f32 --dist normal "
                          "--device reference --time-limit 0.02 --save-failures " +
                          bkd.here + "/late");
    CHECK(late.code == 1);
    CHECK(contains(late.out, "FAIL batch_norm_forward/65x8200_mean0/f32/normal  seed "));
    CHECK(contains(late.out,
                   "  timeout  reference vs reference\n  not done after 0.02 s\n  again: bkd check-ops replay "));
    CHECK(contains(late.out, " 1 passed, 1 failed, 0 left out"));
    CHECK(bkd("same --op add --case /17 --isolate --device cpu").code == 0);
    check_rows(bkd.here, {{"check-ops --op add --isolate --device cuda:99", 8, "cuda:99"}});
}

TEST_CASE("grad holds the engine's ops against central differences and their adjoint") {
    const Checked bkd;
    for (const char* device : {"cpu", "reference"}) {
        const Json document = bkd.json(fmt::format("grad --device {}", device));
        CHECK(document.at("mode").text() == "grad");
        CHECK(document.at("passed").integer() >= 70);
        CHECK(document.at("failed").integer() == 0);
    }
    CHECK(contains(bkd("grad --op conv2d --trials 2 -v --device cpu").out,
                   "conv2d/n2h5w7c4_k6r3s2_st1x1p0x0g1_bias/f32/"));
    check_rows(bkd.here, {{"check-ops grad --op conv2d_forward", 2, "error[E0203]: no gradient of any op passes"},
                          {"check-ops grad --dtype f32", 2, "error[E0208]: --dtype has no effect"}});
}

TEST_CASE("perf gives median, spread, work and the share of this machine's measured speed") {
    const Checked bkd;
    const Json document = bkd.json("perf --op relu_forward --dtype f32 --min-time 0.01 --device cpu");
    CHECK(document.at("cases").elements().size() == 3);
    for (const Json& c : document.at("cases").elements()) {
        CHECK(c.at("ns_median").number() > 1000);
        CHECK(c.at("ns_iqr").number() >= 0);
        CHECK(c.at("ns_min").number() <= c.at("ns_median").number());
        CHECK(c.at("roofline").number() > 0);
        CHECK(c.at("bytes").number() > 0);
    }
    const Said said = bkd("perf --op gemm --case m128n100 --dtype f32 --min-time 0.01 --device cpu");
    CHECK(contains(said.out, "gemm/m128n100k64_tb_bias/f32/normal"));
    CHECK(contains(said.out, "GFLOP/s"));
    CHECK(contains(said.out, "share: of the least time"));
}

TEST_CASE("support lists every op with its dtypes") {
    const Checked bkd;
    const Json document = bkd.json("support --device cpu");
    CHECK(document.at("ops").elements().size() == 60);
    CHECK(document.at("unsupported").integer() == 0);
    const Said said = bkd("support --op 'sgd_step,relu_forward' --device reference --require-all");
    CHECK(said.code == 0);
    CHECK(contains(said.out, "relu_forward                      yes  yes\n"));
    CHECK(contains(said.out, "sgd_step                          yes    -\n"));
}

TEST_CASE("an earlier run finds what is missing, what became less exact and what became slower") {
    const Checked bkd;
    const std::string words = "--op exp --dtype f32 --case '/(normal|ten)$' --device cpu", old = bkd.here + "/old.json";
    const std::string text = bkd(words + " --json").out;
    bkd.folder.write("old.json", text);
    CHECK(bkd(words + " --compare " + old).code == 0);
    const Said fewer = bkd("--op exp --dtype f32 --case /normal$ --device cpu --compare " + old);
    CHECK(fewer.code == 1);
    CHECK(contains(fewer.out, "\nmissing exp/1/f32/ten\n"));
    // As if every error had been a third of what it is.
    Json smaller = Json::parse(text, "old");
    Json::Array cases = smaller.at("cases").elements();
    for (Json& c : cases) c.set("worst_ratio", c.at("worst_ratio").number() / 3);
    smaller.set("cases", cases);
    bkd.folder.write("smaller.json", smaller.dump());
    const Said worse = bkd(words + " --compare " + bkd.here + "/smaller.json");
    CHECK(worse.code == 1);
    CHECK(contains(worse.out, "\nworse exp f32: the worst error was "));
}

TEST_CASE("another device can be what is right, to within the bounds of both") {
    const Checked bkd;
    const Json document = bkd.json("--op 'exp,gemm' --case '/(17|m15n1k9)/' --device reference --against cpu");
    CHECK(document.at("against").text() == "cpu");
    CHECK(document.at("failed").integer() == 0);
    CHECK(document.at("passed").integer() > 20);
}

TEST_CASE("check-ops refuses what it cannot do, each with one message") {
    const Checked bkd;
    bkd.folder.write("there", "kept");
    bkd.folder.write("other.json", "{\"schema\": \"bkd.eval/1\"}");
    bkd.folder.write("text.json", "no");
    std::filesystem::create_directory(bkd.folder / "empty");
    const std::string here = bkd.here;
    check_rows(here, {
                         {"check-ops --shard 0/3", 2, "error[E0203]: --shard takes i/n with 1 <= i <= n"},
                         {"check-ops --shard 4/3", 2, "got \"4/3\"\n  at:  option --shard"},
                         {"check-ops --shard 1", 2, "error[E0203]: --shard takes"},
                         {"check-ops --shard 1/2x", 2, "error[E0203]: --shard takes"},
                         {"check-ops --op put --case /7/ --shard 9/9", 2, "error[E0203]: part 9 of 9 has none"},
                         {"check-ops --dist nosuch", 2, "error[E0203]: no case draws from \"nosuch\""},
                         {"check-ops --dtype f64", 2, "error[E0203]: --dtype must be f32 or bf16"},
                         {"check-ops --trials 0", 2, "error[E0203]: --trials must be 1..1000000"},
                         {"check-ops -j 0", 2, "error[E0203]: --jobs must be 1..1024"},
                         {"check-ops --time-limit 0", 2, "error[E0203]: --time-limit must be"},
                         {"check-ops --tolerance-scale 0", 2, "error[E0203]: --tolerance-scale must be"},
                         {"check-ops --tolerance-scale nan", 2, "error[E0203]: --tolerance-scale must be"},
                         {"check-ops --against plan", 2, "error[E0203]: --against plan has no numbers"},
                         {"check-ops --against " + here + "/none", 5, "error[E0501]: no folder"},
                         {"check-ops --against " + here + "/empty", 4, "error[E0404]: no record of any op"},
                         {"check-ops --against cuda:77 --op add", 8, "cuda:77"},
                         {"check-ops --record " + here + "/r -j 2", 2, "has no effect beside --record"},
                         {"check-ops --record " + here + "/r --trials 2", 2, "--trials has no effect beside a record"},
                         {"check-ops -j 2 --no-isolate", 2, "error[E0208]: --no-isolate has no effect beside"},
                         {"check-ops --record " + here + "/there", 6, "error[E0601]"},
                         {"check-ops --save-failures " + here + "/none/x", 6, "error[E0601]"},
                         {"check-ops --save-failures s --against " + here + "/empty", 2, "beside --against DIR"},
                         {"check-ops --csv " + here + "/there", 6, "error[E0607]"},
                         {"check-ops --junit " + here + "/none/x", 6, "error[E0601]"},
                         {"check-ops --html " + here, 6, "error[E0604]"},
                         {"check-ops --compare " + here + "/none.json", 5, "error[E0501]"},
                         {"check-ops --compare " + here + "/other.json", 4, "error[E0404]: this JSON is no result"},
                         {"check-ops --compare " + here + "/text.json", 4, "error[E0403]"},
                         {"check-ops replay", 2, "error[E0206]: bkd check-ops replay needs files"},
                         {"check-ops replay " + here + "/none", 5, "error[E0501]"},
                         {"check-ops list x", 2, "error[E0207]"},
                         {"check-ops list --seed 3", 2, "error[E0208]: --seed has no effect in bkd check-ops list"},
                         {"check-ops perf --against cpu", 2, "  try: bkd check-ops test --against"},
                         {"check-ops same --save-failures x", 2, "error[E0208]: --save-failures"},
                         {"check-ops perf -j 2", 2, "error[E0208]: --jobs has no effect"},
                         {"check-ops --min-time 1", 2, "error[E0208]: --min-time"},
                         {"check-ops replay x --op add", 2, "error[E0208]: --op"},
                         {"check-ops golden x --csv y", 2, "error[E0208]: --csv"},
                         {"check-ops support --compare y", 2, "error[E0208]: --compare"},
                     });
    CHECK(text_of_file(here + "/there") == "kept");
}

}
