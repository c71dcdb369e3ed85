#include "tools/check/grad_report.h"

#include "engine/cases/gradient.h"
#include "kernels/cases/pattern.h"
#include "tools/check/case_runner.h"
#include "tools/check/ops_tally.h"
#include "tools/options.h"

#include <fnmatch.h>

#include <algorithm>
#include <chrono>

namespace bkd {
namespace {

CaseRecord record_of_gradient(const GradientCase& c, std::uint64_t seed, const GradientResult& r) {
    kernels::CaseResult result{.id = c.id(), .seed = seed, .worst_ratio = r.worst_ratio};
    result.max_abs = std::abs(r.got - r.want);
    result.got = r.got;
    result.want = r.want;
    if (!r.passed()) {
        result.status = kernels::CaseStatus::fail;
        result.kind = kernels::FailKind::grad;
        result.detail = fmt::format("input {}, {}: {:.9g} along a direction, {:.9g} is right, limit {:.3g} ({:.3g}x)",
                                    r.input, r.way, r.got, r.want, r.limit, r.worst_ratio);
    }
    return record_of(std::move(result));
}

}

int grad_report(const OpsReportOptions& options, std::FILE* out) {
    check_places(options);
    const kernels::CasePattern pattern(options.cases);
    const std::vector<std::string> globs = split_at_commas(options.ops);
    std::vector<GradientCase> cases;
    for (GradientCase& c : gradient_cases()) {
        const auto matches = [&](const std::string& glob) { return fnmatch(glob.c_str(), c.op.c_str(), 0) == 0; };
        if ((globs.empty() || std::ranges::any_of(globs, matches)) && pattern.found_in(c.id()))
            cases.push_back(std::move(c));
    }
    if (cases.empty())
        throw InputError({.id = 203,
                          .what = fmt::format("no gradient of any op passes the filters (--op \"{}\", --case \"{}\")",
                                              printable(options.ops), printable(options.cases)),
                          .at = "option --op",
                          .why = "gradients are of ops of the engine: conv2d, batch_norm, cross_entropy",
                          .try_ = "bkd check-ops grad -v"});
    const auto began = std::chrono::steady_clock::now();
    Runtime tested(options.device, options.backend);
    RunFacts facts = facts_of("grad", options);
    facts.description = tested.backend->description();
    std::optional<EarlierRun> earlier;
    if (!options.compare.empty()) earlier = EarlierRun::read(options.compare);
    OpsTally tally(options, out);
    std::set<std::string> ids;
    std::size_t job = 0;
    bool is_over = false;
    for (std::int64_t trial = 0; trial < options.trials && !is_over; ++trial) {
        const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(trial);
        GradientCheck check(seed);
        for (const GradientCase& c : cases) {
            if (static_cast<std::int64_t>(job++) % options.shard.of != options.shard.part - 1) continue;
            ids.insert(c.id());
            const GradientResult differences = check.central_differences(c), adjoint = check.adjoint(c, tested);
            CaseRecord record =
                record_of_gradient(c, seed, adjoint.worst_ratio > differences.worst_ratio ? adjoint : differences);
            if (record.is_failure())
                record.again = fmt::format("bkd check-ops grad --op {} --case '^{}$' --seed {} --device {}", c.op,
                                           c.id(), seed, options.device.str());
            is_over = options.fail_fast && record.is_failure();
            tally.add(facts, job, std::move(record));
            if (is_over) break;
        }
    }
    if (earlier) tally.compared(*earlier, ids);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return tally.finish(facts, seconds, 0);
}

}
