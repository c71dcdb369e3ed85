#pragma once
// check-ops grad: the table of gradients (engine/cases), by central differences on `reference` and by the adjoint test
// on the device.
#include "tools/check/ops_report.h"

namespace bkd {

// --op, --case, --seed, --trials, --shard and --fail-fast choose, as in the other modes. 0, or 1 if a gradient is
// wrong.
int grad_report(const OpsReportOptions& options, std::FILE* out);

}
