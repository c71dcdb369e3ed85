#pragma once
// check-ops: walks the table of cases on one device, against another one or a record, and says what it found.
#include "kernels/backend.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace bkd {

enum class Budget : std::uint8_t { smoke, full, soak };

// The i-th of n parts of all cases, i from 1.
struct Shard {
    std::int64_t part = 1, of = 1;
};

struct OpsReportOptions {
    std::string ops{}, cases{}, dtypes{}, dists{};  // filters: names (ops with * and ?) by commas; a regular expression
    std::uint64_t seed = 0;
    std::int64_t trials = 1;  // seeds a case, from `seed` on
    Shard shard{};
    Budget budget = Budget::full;
    bool require_all = false;  // skipped and unsupported count as failed
    bool verbose = false;
    bool as_json = false;  // one document, at the end
    Device device{};
    BackendOptions backend{};
    std::string against = "reference";  // a device, or a folder that --record wrote
    double tolerance_scale = 1;
    // Cases run in processes of their own: if asked for, with several processes or a time limit, and on a GPU, where an
    // error that stays would fail all later cases, unless in_one_process.
    std::int64_t processes = 1;
    bool isolate = false, in_one_process = false;
    double time_limit = 0;  // seconds a case; 0: none
    bool fail_fast = false;
    double min_time = 1;                    // of mode perf: seconds of samples a case
    std::string save_failures{}, record{};  // folders; empty: none
    std::string csv{}, junit{}, html{};     // files; empty: none
    std::string compare{};                  // what an earlier run with --json printed, in a file; empty: none
};

// mode test, same, perf, grad or list. Returns 0, or 1 if a case failed, is missing or worse than in `compare`, or none
// was run. Counted by op and by dtype.
int ops_report(const std::string& mode, const OpsReportOptions& options, std::FILE* out);
// Which ops the device runs in which dtype: the first case of each. 1 with require_all if one is not.
int support_report(const OpsReportOptions& options, std::FILE* out);
// Runs saved cases again. 0, or 1 if one failed.
int replay_report(const std::vector<std::string>& files, const OpsReportOptions& options, std::FILE* out);

}
