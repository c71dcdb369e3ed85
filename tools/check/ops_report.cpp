#include "tools/check/ops_report.h"

#include "engine/file.h"
#include "tools/check/case_runner.h"
#include "tools/check/grad_report.h"
#include "tools/check/ops_compare.h"
#include "tools/check/ops_tally.h"
#include "tools/check/reproducer.h"
#include "tools/check/workers.h"
#include "tools/options.h"

#include <algorithm>
#include <chrono>

namespace bkd {
namespace {

using kernels::CaseStatus;
using kernels::OpCases;

// Of one run: jobs done here or by workers, results in the order of the jobs.
class OpsRun {
public:
    OpsRun(const std::string& mode, const OpsReportOptions& options, const std::vector<OpCases>& table, std::FILE* out)
        : mode_(mode),
          options_(options),
          jobs_(jobs_of(mode, options, table)),
          tally_(options, out),
          began_(Clock::now()) {
        if (!options.compare.empty()) earlier_ = EarlierRun::read(options.compare);
        // Threads are divided, not multiplied.
        if (options.processes > 1 && options.backend.threads == 0)
            options_.backend.threads = std::max(1, allowed_threads() / static_cast<int>(options.processes));
    }

    int run() {
        const bool is_default = options_.device.kind == DeviceKind::cuda && options_.record.empty() &&
                                mode_ != "perf" && !options_.in_one_process;
        const bool isolates = options_.isolate || options_.processes > 1 || options_.time_limit > 0 || is_default;
        for (std::uint64_t round = 0;; ++round) {
            if (isolates)
                run_by_workers(round);
            else
                run_here(round);
            if (options_.budget != Budget::soak || is_over_) break;
        }
        if (!options_.record.empty()) {
            const int files = runner_->written().write(options_.record, facts_.description);
            tally_.note(fmt::format("recorded {} ops in {}", files, printable(options_.record)));
        }
        std::set<std::string> ids;
        for (const CaseJob& job : jobs_)
            if (job.refused == nullptr) ids.insert(job.id());
        if (earlier_) tally_.compared(*earlier_, ids);
        return tally_.finish(facts_, seconds(), left_out_);
    }

private:
    using Clock = std::chrono::steady_clock;

    double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
    bool is_late() const {
        constexpr double smoke_seconds = 10;
        return options_.budget == Budget::smoke && seconds() > smoke_seconds;
    }
    // True if the run is to end.
    bool add(std::size_t job, std::vector<CaseRecord> records) {
        const bool has_failed = std::ranges::any_of(records, &CaseRecord::is_failure);
        for (CaseRecord& record : records) tally_.add(facts_, job, std::move(record));
        is_over_ = is_over_ || (options_.fail_fast && has_failed);
        return is_over_;
    }

    void run_here(std::uint64_t round) {
        if (runner_ == nullptr) {
            runner_ = std::make_unique<CaseRunner>(mode_, options_);
            facts_ = runner_->facts();
        }
        for (std::size_t i = 0; i < jobs_.size(); ++i) {
            if (is_over_ || is_late()) {
                left_out_ += static_cast<int>(jobs_.size() - i);
                return;
            }
            add(i, runner_->run(jobs_[i], round));
            if (mode_ == "perf" && earlier_) look_again(i);
        }
    }

    // A slower median counts if it is seen in two of three measurements.
    void look_again(std::size_t job) {
        const CaseRecord first = tally_.last();
        if (!earlier_->is_slower(first)) return;
        for (int again = 0; again < 2; ++again)
            if (earlier_->is_slower(runner_->run(jobs_[job]).front())) return tally_.differs(earlier_->slower(first));
    }

    // Jobs of a worker: 0 .. n-1 the cases, n what the device is, n + 1 + i the inputs of case i to a file.
    MakeWorker worker(std::uint64_t round) const {
        return [this, round] {
            auto runner = std::make_shared<CaseRunner>(mode_, options_);
            return [this, runner, round](std::size_t i) -> std::string {
                const std::size_t n = jobs_.size();
                if (i == n) {
                    const RunFacts f = runner->facts();
                    return Json(Json::array(std::vector<std::string>{f.description, f.driver, f.cuda, f.cudnn})).dump();
                }
                if (i > n) {
                    CaseRecord record = record_of({.id = jobs_[i - n - 1].id()});
                    record.result.detail = "the case did not come to its end";
                    return runner->save_inputs(jobs_[i - n - 1], record);
                }
                Json::Array rows;
                for (const CaseRecord& record : runner->run(jobs_[i], round)) rows.push_back(to_json(record));
                return Json(rows).dump();
            };
        };
    }

    CaseRecord lost(std::size_t i, const JobOutcome& outcome, const MakeWorker& make) {
        const CaseJob& job = jobs_[i];
        CaseRecord record = record_of({.id = job.id(), .seed = kernels::case_seed(job.id(), job.seed)});
        record.result.status = outcome.kind == JobOutcome::Kind::crashed ? CaseStatus::crash : CaseStatus::timeout;
        record.result.detail = outcome.kind == JobOutcome::Kind::crashed
                                   ? outcome.text
                                   : fmt::format("not done after {} s", options_.time_limit);
        if (!options_.save_failures.empty() && job.refused == nullptr)
            run_jobs({jobs_.size() + 1 + i}, {}, make, [&](std::size_t, const JobOutcome& saved) {
                if (saved.kind == JobOutcome::Kind::done) record.reproducer = saved.text;
                return NextJob::go_on;
            });
        record.again = again_command(mode_, options_, record, job.seed);
        return record;
    }

    void run_by_workers(std::uint64_t round) {
        const MakeWorker make = worker(round);
        std::vector<std::size_t> order{jobs_.size()};
        for (std::size_t i = 0; i < jobs_.size(); ++i) order.push_back(i);
        std::size_t ended = 0;
        run_jobs(order, {static_cast<int>(options_.processes), options_.time_limit}, make,
                 [&](std::size_t i, const JobOutcome& outcome) {
                     const bool is_done = outcome.kind == JobOutcome::Kind::done;
                     if (i == jobs_.size()) {
                         if (!is_done) return NextJob::fresh_process;
                         const std::vector<std::string> f = Json::parse(outcome.text, "a worker").texts();
                         facts_ = facts_of(mode_, options_);
                         facts_.description = f.at(0), facts_.driver = f.at(1);
                         facts_.cuda = f.at(2), facts_.cudnn = f.at(3);
                         return NextJob::go_on;
                     }
                     ++ended;
                     std::vector<CaseRecord> records;
                     const Json rows = is_done ? Json::parse(outcome.text, "a worker") : Json(Json::Array{});
                     for (const Json& row : rows.elements()) records.push_back(record_from(row));
                     if (!is_done) records.push_back(lost(i, outcome, make));
                     const bool has_failed = std::ranges::any_of(records, &CaseRecord::is_failure);
                     if (add(i, std::move(records)) || is_late()) return NextJob::stop;
                     return has_failed ? NextJob::fresh_process : NextJob::go_on;
                 });
        left_out_ += static_cast<int>(jobs_.size() - ended);
    }

    std::string mode_;
    OpsReportOptions options_;
    std::vector<CaseJob> jobs_;
    OpsTally tally_;
    Clock::time_point began_;
    std::optional<EarlierRun> earlier_;
    std::unique_ptr<CaseRunner> runner_;
    RunFacts facts_;
    int left_out_ = 0;
    bool is_over_ = false;
};

}

int ops_report(const std::string& mode, const OpsReportOptions& options, std::FILE* out) {
    if (mode == "grad") return grad_report(options, out);
    const std::vector<OpCases> table = kernels::all_op_cases();
    if (mode == "list") {
        std::vector<std::string> ids;
        for (const CaseJob& job : jobs_of(mode, options, table)) ids.push_back(job.id());
        if (options.as_json)
            fmt::print(out, "{}\n",
                       Json(Json::Object{{"schema", "bkd.check-list/1"}, {"cases", Json::array(ids)}}).dump());
        else
            fmt::print(out, "{}\n", fmt::join(ids, "\n"));
        return 0;
    }
    check_places(options);
    return OpsRun(mode, options, table, out).run();
}

int support_report(const OpsReportOptions& options, std::FILE* out) {
    const std::vector<OpCases> table = kernels::all_op_cases();
    OpsReportOptions first = options;
    std::map<std::pair<std::string, DType>, std::string> states;  // "yes", or why not
    {
        const std::vector<CaseJob> jobs = jobs_of("support", first, table);
        CaseRunner runner("support", first);
        for (const CaseJob& job : jobs) {
            const auto key = std::pair{job.op(), job.c.dtype};
            if (states.contains(key)) continue;
            const kernels::CaseResult r = runner.run(job).front().result;
            const bool runs = r.kind != kernels::FailKind::error && r.kind != kernels::FailKind::device;
            states[key] = runs ? "yes" : r.detail;
        }
    }
    int unsupported = 0;
    Json::Array rows;
    if (!options.as_json) fmt::print(out, "{:<32} {:>4} {:>4}\n", "op", "f32", "bf16");
    for (const OpCases& op : table) {
        const auto state = [&](DType dtype) {
            const auto found = states.find({op.op, dtype});
            return found == states.end() ? std::string("-") : found->second;
        };
        const std::string f32 = state(DType::f32), bf16 = state(DType::bf16);
        if (f32 == "-" && bf16 == "-") continue;
        for (const std::string& s : {f32, bf16}) unsupported += s != "yes" && s != "-";
        rows.push_back(Json::Object{{"op", op.op}, {"family", op.family}, {"f32", f32}, {"bf16", bf16}});
        const auto word = [](const std::string& s) { return s == "yes" || s == "-" ? s : std::string("no"); };
        if (options.as_json) continue;
        fmt::print(out, "{:<32} {:>4} {:>4}\n", op.op, word(f32), word(bf16));
        for (const std::string& s : {f32, bf16})
            if (word(s) == "no") fmt::print(out, "  {}\n", printable(s));
    }
    if (options.as_json)
        fmt::print(out, "{}\n",
                   Json(Json::Object{{"schema", "bkd.check-support/1"},
                                     {"device", options.device.str()},
                                     {"unsupported", unsupported},
                                     {"ops", rows}})
                       .dump());
    else
        fmt::print(out, "{} ops on {}, {} without support; - where a contract lists no bf16\n", rows.size(),
                   options.device.str(), unsupported);
    return options.require_all && unsupported > 0 ? 1 : 0;
}

int replay_report(const std::vector<std::string>& files, const OpsReportOptions& options, std::FILE* out) {
    check_places(options);
    const std::vector<OpCases> table = kernels::all_op_cases();
    std::vector<Reproducer> reproducers;
    for (const std::string& file : files) reproducers.push_back(read_reproducer(file));
    const auto began = std::chrono::steady_clock::now();
    const auto tested = open_backend(options.device, options.backend), truth = open_backend({DeviceKind::reference, 0});
    const RunFacts facts{.mode = "replay",
                         .device = options.device.str(),
                         .description = tested->description(),
                         .against = "its file",
                         .tolerance_scale = options.tolerance_scale};
    OpsTally tally(options, out);
    for (std::size_t i = 0; i < reproducers.size(); ++i) {
        CaseRecord record = replay(reproducers[i], *tested, *truth, table, options.tolerance_scale);
        record.again = fmt::format("bkd check-ops replay {} --device {}", files[i], options.device.str());
        tally.add(facts, i, std::move(record));
    }
    return tally.finish(facts, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(), 0);
}

}
