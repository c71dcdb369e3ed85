#include "tools/check/ops_tally.h"

#include "engine/file.h"
#include "tools/version.h"

#include <algorithm>

namespace bkd {

using kernels::CaseStatus;

void check_places(const OpsReportOptions& options) {
    for (const std::string& file : {options.csv, options.junit, options.html})
        if (!file.empty()) check_place(file, Overwrite::no, "result");
    for (const std::string& folder : {options.save_failures, options.record}) {
        if (folder.empty()) continue;
        std::error_code error;
        std::filesystem::create_directory(folder, error);
        if (error || !std::filesystem::is_directory(folder))
            throw InputError({.id = 601,
                              .what = fmt::format("no folder \"{}\", and none can be made: {}", printable(folder),
                                                  error ? error.message() : "it is a file"),
                              .at = folder == options.record ? "option --record" : "option --save-failures"});
    }
}

void OpsTally::add(const RunFacts& facts, std::size_t job, CaseRecord record) {
    const kernels::CaseResult& r = record.result;
    for (Counts* counts : {&by_op_[record.op], &by_dtype_[record.dtype], &all_}) {
        ++(record.is_failure() ? counts->failed : r.status == CaseStatus::pass ? counts->passed : counts->skipped);
        if (r.worst_ratio > counts->worst_ratio) {
            counts->worst_ratio = r.worst_ratio;
            counts->worst_case = r.id;
        }
    }
    if (!options_.as_json && record.is_failure())
        fmt::print(out_, "{}", failure_text(facts, record));
    else if (!options_.as_json && options_.verbose)
        fmt::print(out_, "{} {}  {:.3f}{}\n", kernels::name_of(r.status), r.id, r.worst_ratio,
                   r.detail.empty() ? "" : "  " + printable(r.detail));
    if (!options_.as_json) std::fflush(out_);
    // A run without an end keeps what went wrong.
    if (options_.budget == Budget::soak && !record.is_failure()) return;
    records_.emplace_back(job, std::move(record));
}

void OpsTally::compared(const EarlierRun& earlier, const std::set<std::string>& ids) {
    const std::vector<CaseRecord> records = in_order();
    for (EarlierRun::Difference& difference : earlier.differences(records, ids))
        differences_.push_back(std::move(difference));
}

std::vector<CaseRecord> OpsTally::in_order() const {
    auto sorted = records_;
    std::ranges::stable_sort(sorted, {}, [](const auto& entry) { return entry.first; });
    std::vector<CaseRecord> records;
    for (auto& [job, record] : sorted) records.push_back(std::move(record));
    return records;
}

int OpsTally::finish(const RunFacts& facts, double seconds, int left_out) {
    const std::vector<CaseRecord> records = in_order();
    if (options_.as_json)
        print_json(facts, seconds, left_out, records);
    else if (facts.mode == "perf")
        print_times(facts, records);
    else
        print_table(facts, seconds, left_out);
    if (!options_.as_json) {
        for (const EarlierRun::Difference& difference : differences_) fmt::print(out_, "{}\n", difference.text);
        for (const std::string& line : notes_) fmt::print(out_, "{}\n", line);
    }
    if (!options_.csv.empty()) write_file_atomically(options_.csv, csv_of(facts, records), Overwrite::no, "result");
    if (!options_.junit.empty())
        write_file_atomically(options_.junit, junit_of(facts, records, seconds), Overwrite::no, "result");
    if (!options_.html.empty())
        write_file_atomically(options_.html, html_of(facts, records, seconds), Overwrite::no, "result");
    const bool is_nothing_run = all_.passed + all_.failed == 0;
    const bool is_incomplete = options_.require_all && left_out + all_.skipped > 0;
    return is_nothing_run || all_.failed > 0 || is_incomplete || !differences_.empty() ? 1 : 0;
}

void OpsTally::print_json(const RunFacts& facts, double seconds, int left_out,
                          const std::vector<CaseRecord>& records) const {
    Json::Array ops, dtypes, failures, cases, differences;
    for (const auto& [op, t] : by_op_)
        ops.push_back(Json::Object{{"op", op},
                                   {"passed", t.passed},
                                   {"failed", t.failed},
                                   {"skipped", t.skipped},
                                   {"worst_over_limit", t.worst_ratio},
                                   {"worst_case", t.worst_case}});
    for (const auto& [dtype, t] : by_dtype_)
        dtypes.push_back(Json::Object{{"dtype", dtype}, {"passed", t.passed}, {"failed", t.failed}});
    for (const CaseRecord& record : records) {
        cases.push_back(to_json(record));
        if (record.is_failure()) failures.push_back(to_json(record));
    }
    for (const EarlierRun::Difference& d : differences_)
        differences.push_back(Json::Object{{"what", d.what}, {"text", d.text}});
    fmt::print(out_, "{}\n",
               Json(Json::Object{{"schema", "bkd.check-ops/1"},
                                 {"mode", facts.mode},
                                 {"version", program_version()},
                                 {"commit", program_commit()},
                                 {"build", build_description()},
                                 {"device", facts.device},
                                 {"description", facts.description},
                                 {"against", facts.against},
                                 {"driver", facts.driver},
                                 {"cuda", facts.cuda},
                                 {"cudnn", facts.cudnn},
                                 {"seed", facts.seed},
                                 {"trials", facts.trials},
                                 {"tolerance_scale", facts.tolerance_scale},
                                 {"passed", all_.passed},
                                 {"failed", all_.failed},
                                 {"skipped", all_.skipped},
                                 {"left_out", left_out},
                                 {"seconds", seconds},
                                 {"dtypes", dtypes},
                                 {"ops", ops},
                                 {"failures", failures},
                                 {"differences", differences},
                                 {"cases", cases}})
                   .dump());
}

void OpsTally::print_table(const RunFacts& facts, double seconds, int left_out) const {
    fmt::print(out_, "{:<32} {:>6} {:>6} {:>12}\n", "op", "passed", "failed", "worst/limit");
    for (const auto& [op, t] : by_op_)
        fmt::print(out_, "{:<32} {:>6} {:>6} {:>12.3f}\n", op, t.passed, t.failed, t.worst_ratio);
    fmt::print(out_, "{} ops on {} against {}, seed {}: {} passed, {} failed, {} left out, {:.1f} s\n", by_op_.size(),
               facts.device, printable(facts.against), facts.seed, all_.passed, all_.failed, left_out, seconds);
    if (facts.tolerance_scale != 1) fmt::print(out_, "every limit was multiplied by {}\n", facts.tolerance_scale);
    if (all_.skipped > 0) fmt::print(out_, "{} skipped\n", all_.skipped);
    for (const auto& [dtype, t] : by_dtype_) fmt::print(out_, "{}: {} passed, {} failed\n", dtype, t.passed, t.failed);
    if (all_.passed + all_.failed == 0) fmt::print(out_, "nothing was run\n");
}

void OpsTally::print_times(const RunFacts& facts, const std::vector<CaseRecord>& records) const {
    fmt::print(out_, "{}\n{:<72} {:>10} {:>8} {:>9} {:>8} {:>6}\n", facts.description, "case", "us", "iqr us",
               "GFLOP/s", "GB/s", "share");
    for (const CaseRecord& r : records)
        fmt::print(out_, "{:<72} {:>10.2f} {:>8.2f} {:>9.1f} {:>8.1f} {:>5.0f}%\n", r.result.id, r.median_ns / 1000,
                   r.quartile_range_ns / 1000, r.flops / r.median_ns, r.bytes / r.median_ns, 100 * r.share);
    fmt::print(out_, "share: of the least time that a measured product's and copy's speed allow; more than 100 % in a "
                     "cache\n");
}

}
