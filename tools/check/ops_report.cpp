#include "tools/check/ops_report.h"

#include "kernels/cases/check.h"

#include <chrono>
#include <map>

namespace bkd {
namespace {

using kernels::CaseReference;
using kernels::CaseResult;
using kernels::CaseStatus;

struct OpTally {
    int passed = 0, failed = 0, unsupported = 0;
    double worst_ratio = 0;
    std::string worst_case{};
};

class OpsReport {
public:
    OpsReport(const OpsReportOptions& options, std::FILE* out) : options_(options), out_(out) {}

    void add(const std::string& op, const CaseResult& result) {
        OpTally& tally = tallies_[op];
        switch (result.status) {
            case CaseStatus::pass:
                ++tally.passed;
                break;
            case CaseStatus::unsupported:
                ++tally.unsupported;
                break;
            case CaseStatus::fail:
                ++tally.failed;
                break;
        }
        if (result.worst_ratio > tally.worst_ratio) {
            tally.worst_ratio = result.worst_ratio;
            tally.worst_case = result.id;
        }
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
        fmt::print(out_, "{:<32} {:>6} {:>6} {:>11} {:>12}\n", "op", "passed", "failed", "unsupported", "worst/limit");
        for (const auto& [op, t] : tallies_) {
            fmt::print(out_, "{:<32} {:>6} {:>6} {:>11} {:>12.3f}\n", op, t.passed, t.failed, t.unsupported,
                       t.worst_ratio);
            sum.passed += t.passed;
            sum.failed += t.failed;
            sum.unsupported += t.unsupported;
        }
        fmt::print(out_,
                   "{} ops on {} against reference, seed {}: {} passed, {} failed, {} unsupported, {} left out by the "
                   "budget, {:.1f} s\n",
                   tallies_.size(), options_.device.str(), options_.seed, sum.passed, sum.failed, sum.unsupported,
                   left_out, seconds);
        if (sum.unsupported > 0)
            fmt::print(out_, "unsupported cases are not passed cases{}\n",
                       options_.require_all ? ": --require-all fails them" : "");
        return sum.failed > 0 || (options_.require_all && (sum.unsupported > 0 || left_out > 0)) ? 1 : 0;
    }

private:
    const OpsReportOptions& options_;
    std::FILE* out_;
    std::map<std::string, OpTally> tallies_;
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

}

std::vector<std::string> split_at_commas(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        if (comma > at) parts.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return parts;
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
            report.add(c.op->op, mode == "same" ? checker.same(c, pointers) : checker.agrees(c));
            ++done;
        }
        if (mode == "test")
            for (const kernels::OpCases& op : table)
                for (const CaseReference& c : cases)
                    if (c.op == &op) {
                        for (const CaseResult& refusal : checker.refuses(op)) report.add(op.op, refusal);
                        break;
                    }
        if (options.budget != Budget::soak) break;
    }
    return report.finish(seconds(), 0);
}

}
