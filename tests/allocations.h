#pragma once
// Counts calls of operator new in this program.
#include <cstdint>

namespace bkd::test {

std::int64_t allocations();  // since the start, of all threads

void watch_allocations_of_this_thread();
std::int64_t watched_allocations();  // of that thread since then

}
