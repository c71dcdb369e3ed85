#pragma once
// The report of one run or of several side by side: what was gathered of each, and the page that is made of it.
#include "tools/report/svg.h"
#include "train/run_study.h"

namespace bkd {

struct ReportedRun {
    RunRecord record{};
    RunStudy study{};
    std::map<std::string, std::vector<double>> norms{};  // by stage: of the classifier's weight vectors, by read_norms
    std::string label{};                                 // by label_runs
    std::vector<std::string> missing{};                  // what the page does not show of it, and why
};

// What tells their names apart: "ce" and "bkd" of "fashion_mnist_lt_100_ce-s1" and "fashion_mnist_lt_100_bkd-s1".
void label_runs(std::span<ReportedRun> runs);

// From the models of its finished stages; `missing` says why there are none.
void read_norms(ReportedRun& run, bool only_last_stage);

// A line of the comparison: the last stage of each run; of a single run, each stage.
struct Series {
    const ReportedRun* run = nullptr;
    const StageRecord* stage = nullptr;
    std::string label{};
    Look look{};

    const EvaluationRecord* evaluation() const;  // of the last evaluated epoch; null: not known
    const StageStudy* study() const;             // null: not studied
    const std::vector<double>* norms() const;    // null: not known
    // Of the same evaluation, or of the study's where that of an earlier version has none; empty: not known.
    std::span<const ConfidenceBin> calibration() const;
    std::string split() const { return run->record.text("eval.split"); }
};
std::vector<Series> series_of(std::span<const ReportedRun> runs);

// Series whose classes and training counts are the same, so that they share an axis; classes by falling count.
struct ClassGroup {
    std::string title{};                 // "cifar10_lt100, 10 classes"
    std::vector<std::string> names{};    // in label order
    std::vector<std::int64_t> counts{};  // training samples, in label order
    std::vector<std::size_t> order{};    // labels by falling training count
    ShotThresholds thresholds{};
    std::vector<const Series*> series{};

    // Of more than 100 classes so many neighbours in this order are drawn as their mean.
    std::size_t together() const;
    std::vector<double> sorted(std::span<const double> values) const;  // values[label] in this order
    std::vector<double> ranks() const;                                 // 1, 2, ...; of several their middle
    // Ticks of an axis of classes: names where they fit, else ranks with counts. True: they stand aslant.
    bool place_ticks(Axis& axis) const;
};
std::vector<ClassGroup> class_groups(std::span<const Series> series);
// Accuracy in percent by label, after the last evaluated epoch; empty: none.
std::vector<double> accuracy_by_class(const Series& series);

// Result of the last epoch, and the paper's beside it.
struct Headline {
    Metrics last{};
    std::optional<double> macro_f1{};
    bool is_logged = true;  // false: the log lacks this epoch; from the evaluation's file or run.json
    std::int64_t epoch = 0, epochs = 0;
    std::optional<BestEpoch> best{};
    std::optional<double> paper{}, difference{};
    std::string paper_says{};  // "Table 2"; without a cell the setting that the paper does not have
};
std::optional<Headline> headline_of(const Series& series);  // none before the first evaluation

// Over seeds; the deviation is that of the sample (n - 1), of one value there is none.
struct Spread {
    std::size_t n = 0;
    double mean = 0;
    std::optional<double> deviation{};
};
std::optional<Spread> spread_of(std::span<const double> values);  // none without values

// Stages of runs whose recipes agree in every value that decides results but the seed.
struct SeedGroup {
    std::vector<const Series*> series{};  // finished, each seed once
    std::vector<std::string> left_out{};  // "kd-s2: it has not ended"
    std::string label() const;            // "ce-s1, ce-s2"
    std::optional<Spread> top1() const;
    std::optional<double> paper() const, difference() const;  // of the mean from the paper's cell
    // Whether the difference is at most one standard deviation; none: there is no cell, or no spread is known.
    std::optional<bool> is_within() const;
};
std::vector<SeedGroup> seed_groups(std::span<const Series> series);
// A row for each with several seeds, and what the spread says of the paper's cells.
std::string seeds_part(std::span<const Series> series);
Json seeds_json(std::span<const Series> series);

// The sections of the page; empty where there is nothing to show.
std::string headline_section(std::span<const ReportedRun> runs, std::span<const Series> series);
std::string curves_section(std::span<const Series> series);
std::string classes_section(std::span<const ClassGroup> groups);
std::string confusion_section(std::span<const ClassGroup> groups);
std::string calibration_section(std::span<const Series> series);
std::string gradients_section(std::span<const ClassGroup> groups);
std::string teacher_section(std::span<const ClassGroup> groups);
std::string environment_section(std::span<const ReportedRun> runs, std::span<const Series> series);
std::string recipe_section(std::span<const ReportedRun> runs);

std::string report_page(std::span<const ReportedRun> runs);
// The page's numbers: {"schema": "bkd.report/1", "report": path, "runs": [...], "seeds": [...]}.
Json report_json(std::span<const ReportedRun> runs, const std::string& path);

}
