#include "tests/data/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

// Replaced allocation functions have no object to keep their count in.
std::atomic<std::int64_t> count{0};

}

void* operator new(std::size_t size) {
    ++count;
    if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace bkd::test {

std::int64_t allocations() { return count; }

}
