// bkd report RUN...: one HTML page of a run, or of several side by side.
#include "tools/report/report.h"
#include "engine/file.h"
#include "tools/options.h"
#include "tools/recipe_folders.h"
#include "tools/terminal.h"
#include "train/run_folder.h"

#include <algorithm>
#include <cstdio>

namespace bkd {
namespace {

namespace fs = std::filesystem;

void refuse_twice(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i)
        for (std::size_t k = 0; k < i; ++k) {
            std::error_code error;
            if (words[i] != words[k] && !fs::equivalent(words[i], words[k], error)) continue;
            throw InputError(
                {.id = 204, .what = fmt::format("run {} is given twice", printable(words[i])), .at = "argument RUN"});
        }
}

// Beside the run, where it is ours to replace; of several runs here, where it is not.
struct Place {
    std::string path;
    Overwrite overwrite;
};

Place place_of(const std::string& out, bool force, const std::vector<std::string>& runs) {
    const Overwrite overwrite = force ? Overwrite::yes : Overwrite::no;
    if (!out.empty()) return {out, overwrite};
    if (runs.size() == 1) return {(fs::path(runs[0]) / "report.html").string(), Overwrite::yes};
    return {"report.html", overwrite};
}

}

int run_report(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    MachineOptions machine;
    std::string out, data_root;
    bool force = false, as_json = false, records_only = false;
    Options options("report",
                    "One HTML page of a run, or of several side by side: curves, accuracy by class and shot group, "
                    "confusion,\n"
                    "calibration, gradients, norms and probabilities by class, spread over seeds, environment, recipe, "
                    "the\npaper's cell. Prints its path.",
                    {"bkd report runs/a", "bkd report runs/ce runs/kd runs/bkd --out compared.html",
                     "bkd report runs/a --records-only --json"});
    options.words("RUN", words, 1, series_colours, "folders of runs, also of one that is running");
    machine.add_to(options);
    options.value("--out", out, "the page's file; default: report.html in the run's folder, of several runs here");
    options.flag("--force", force, "overwrite the page");
    options.value("--data-root", data_root, "folder of the data's files; default: as the run has it");
    options.flag("--records-only", records_only, "only what the runs have written: no model is evaluated");
    options.flag("--json", as_json, "the page's numbers as one JSON document");
    options.only_in("RUN", {"--data-root", "--device", "--threads"});
    if (!options.parse(arguments)) return 0;
    refuse_twice(words);
    options.check_mode(records_only ? "--records-only" : "RUN");
    const Device device = records_only ? Device{} : machine.chosen_device();

    std::vector<ReportedRun> runs;
    for (const std::string& word : words) runs.push_back({.record = read_run_record(word)});
    const Place place = place_of(out, force, words);
    check_not_of_a_run(place.path);
    check_place(place.path, place.overwrite, "report");
    label_runs(runs);
    for (ReportedRun& run : runs) {
        if (const LogDamage& damage = run.record.damage; !damage.missing.empty())
            say("warning: {}: log.jsonl is not whole: missing: {}; it holds {}\n", printable(run.record.name()),
                printable(damage.missing), printable(damage.held));
        read_norms(run, runs.size() > 1);
        if (records_only) {
            run.missing.emplace_back("gradients and probabilities by class: --records-only was given");
            continue;
        }
        try {
            run.study = study_run(run.record, {.device = device,
                                               .threads = static_cast<int>(machine.threads),
                                               .recipes = recipe_options(),
                                               .data_root = data_root,
                                               .only_last_stage = runs.size() > 1,  // all that the page shows
                                               .say = [](const std::string& text) { say("{}\n", text); }});
        } catch (const InputError& error) {
            if (error.exit_code() == 7 || error.exit_code() == 8) throw;  // memory; the device that was asked for
            run.missing.push_back(
                fmt::format("gradients and probabilities by class: {} ({})", error.parts().what, error.parts().at));
            say("warning: {}: models are not evaluated: {}\n", printable(run.record.name()),
                printable(error.parts().what));
        }
    }
    const std::string page = report_page(runs);
    write_file_atomically(place.path, page, place.overwrite, "report");
    if (as_json)
        fmt::print("{}\n", report_json(runs, place.path).dump());
    else
        fmt::print("{}\n", printable(place.path));
    return 0;
}

}
