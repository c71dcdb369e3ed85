#pragma once
// Case ids are stable: records, reproducers and reports of an earlier version name cases by them. An id that had to
// change stands in renamed.inc as RENAMED("old", "new").
#include <string>

namespace bkd::kernels {

// The id of today for one that may be older.
std::string current_id(const std::string& id);

}
