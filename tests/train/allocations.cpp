#include "tests/train/allocations.h"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<bool> is_counting{false};
std::atomic<pthread_t> watched{};
std::atomic<std::int64_t> count{0};

void* take(std::size_t size, std::size_t alignment) {
    if (is_counting.load(std::memory_order_relaxed) && pthread_equal(pthread_self(), watched.load())) ++count;
    void* memory = alignment == 0 ? std::malloc(size == 0 ? 1 : size)
                                  : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}

namespace bkd::test {

void count_allocations_of_this_thread() {
    watched = pthread_self();
    count = 0;
    is_counting = true;
}
std::int64_t allocations() { return count; }

}

void* operator new(std::size_t size) { return take(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return take(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
