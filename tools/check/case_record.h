#pragma once
// CaseRecord: what check-ops keeps of one case it ran: the columns of its CSV and JSON, and what a worker process sends
// home.
#include "engine/json.h"
#include "kernels/cases/check.h"

#include <span>
#include <string>
#include <vector>

namespace bkd {

struct CaseRecord {
    kernels::CaseResult result{};
    std::string op{}, dtype{}, dist{};
    std::string reproducer{};  // path of the saved case, or empty
    std::string again{};       // the command that runs this case again
    // Of mode perf: one call. Zero elsewhere.
    double median_ns = 0, quartile_range_ns = 0, min_ns = 0, flops = 0, bytes = 0, share = 0;
    bool is_failure() const;  // failed, crashed or ran out of time
};

// Of the case of an id: "op/attributes/dtype/distribution".
CaseRecord record_of(kernels::CaseResult result);

Json to_json(const CaseRecord& record);
// InputError E0404 for JSON that is no record; `where` names it.
CaseRecord record_from(const Json& json);

// What is the same for every case of a run.
struct RunFacts {
    std::string mode{}, device{}, description{}, against{};
    std::string driver{}, cuda{}, cudnn{};  // empty off a GPU
    std::uint64_t seed = 0;
    std::int64_t trials = 1;
    double tolerance_scale = 1;
};
std::string build_description();  // compiler and how: "g++ 12.2.0, optimised"

// The CSV of a run, RFC 4180, one header line.
std::string csv_of(const RunFacts& facts, std::span<const CaseRecord> records);
// One suite an op: passed, failed and unsupported cases; failures with the lines that are printed for them.
std::string junit_of(const RunFacts& facts, std::span<const CaseRecord> records, double seconds);
// One page: counts and the worst error of its limit by op and dtype, and every failure.
std::string html_of(const RunFacts& facts, std::span<const CaseRecord> records, double seconds);

// The lines printed for a failed case.
std::string failure_text(const RunFacts& facts, const CaseRecord& record);

}
