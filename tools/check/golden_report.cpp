#include "tools/check/golden_report.h"

#include "engine/json.h"
#include "kernels/cases/pattern.h"
#include "tools/check/golden.h"
#include "tools/options.h"

#include <fnmatch.h>

#include <algorithm>

namespace bkd {
namespace {

bool wanted(const GoldenCase& c, const OpsReportOptions& options, const kernels::CasePattern& pattern) {
    const auto listed = [](const std::string& list, const std::string& name) {
        const std::vector<std::string> patterns = split_at_commas(list);
        return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) {
                   return fnmatch(p.c_str(), name.c_str(), 0) == 0;
               });
    };
    if (!listed(options.ops, c.op) || !listed(options.dtypes, c.dtype)) return false;
    return pattern.found_in(c.name);
}

}

int golden_report(const std::vector<std::string>& files, const OpsReportOptions& options, std::FILE* out) {
    Runtime runtime(options.device, options.backend);
    const kernels::CasePattern pattern(options.cases);
    int passed = 0, failed = 0, skipped = 0;
    double worst = 0;
    std::string worst_case;
    std::map<std::string, int> reasons;
    Json::Array failures;
    for (const std::string& path : files) {
        const GoldenFile file = GoldenFile::read(path);
        for (const GoldenCase& c : file.cases) {
            if (!wanted(c, options, pattern)) continue;
            const GoldenResult r = run_golden(file, c, runtime);
            const std::string place =
                r.tensor.empty() ? std::string() : fmt::format(" {}[{}]", printable(r.tensor), r.index);
            switch (r.status) {
                case GoldenResult::Status::pass:
                    ++passed;
                    break;
                case GoldenResult::Status::fail:
                    ++failed;
                    break;
                case GoldenResult::Status::skipped:
                    ++skipped;
                    ++reasons[fmt::format("{} {}: {}", r.dtype, printable(r.op), r.detail)];
                    break;
            }
            if (r.status != GoldenResult::Status::skipped && r.worst_ratio > worst) {
                worst = r.worst_ratio;
                worst_case = printable(r.name) + place;
            }
            if (options.as_json && r.status == GoldenResult::Status::fail)
                failures.push_back(Json::Object{{"case", r.name},
                                                {"tensor", r.tensor},
                                                {"index", r.index},
                                                {"actual", r.actual},
                                                {"expected", r.expected},
                                                {"over_limit", r.worst_ratio},
                                                {"detail", r.detail}});
            if (options.as_json) continue;
            if (r.status == GoldenResult::Status::fail) {
                fmt::print(out, "FAIL {}  {}\n", printable(r.name), r.detail);
                if (!place.empty())
                    fmt::print(out, "  worst:{} is {} for {}, {:.3g} times its limit\n", place, r.actual, r.expected,
                               r.worst_ratio);
            } else if (options.verbose && r.status == GoldenResult::Status::pass) {
                fmt::print(out, "pass {}  {:.3f}{}\n", printable(r.name), r.worst_ratio, place);
            } else if (options.verbose) {
                fmt::print(out, "skipped {}  {}\n", printable(r.name), r.detail);
            }
        }
    }
    if (passed + failed + skipped == 0)
        throw InputError({.id = 203,
                          .what = "no case of the files passes the filters",
                          .at = "option --op",
                          .try_ = "bkd check-ops golden FILE"});
    const bool is_nothing_run = passed + failed == 0;
    const int code = is_nothing_run || failed > 0 || (options.require_all && skipped > 0) ? 1 : 0;
    if (options.as_json) {
        Json::Array left_out;
        for (const auto& [reason, count] : reasons)
            left_out.push_back(Json::Object{{"reason", reason}, {"cases", count}});
        fmt::print(out, "{}\n",
                   Json(Json::Object{{"schema", "bkd.check-golden/1"},
                                     {"device", options.device.str()},
                                     {"passed", passed},
                                     {"failed", failed},
                                     {"skipped", skipped},
                                     {"worst_over_limit", worst},
                                     {"worst_case", worst_case},
                                     {"skips", left_out},
                                     {"failures", failures}})
                       .dump());
        return code;
    }
    for (const auto& [reason, count] : reasons) fmt::print(out, "skipped {:>4}  {}\n", count, reason);
    fmt::print(out, "golden on {}: {} passed, {} failed, {} skipped; the largest error is {:.3f} of its limit ({})\n",
               options.device.str(), passed, failed, skipped, worst, worst_case);
    if (is_nothing_run) fmt::print(out, "nothing was run\n");
    return code;
}

}
