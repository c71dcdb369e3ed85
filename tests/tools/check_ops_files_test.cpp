// Files of bkd check-ops: saved cases and their replay, records to hold later runs against, CSV, JUnit, HTML.
#include "engine/json.h"
#include "engine/safetensors.h"
#include "tests/engine/temporary_folder.h"
#include "tests/tools/program.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkd::test {
namespace {

// A run of one op whose limits are a thousandth of what they are, so that cases fail and are saved.
struct Failed {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string();
    Said said;
    std::string file;

    explicit Failed(const std::string& words) {
        said = run_program(
            here, "check-ops --device cpu --tolerance-scale 0.001 --save-failures " + here + "/saved " + words);
        for (const auto& entry : std::filesystem::directory_iterator(folder / "saved")) file = entry.path().string();
    }
    Said replay(const std::string& words) const { return run_program(here, "check-ops replay " + words); }
};

// The file with another value under a key of its metadata, and with one number of a tensor changed.
void rewrite(const std::string& path, const std::string& to, const std::string& key, const std::string& value,
             const std::string& changed = {}) {
    const SafeTensors file = read_safetensors(path);
    auto metadata = file.metadata;
    for (const char* sum : {"bkd.crc32c", "bkd.header_crc32c"}) metadata.erase(sum);
    if (!key.empty()) metadata[key] = value;
    std::vector<std::byte> data = file.data;
    if (!changed.empty()) data.at(file.at(changed).begin + 3) ^= std::byte{0x40};
    std::vector<TensorToStore> tensors;
    for (const StoredTensor& t : file.tensors)
        tensors.push_back({t.name, t.type, t.shape, std::span(data).subspan(t.begin, t.end - t.begin)});
    write_file_atomically(to, safetensors_bytes(tensors, metadata, Checksums::yes), Overwrite::yes);
}

std::ptrdiff_t count(const std::string& text, const std::string& part) {
    std::ptrdiff_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

}

TEST_CASE("a failed case is saved whole and fails again when it is replayed, on any device") {
    const Failed exp("--op exp --case '^exp/17/f32/hundred$' --dist hundred");
    CHECK(exp.said.code == 1);
    CHECK(contains(exp.said.out, "  again: bkd check-ops replay " + exp.file + " --device cpu\n"));
    const SafeTensors file = read_safetensors(exp.file);
    CHECK(file.metadata.at("bkd.case") == "exp/17/f32/hundred");
    CHECK(file.metadata.at("bkd.kind") == "bound");
    CHECK(file.metadata.at("bkd.device").starts_with("cpu"));
    CHECK(file.metadata.contains("bkd.commit"));
    CHECK(Json::parse(file.metadata.at("bkd.attributes"), "attributes").at("distribution").text() == "hundred");
    CHECK(file.at("tensor0.initial").type == ElementType::f32);
    CHECK(file.at("tensor1.got").type == ElementType::f32);
    const auto x = file.values<float>(file.at("tensor0.initial"));
    const auto want = file.values<double>(file.at("tensor1.want")),
               limit = file.values<double>(file.at("tensor1.limit"));
    REQUIRE(x.size() == 17);
    for (std::size_t i = 0; i < 17; ++i) {
        CHECK(want[i] == doctest::Approx(std::exp(static_cast<double>(x[i]))).epsilon(1e-13));
        CHECK(limit[i] == doctest::Approx(0.001 * (8 * 0x1p-24 * want[i] + 0x1p-124)).epsilon(1e-9));
    }
    for (const char* device : {"cpu", "reference"}) {
        const bool is_exact = std::string(device) == "reference";
        const Said again = exp.replay(exp.file + " --device " + device);
        CHECK(again.code == (is_exact ? 0 : 1));
        CHECK(contains(again.out, is_exact ? " 1 passed, 0 failed" : "FAIL exp/17/f32/hundred  seed "));
        CHECK(exp.replay(exp.file + " --tolerance-scale 1000 --device " + device).code == 0);
    }
}

TEST_CASE("cases that are added to, of integers and of bf16 are replayed as well") {
    for (const char* words :
         {"--op add --case '^add/1025_add/f32/normal$'", "--op conv2d_backward --case k7r3s3.*dxdw_add/f32/normal",
          "--op distillation --case '^distillation/n5c10_eq8_mixeach_omega_t2/f32/normal$'"}) {
        CAPTURE(words);
        const Failed failed(std::string(words) + " --dist normal");
        CAPTURE(failed.said.out);
        REQUIRE(!failed.file.empty());
        CHECK(failed.replay(failed.file + " --device cpu").code == 1);
        CHECK(failed.replay(failed.file + " --device cpu --tolerance-scale 1000").code == 0);
    }
    const Failed narrow(
        "--op batch_norm_forward --case '^batch_norm_forward/5x8_mean0_relu_running/bf16/normal$' --dist normal");
    CHECK(read_safetensors(narrow.file).at("tensor0.initial").type == ElementType::bf16);
    CHECK(narrow.replay(narrow.file + " --device cpu --tolerance-scale 1000").code == 0);
}

TEST_CASE("a file that is no saved case, or is damaged, of another schema or of no case of today is refused") {
    const Failed exp("--op exp --case '^exp/17/f32/hundred$' --dist hundred");
    const std::string here = exp.here, golden = BKD_SOURCE_DIR "/tests/golden/ops.safetensors";
    std::string bytes = text_of_file(exp.file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    exp.folder.write("damaged", bytes);
    exp.folder.write("short", bytes.substr(0, 300));
    rewrite(exp.file, here + "/schema", "bkd.reproducer", "2");
    rewrite(exp.file, here + "/unknown", "bkd.case", "exponential/17/f32/hundred");
    rewrite(exp.file, here + "/smaller", "bkd.case", "exp/15/f32/hundred");
    rewrite(exp.file, here + "/binary", "bkd.case", "add/17/f32/normal");
    check_rows(
        here,
        {
            {"check-ops replay " + golden, 4, "error[E0404]: this safetensors file has no \"bkd.reproducer\""},
            {"check-ops replay " + here + "/damaged", 4, "error[E0421]"},
            {"check-ops replay " + here + "/short", 4, "error[E04"},
            {"check-ops replay " + here + "/schema", 10, "error[E1006]: a saved case of schema \"2\""},
            {"check-ops replay " + here + "/unknown", 4, "error[E0404]: no case \"exponential/17/f32/hundred\""},
            {"check-ops replay " + here + "/smaller", 4, "error[E0404]: case \"exp/15/f32/hundred\" has other tensors"},
            {"check-ops replay " + here + "/binary", 4, "error[E0404]: case \"add/17/f32/normal\" has other tensors"},
        });
}

TEST_CASE("a record holds a later run to the same bits or to the bounds of both, without another device") {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string(),
                      cases = "--op 'relu_forward,batch_norm_forward' --case '65x8200|/17/' ";
    const auto check = [&](const std::string& words) { return run_program(here, "check-ops " + cases + words); };
    const Said recorded = check("--dtype f32 --dist normal --device cpu --record " + here + "/record");
    CHECK(recorded.code == 0);
    CHECK(contains(recorded.out, "recorded 2 ops in " + here + "/record\n"));
    // y of 65 x 8200 numbers is sampled, its statistics are whole.
    const SafeTensors file = read_safetensors(here + "/record/batch_norm_forward.safetensors");
    CHECK(file.at("batch_norm_forward/65x8200_mean0/f32/normal#1").shape == std::vector<std::int64_t>{64});
    CHECK(file.at("batch_norm_forward/65x8200_mean0/f32/normal#4").shape == std::vector<std::int64_t>{8200});
    CHECK(file.values<std::int64_t>(file.at("batch_norm_forward/65x8200_mean0/f32/normal#1.crc32c")).size() == 1);

    const std::string against = "--dtype f32 --dist normal --against " + here + "/record ";
    CHECK(contains(check(against + "--device cpu").out, " 2 passed, 0 failed"));
    CHECK(check(against + "--device reference").code == 0);  // other bits, within the bounds
    const std::string relu = here + "/record/relu_forward.safetensors";
    rewrite(relu, relu, "", "", "relu_forward/17/f32/normal#1");
    CHECK(check(against + "--device cpu").code == 0);  // a number that the checksum says is right: nothing is compared
    rewrite(relu, relu, "", "", "relu_forward/17/f32/normal#1.crc32c");
    const Said changed = check(against + "--device cpu");
    CHECK(changed.code == 1);
    CHECK(contains(changed.out, "FAIL relu_forward/17/f32/normal  seed "));
    CHECK(contains(changed.out, " cpu vs " + here + "/record\n"));

    check_rows(here, {{"check-ops " + cases + against + "--seed 1", 4,
                       "error[E0404]: the record is of seed 0, this run of seed 1"}});
    std::filesystem::remove(relu);
    const Said lacks = check(against + "--device cpu -v");
    CHECK(lacks.code == 0);
    CHECK(contains(lacks.out, "skip relu_forward/17/f32/normal  0.000  not in the record\n"));
    CHECK(check(against + "--device cpu --require-all").code == 1);
}

TEST_CASE("CSV, JUnit and HTML say the same of a run") {
    const bkd_test::TemporaryFolder folder;
    const std::string here = folder.path().string();
    const Said said =
        run_program(here, "check-ops --op 'exp,sqrt' --dtype f32 --dist normal,hundred --case /1[57]/ --device cpu "
                          "--tolerance-scale 0.001 --csv " +
                              here + "/a.csv --junit " + here + "/a.xml --html " + here + "/a.html --json");
    CHECK(said.code == 1);
    const Json document = Json::parse(said.out, "stdout");
    const auto failed = document.at("failed").integer(), all = failed + document.at("passed").integer();
    CHECK(all == 6);
    CHECK(failed >= 2);
    const std::string csv = text_of_file(here + "/a.csv"), xml = text_of_file(here + "/a.xml"),
                      html = text_of_file(here + "/a.html");
    CHECK(csv.starts_with(
        "schema,time,version,commit,build,device,driver,cuda,cudnn,op,case,dtype,dist,seed,status,kind,"
        "worst_ratio,max_abs,max_rel,ulp,nmse,first_bad_index,got,want,ns_median,ns_iqr,flops,bytes,gflops,"
        "gbs,roofline,reproducer\n"));
    CHECK(count(csv, "\n") == all + 1);
    CHECK(count(csv, ",fail,bound,") == failed);
    std::istringstream rows(csv);
    for (std::string row; std::getline(rows, row);) {
        bool is_quoted = false;
        std::ptrdiff_t fields = 1;
        for (const char c : row) {
            is_quoted ^= c == '"';
            fields += c == ',' && !is_quoted;
        }
        CHECK(fields == 32);
    }
    CHECK(contains(xml, fmt::format("tests=\"{}\" failures=\"{}\" skipped=\"0\"", all, failed)));
    CHECK(count(xml, "<testcase classname=\"bkd.cpu.") == all);
    CHECK(count(xml, "<failure type=\"bound\"") == failed);
    CHECK(count(xml, "<testsuite ") == 2);
    CHECK(count(xml, "</testsuite>") == 2);
    CHECK(contains(html, "<td>exp</td>"));
    CHECK(count(html, "FAIL ") == failed);
    for (const char* outside : {"http:", "https:", "<script", "src=", "href="}) CHECK_FALSE(contains(html, outside));
}

}
