#pragma once
// Counts this program's calls of operator new.
#include <cstdint>

namespace bkd::test {

std::int64_t allocations();  // since the start, of all threads

}
