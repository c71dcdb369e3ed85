// bkd check-ops [test|same|list|golden FILE...]: every op of a device against the reference.
#include "tools/check/golden_report.h"
#include "tools/check/ops_report.h"
#include "tools/options.h"

#include <cstdio>

namespace bkd {

int run_check_ops(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    OpsReportOptions choice;
    std::string budget = "full";
    std::int64_t seed = 0;
    bool require_all = false, verbose = false, as_json = false;
    Options options(
        "check-ops",
        "Holds every op of a device against reference numbers. Modes: test (default), same (equal bits again and on\n"
        "other numbers of threads), list, golden FILE... (golden files, from anyone).",
        {"bkd check-ops --device cpu", "bkd check-ops same --op 'conv2d*'",
         "bkd check-ops golden tests/golden/ops.safetensors --device reference"});
    options.words("MODE", words, 0, Options::any_number, "test, same, list, or golden FILE...");
    machine.add_to(options);
    options.value("--op", choice.ops, "ops by name, with * and ?, separated by commas");
    options.value("--case", choice.cases, "cases whose id this regular expression finds");
    options.value("--dtype", choice.dtypes, "dtypes, separated by commas");
    options.value("--seed", seed, 0, INT64_MAX, "of every case's numbers");
    options.choice("--budget", budget, {"smoke", "full", "soak"}, "how long: about 10 s, all cases, until stopped");
    options.flag("--require-all", require_all, "a skipped case fails the run");
    options.flag("-v,--verbose", verbose, "a line for every case, not only for failures");
    options.flag("--json", as_json, "the result as one JSON document");
    if (!options.parse(arguments)) return 0;
    choice.seed = static_cast<std::uint64_t>(seed);
    choice.budget = budget == "smoke" ? Budget::smoke : budget == "soak" ? Budget::soak : Budget::full;
    choice.require_all = require_all;
    choice.verbose = verbose;
    choice.as_json = as_json;
    choice.device = machine.chosen_device();
    choice.backend = machine.backend();
    const std::string mode = words.empty() ? "test" : words.front();
    if (mode == "golden") {
        if (words.size() < 2)
            throw InputError(
                {.id = 206, .what = "bkd check-ops golden needs files", .try_ = "bkd check-ops golden FILE..."});
        return golden_report({words.begin() + 1, words.end()}, choice, stdout);
    }
    if (mode != "test" && mode != "same" && mode != "list")
        throw InputError({.id = 203,
                          .what = fmt::format("check-ops has no mode \"{}\"", printable(mode)),
                          .try_ = "test, same, list or golden FILE..."});
    if (words.size() > 1)
        throw InputError(
            {.id = 207,
             .what = fmt::format("check-ops {} takes no file: \"{}\" is too much", mode, printable(words[1])),
             .try_ = "bkd check-ops golden FILE..."});
    return ops_report(mode, choice, stdout);
}

}
