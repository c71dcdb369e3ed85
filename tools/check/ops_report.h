#pragma once
// check-ops: walks the table of cases on one device against `reference` and says what it found.
#include "kernels/backend.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace bkd {

enum class Budget : std::uint8_t { smoke, full, soak };

struct OpsReportOptions {
    std::string ops{}, cases{}, dtypes{};  // filters: patterns separated by commas; a regular expression; names
    std::uint64_t seed = 0;
    Budget budget = Budget::full;
    bool require_all = false;  // skipped counts as failed
    bool verbose = false;
    bool as_json = false;  // one document, at the end
    Device device{};
    BackendOptions backend{};
};

// mode test, same or list. Returns 0, or 1 if a case failed or none was run. Counted by op and by dtype.
int ops_report(const std::string& mode, const OpsReportOptions& options, std::FILE* out);

}
