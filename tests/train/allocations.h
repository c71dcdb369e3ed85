#pragma once
// Counts calls of operator new by the thread that asked for it.
#include <cstdint>

namespace bkd::test {

void count_allocations_of_this_thread();
std::int64_t allocations();  // of that thread since then

}
