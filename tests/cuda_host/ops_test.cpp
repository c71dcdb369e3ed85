// Every op of the CUDA backend, its own kernels and host code executed on the CPU, against `reference` over the table of
// cases: f32 and bf16, the same bits again, spoiled arguments. Convolutions and products once through the stand-ins of
// the libraries, once by the kernels that run where those have nothing.
#include "kernels/cases/check.h"
#include "kernels/cuda/host/libraries.h"
#include "kernels/cuda/host/runtime.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace bkd;
using namespace bkd::kernels;

namespace {

void check_passed(const CaseResult& result) {
    CHECK_MESSAGE(result.status == CaseStatus::pass,
                  fmt::format("{} seed {}: {}: {}", result.id, result.seed, name_of(result.kind), result.detail));
}

// Runs of the table that were whole, of this process.
std::set<std::string>& whole_runs() {
    static std::set<std::string> names;
    return names;
}

#ifdef __SANITIZE_THREAD__
constexpr bool watches_races = true;
#else
constexpr bool watches_races = false;
#endif

// What the thread sanitizer, under which kernels are a hundred times slower, must see of an op's cases: the smallest
// that together launch each instance of their kernels, on one block and on several if any of them does. A large case is
// taken only for a kernel that no smaller one has an instance of.
std::vector<CaseReference> for_races(const std::vector<CaseReference>& cases, Backend& cuda) {
    constexpr std::int64_t large = 32768;  // threads
    struct Found {
        const CaseReference* of;
        std::set<std::pair<const void*, bool>> launches;
    };
    std::multimap<std::int64_t, Found> by_threads;
    std::set<std::string> shapes;
    const auto stream = cuda.make_stream();
    for (const CaseReference& c : cases) {
        if (!shapes.insert(c.entry->attributes).second) continue;
        CaseMemory memory(cuda, *stream, {.storage = c.dtype});
        const PreparedCase prepared = c.entry->prepare(memory, nullptr);
        stream->synchronize();
        simt::Rehearsal rehearsal;
        prepared.launch(cuda, *stream);
        stream->synchronize();
        by_threads.insert({rehearsal.threads, {&c, rehearsal.launches}});
    }
    std::vector<CaseReference> chosen;
    std::set<std::pair<const void*, bool>> covered;
    std::set<const void*> kernels;
    for (const auto& [threads, found] : by_threads) {
        const std::size_t launches = covered.size(), names = threads > large ? simt::names_of(kernels).size() : 0;
        for (const auto& launch : found.launches) {
            covered.insert(launch);
            kernels.insert(launch.first);
        }
        if (covered.size() == launches || (threads > large && simt::names_of(kernels).size() == names)) continue;
        chosen.push_back(*found.of);
    }
    return chosen;
}

void passes_all_cases(const std::string& op, simt::Offer offer = simt::Offer::everything) {
    const simt::OfferFor offered(offer);
    const std::vector<OpCases> table = all_op_cases();
    const auto reference = open_backend({DeviceKind::reference, 0}), cuda = open_backend({DeviceKind::cuda, 0});
    CaseChecker checker(*cuda, *reference);
    for (const DType dtype : {DType::f32, DType::bf16}) {
        std::vector<CaseReference> cases = select(table, {.ops = {op}, .dtypes = {dtype}});
        if (watches_races) cases = for_races(cases, *cuda);
        for (const CaseReference& c : cases) {
            check_passed(checker.agrees(c));
            if (!watches_races) check_passed(checker.same(c, {}));
        }
    }
    for (const OpCases& cases : table)
        if (cases.op == op)
            for (const CaseResult& result : checker.refuses(cases)) check_passed(result);
    CHECK(simt::tally().faults.empty());
    whole_runs().insert(op + (offer == simt::Offer::nothing ? " alone" : ""));
}

// The name before the parenthesis that opens a kernel's parameters; launch bounds may come first.
std::string kernel_declared_at(const std::string& text, std::size_t at) {
    const std::string bounds = "__launch_bounds__";
    std::size_t open = text.find('(', at);
    if (text.compare(open - bounds.size(), bounds.size(), bounds) == 0) open = text.find('(', text.find(')', open));
    const std::size_t begin = text.find_last_of(" \n", open) + 1;
    return text.substr(begin, open - begin);
}

std::set<std::string> kernels_in_sources() {
    const std::string mark = "__global__ ";
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(BKD_SOURCE_DIR "/kernels/cuda")) {
        const std::string extension = entry.path().extension().string();
        if (extension != ".cu" && extension != ".cuh") continue;
        std::ostringstream read;
        read << std::ifstream(entry.path()).rdbuf();
        const std::string text = read.str();
        for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1))
            names.insert(kernel_declared_at(text, at));
    }
    return names;
}

}

TEST_CASE("with TF32 allowed, convolutions of numbers that TF32 holds exactly agree with reference" *
          doctest::skip(watches_races)) {
    const auto reference = open_backend({DeviceKind::reference, 0});
    const auto cuda = open_backend({DeviceKind::cuda, 0}, {.tf32 = true});
    CaseChecker checker(*cuda, *reference);
    const std::vector<OpCases> table = all_op_cases();
    for (const CaseReference& c :
         select(table, {.ops = {"conv2d*"}, .id_regex = "/(integers|onehot)$", .dtypes = {DType::f32}})) {
        check_passed(checker.agrees(c));
        check_passed(checker.same(c, {}));
    }
}

#define TEST_OP(op, Args) \
    TEST_CASE(#op " agrees with reference when its kernels are executed on the host") { passes_all_cases(#op); }
#define TEST_FAMILY(accessor, Class, OPS) OPS(TEST_OP)
BKD_FAMILIES(TEST_FAMILY)

#define TEST_ALONE(op, Args)                                                                          \
    TEST_CASE(#op " agrees with reference where the libraries have nothing, by kernels of our own") { \
        passes_all_cases(#op, simt::Offer::nothing);                                                  \
    }
BKD_CONVOLUTION_OPS(TEST_ALONE)
BKD_MATMUL_OPS(TEST_ALONE)

TEST_CASE("every kernel in the sources was executed by the table of cases") {
    const std::set<std::string> executed = simt::kernels_run();
    for (const OpCases& cases : all_op_cases())
        for (const std::string& name : {cases.op, cases.op + " alone"}) {
            const bool is_run_alone = cases.family == "convolution" || cases.family == "matmul";
            if (whole_runs().contains(name) || (name != cases.op && !is_run_alone)) continue;
            MESSAGE("not looked at: the table was not run whole, " << name << " was left out");
            return;
        }
    const std::set<std::string> declared = kernels_in_sources();
    CHECK(declared.size() >= 50);
    for (const std::string& kernel : declared)
        CHECK_MESSAGE(executed.contains(kernel), kernel << " is executed by no case");
}
