#include "tests/allocations.h"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

// Replaced allocation functions have no object to keep their counts in.
std::atomic<std::int64_t> count{0}, watched_count{0};
std::atomic<bool> is_watching{false};
std::atomic<pthread_t> watched{};

void* try_take(std::size_t size, std::size_t alignment) noexcept {
    ++count;
    if (is_watching.load(std::memory_order_relaxed) && pthread_equal(pthread_self(), watched.load())) ++watched_count;
    return alignment == 0 ? std::malloc(size == 0 ? 1 : size)
                          : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void* take(std::size_t size, std::size_t alignment) {
    if (void* memory = try_take(size, alignment)) return memory;
    throw std::bad_alloc();
}

}

namespace bkd::test {

std::int64_t allocations() { return count; }
void watch_allocations_of_this_thread() {
    watched = pthread_self();
    watched_count = 0;
    is_watching = true;
}
std::int64_t watched_allocations() { return watched_count; }

}

void* operator new(std::size_t size) { return take(size, 0); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return try_take(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return take(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
