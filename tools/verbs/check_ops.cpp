// bkd check-ops [test|same|grad|perf|support|list|golden FILE...|replay FILE...]: every op of a device against the
// reference, or what else --against names.
#include "tools/check/case_runner.h"
#include "tools/check/golden_report.h"
#include "tools/check/ops_report.h"
#include "tools/options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace bkd {
namespace {

const std::vector<std::string> modes = {"test", "same", "grad", "perf", "support", "list", "golden", "replay"};

// "2/3": the second of three parts.
Shard parse_shard(const std::string& text) {
    Shard shard;
    const std::size_t slash = std::min(text.find('/'), text.size());
    const auto number = [](const char* begin, const char* end, std::int64_t& value) {
        const auto [stop, error] = std::from_chars(begin, end, value);
        return error == std::errc{} && stop == end;
    };
    const char* const at = text.data();
    const bool is_read =
        slash < text.size() && number(at, at + slash, shard.part) && number(at + slash + 1, at + text.size(), shard.of);
    if (!is_read || shard.part < 1 || shard.of > 100000 || shard.part > shard.of)
        throw InputError(
            {.id = 203,
             .what = fmt::format("--shard takes i/n with 1 <= i <= n <= 100000, got \"{}\"", printable(text)),
             .at = "option --shard",
             .try_ = "--shard 1/4"});
    return shard;
}

struct Words {
    std::string budget = "full", shard;
    std::int64_t seed = 0;
};

void add_choice_of_cases(Options& options, OpsReportOptions& o, Words& words) {
    options.value("--op", o.ops, "ops by name, with * and ?, separated by commas");
    options.value("--case", o.cases, "cases whose id this regular expression finds");
    options.value("--dtype", o.dtypes, "dtypes, separated by commas");
    options.value("--dist", o.dists, "distributions that inputs are drawn from, separated by commas");
    options.value("--seed", words.seed, 0, INT64_MAX, "of every case's numbers");
    options.value("--trials", o.trials, 1, 1000000, "seeds a case, from --seed on");
    options.value("--shard", words.shard, "i/n: the i-th of n parts of the cases");
    options.choice("--budget", words.budget, {"smoke", "full", "soak"},
                   "how long: about 10 s, all cases, until stopped");
    options.only_in({"test", "same", "grad", "perf", "support", "list", "golden"}, {"--op", "--case"});
    options.only_in({"test", "same", "perf", "support", "list", "golden"}, {"--dtype"});
    options.only_in({"test", "same", "list"}, {"--dist"});
    options.only_in({"test", "same", "grad", "perf"}, {"--seed"});
    options.only_in({"test", "same", "grad", "perf", "list"}, {"--shard"});
    options.only_in({"test", "same", "grad"}, {"--trials"});
    options.only_in({"test", "same"}, {"--budget"});
}

void add_ways_to_run(Options& options, OpsReportOptions& o) {
    options.value("--against", o.against, "what is right: reference, cpu, cuda:N, or a folder of --record");
    options.value("--tolerance-scale", o.tolerance_scale, 1e-3, 1e6, "multiplies every limit");
    options.value("-j,--jobs", o.processes, 1, 1024, "processes that share the cases");
    options.flag("--isolate", o.isolate, "cases in a process of their own, a fresh one after each that fails");
    options.flag("--no-isolate", o.in_one_process, "on a GPU: cases in this process, for a debugger");
    options.value("--time-limit", o.time_limit, 0.01, 86400, "seconds a case may take, with --isolate; 0: any");
    options.flag("--fail-fast", o.fail_fast, "ends at the first failure");
    options.value("--min-time", o.min_time, 0.01, 60, "perf: seconds of samples a case");
    options.flag("--require-all", o.require_all, "a skipped or unsupported case fails the run");
    options.only_in("test", {"--against"});
    options.only_in({"test", "replay"}, {"--tolerance-scale"});
    options.only_in({"test", "same"}, {"--jobs", "--isolate", "--no-isolate", "--time-limit"});
    options.only_in({"test", "same", "grad"}, {"--fail-fast"});
    options.only_in("perf", {"--min-time"});
    options.only_in({"test", "same", "golden", "support"}, {"--require-all"});
}

void add_results(Options& options, OpsReportOptions& o) {
    options.value("--save-failures", o.save_failures, "folder for a file of each failed case, for replay");
    options.value("--record", o.record, "folder for what every case gave, for --against");
    options.value("--compare", o.compare, "earlier --json output: missing cases, larger errors, longer times fail");
    options.value("--csv", o.csv, "new file: a line for every case");
    options.value("--junit", o.junit, "new file: JUnit XML, a suite an op");
    options.value("--html", o.html, "new file: one page");
    options.flag("-v,--verbose", o.verbose, "a line for every case, not only for failures");
    options.flag("--json", o.as_json, "the result as one JSON document");
    options.only_in("test", {"--save-failures", "--record"});
    options.only_in({"test", "same", "grad", "perf"}, {"--compare"});
    options.only_in({"test", "same", "grad", "perf", "replay"}, {"--csv", "--junit", "--html"});
    options.only_in({"test", "same", "grad", "golden", "replay"}, {"--verbose"});
}

void refuse_together(bool both, const char* first, const char* second, const char* why) {
    if (both)
        throw InputError({.id = 208,
                          .what = fmt::format("{} has no effect beside {}", first, second),
                          .at = fmt::format("option {}", first),
                          .why = why});
}

}

int run_check_ops(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    OpsReportOptions choice;
    Words said;
    Options options(
        "check-ops",
        "Holds every op of a device against reference numbers. Modes: test (default), same (equal bits again and on\n"
        "other numbers of threads), grad (gradients of the engine's ops), perf (times), support, list, golden FILE...\n"
        "(golden files, from anyone), replay FILE... (cases saved by --save-failures).",
        {"bkd check-ops --device cpu", "bkd check-ops same --op 'conv2d*'",
         "bkd check-ops golden tests/golden/ops.safetensors --device reference"});
    options.words("MODE", words, 0, Options::any_number,
                  "test, same, grad, perf, support, list, golden or replay FILE...");
    machine.add_to(options);
    add_choice_of_cases(options, choice, said);
    add_ways_to_run(options, choice);
    add_results(options, choice);
    if (!options.parse(arguments)) return 0;
    const std::string mode = words.empty() ? "test" : words.front();
    if (std::ranges::find(modes, mode) == modes.end())
        throw InputError({.id = 203,
                          .what = fmt::format("check-ops has no mode \"{}\"", printable(mode)),
                          .try_ = fmt::format("one of: {}", fmt::join(modes, ", "))});
    options.check_mode(mode);
    const bool takes_files = mode == "golden" || mode == "replay";
    if (takes_files && words.size() < 2)
        throw InputError({.id = 206,
                          .what = fmt::format("bkd check-ops {} needs files", mode),
                          .try_ = fmt::format("bkd check-ops {} FILE...", mode)});
    if (!takes_files && words.size() > 1)
        throw InputError(
            {.id = 207,
             .what = fmt::format("check-ops {} takes no file: \"{}\" is too much", mode, printable(words[1])),
             .try_ = "bkd check-ops golden FILE..."});
    choice.seed = static_cast<std::uint64_t>(said.seed);
    if (!said.shard.empty()) choice.shard = parse_shard(said.shard);
    choice.budget = said.budget == "smoke" ? Budget::smoke : said.budget == "soak" ? Budget::soak : Budget::full;
    const bool has_processes = choice.isolate || choice.processes > 1 || choice.time_limit > 0;
    const bool has_folder = !device_against(choice.against);
    refuse_together(has_processes && choice.in_one_process, "--no-isolate", "--isolate, -j or --time-limit",
                    "they give cases processes of their own");
    refuse_together(has_processes && !choice.record.empty(), "--isolate, -j or --time-limit", "--record",
                    "a record is written by one process");
    refuse_together(has_folder && !choice.save_failures.empty(), "--save-failures", "--against DIR",
                    "a record has no exact results");
    refuse_together(has_folder && !choice.record.empty(), "--record", "--against DIR", "one folder holds the results");
    refuse_together(choice.trials > 1 && (has_folder || !choice.record.empty()), "--trials", "a record",
                    "a record is of one seed");
    choice.device = machine.chosen_device();
    choice.backend = machine.backend();
    const std::vector<std::string> files(words.begin() + (words.empty() ? 0 : 1), words.end());
    if (mode == "golden") return golden_report(files, choice, stdout);
    if (mode == "replay") return replay_report(files, choice, stdout);
    if (mode == "support") return support_report(choice, stdout);
    return ops_report(mode, choice, stdout);
}

}
