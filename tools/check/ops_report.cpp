#include "tools/check/ops_report.h"

#include "tools/options.h"

#include "engine/json.h"
#include "kernels/cases/check.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace bkd {
namespace {

using kernels::CaseReference;
using kernels::CaseResult;
using kernels::CaseStatus;

struct OpTally {
    int passed = 0, failed = 0;
    double worst_ratio = 0;
    std::string worst_case{};
};

class OpsReport {
public:
    OpsReport(const OpsReportOptions& options, std::FILE* out) : options_(options), out_(out) {}

    void add(const std::string& op, DType dtype, const CaseResult& result) {
        OpTally& tally = tallies_[op];
        for (OpTally* of : {&tally, &by_dtype_[dtype]}) ++(result.status == CaseStatus::pass ? of->passed : of->failed);
        if (result.worst_ratio > tally.worst_ratio) {
            tally.worst_ratio = result.worst_ratio;
            tally.worst_case = result.id;
        }
        if (options_.as_json && result.status == CaseStatus::fail)
            failures_.push_back(Json::Object{{"case", result.id},
                                             {"seed", result.seed},
                                             {"kind", kernels::name_of(result.kind)},
                                             {"detail", result.detail}});
        if (options_.as_json) return;
        if (result.status == CaseStatus::fail)
            fmt::print(
                out_,
                "FAIL {}  seed {}  {}\n  {}\n  again: bkd check-ops --op {} --case '^{}$' --seed {} --device {}\n",
                result.id, result.seed, kernels::name_of(result.kind), result.detail, op, result.id, options_.seed,
                options_.device.str());
        else if (options_.verbose)
            fmt::print(out_, "{} {}  {:.3f}\n", kernels::name_of(result.status), result.id, result.worst_ratio);
    }

    int finish(double seconds, int left_out) const {
        OpTally sum;
        for (const auto& [op, t] : tallies_) {
            sum.passed += t.passed;
            sum.failed += t.failed;
        }
        if (options_.as_json)
            print_json(sum, seconds, left_out);
        else
            print_table(sum, seconds, left_out);
        const bool is_nothing_run = sum.passed + sum.failed == 0;
        return is_nothing_run || sum.failed > 0 || (options_.require_all && left_out > 0) ? 1 : 0;
    }

private:
    void print_json(const OpTally& sum, double seconds, int left_out) const {
        Json::Array ops;
        for (const auto& [op, t] : tallies_)
            ops.push_back(Json::Object{{"op", op},
                                       {"passed", t.passed},
                                       {"failed", t.failed},
                                       {"worst_over_limit", t.worst_ratio},
                                       {"worst_case", t.worst_case}});
        Json::Array dtypes;
        for (const auto& [dtype, t] : by_dtype_)
            dtypes.push_back(Json::Object{{"dtype", name_of(dtype)}, {"passed", t.passed}, {"failed", t.failed}});
        fmt::print(out_, "{}\n",
                   Json(Json::Object{{"schema", "bkd.check-ops/1"},
                                     {"device", options_.device.str()},
                                     {"seed", options_.seed},
                                     {"passed", sum.passed},
                                     {"failed", sum.failed},
                                     {"left_out", left_out},
                                     {"seconds", seconds},
                                     {"dtypes", dtypes},
                                     {"ops", ops},
                                     {"failures", failures_}})
                       .dump());
    }

    void print_table(const OpTally& sum, double seconds, int left_out) const {
        fmt::print(out_, "{:<32} {:>6} {:>6} {:>12}\n", "op", "passed", "failed", "worst/limit");
        for (const auto& [op, t] : tallies_)
            fmt::print(out_, "{:<32} {:>6} {:>6} {:>12.3f}\n", op, t.passed, t.failed, t.worst_ratio);
        fmt::print(out_,
                   "{} ops on {} against reference, seed {}: {} passed, {} failed, {} left out by the budget, {:.1f} "
                   "s\n",
                   tallies_.size(), options_.device.str(), options_.seed, sum.passed, sum.failed, left_out, seconds);
        for (const auto& [dtype, t] : by_dtype_)
            fmt::print(out_, "{}: {} passed, {} failed\n", name_of(dtype), t.passed, t.failed);
        if (sum.passed + sum.failed == 0) fmt::print(out_, "nothing was run\n");
    }

    const OpsReportOptions& options_;
    std::FILE* out_;
    std::map<std::string, OpTally> tallies_;
    std::map<DType, OpTally> by_dtype_;
    Json::Array failures_;
};

std::vector<DType> dtypes(const std::string& names) {
    std::vector<DType> all;
    for (const std::string& name : split_at_commas(names)) {
        if (name == "f32")
            all.push_back(DType::f32);
        else if (name == "bf16")
            all.push_back(DType::bf16);
        else
            throw InputError({.id = 203,
                              .what = fmt::format("--dtype must be f32 or bf16, got \"{}\"", printable(name)),
                              .at = "option --dtype"});
    }
    return all;
}

// Refusals are tried on f32 arguments: they say nothing of another dtype.
bool has_f32_case(const std::vector<CaseReference>& cases, const kernels::OpCases& op) {
    return std::ranges::any_of(cases, [&](const CaseReference& c) { return c.op == &op && c.dtype == DType::f32; });
}

}

int ops_report(const std::string& mode, const OpsReportOptions& options, std::FILE* out) {
    const std::vector<kernels::OpCases> table = kernels::all_op_cases();
    const std::vector<CaseReference> cases = kernels::select(table, {.ops = split_at_commas(options.ops),
                                                                     .id_regex = options.cases,
                                                                     .dtypes = dtypes(options.dtypes),
                                                                     .distributions = {}});
    if (cases.empty())
        throw InputError({.id = 203,
                          .what = fmt::format("no case of any op passes the filters (--op \"{}\", --case \"{}\")",
                                              printable(options.ops), printable(options.cases)),
                          .at = "option --op",
                          .try_ = "bkd check-ops list"});
    if (mode == "list" && options.as_json) {
        Json::Array ids;
        for (const CaseReference& c : cases) ids.emplace_back(c.id());
        fmt::print(out, "{}\n", Json(Json::Object{{"schema", "bkd.check-list/1"}, {"cases", ids}}).dump());
        return 0;
    }
    if (mode == "list") {
        for (const CaseReference& c : cases) fmt::print(out, "{}\n", c.id());
        return 0;
    }
    const auto tested = open_backend(options.device, options.backend), truth = open_backend({DeviceKind::reference, 0});
    // `same` also runs on other numbers of threads.
    std::vector<std::unique_ptr<Backend>> others;
    if (mode == "same" && options.device.kind == DeviceKind::cpu)
        for (const int threads : {1, 2, 3}) others.push_back(open_backend(options.device, {.threads = threads}));
    std::vector<Backend*> pointers;
    for (const auto& other : others) pointers.push_back(other.get());

    OpsReport report(options, out);
    const auto began = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    };
    const double limit = options.budget == Budget::smoke ? 10 : 1e18;
    int done = 0;
    for (std::uint64_t round = 0;; ++round) {
        kernels::CaseChecker checker(*tested, *truth, {.seed = options.seed + round});
        for (const CaseReference& c : cases) {
            if (seconds() > limit) return report.finish(seconds(), static_cast<int>(cases.size()) - done);
            report.add(c.op->op, c.dtype, mode == "same" ? checker.same(c, pointers) : checker.agrees(c));
            ++done;
        }
        if (mode == "test")
            for (const kernels::OpCases& op : table)
                if (has_f32_case(cases, op))
                    for (const CaseResult& refusal : checker.refuses(op)) report.add(op.op, DType::f32, refusal);
        if (options.budget != Budget::soak) break;
    }
    return report.finish(seconds(), 0);
}

}
