#pragma once
// check-ops golden: runs golden files (golden.h) on one device and says what it found.
#include "tools/check/ops_report.h"

namespace bkd {

// Returns 0, or 1 if a case failed or none was run (with require_all: or one was skipped). A skipped case is counted
// and listed, never passed.
int golden_report(const std::vector<std::string>& files, const OpsReportOptions& options, std::FILE* out);

}
