#pragma once
// What simt.cpp tells the sanitizers of its fibers. To the thread sanitizer each CUDA thread is a thread: it reports two
// that touch the same memory without what orders them on a device. A program without sanitizers is told nothing.
//
//   Ordered      the threads of a block by __syncthreads, those of a warp by __syncwarp, and everything by the begin and
//                the end of a launch. Shuffles and votes wait too, but order no memory.
//   Fences       a __threadfence comes after all earlier ones of any block, and sees what was written before them.
//                Atomics order nothing and are hidden: a word counted in atomically and touched plainly is no report.
//   Blocks       one and the next to run are not ordered: they run on two sets of fibers in turn. One and the next but
//                one share a set, since making a fiber takes the sanitizer about a millisecond, and are ordered.
//   Not seen     some races in blocks of more than 255 threads, which take turns in the sanitizer's 255 slots: to it,
//                one slot is one thread.
#include <cstddef>

extern "C" {
__attribute__((weak)) void __asan_poison_memory_region(const volatile void* data, std::size_t bytes);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void* data, std::size_t bytes);
__attribute__((weak)) void* __tsan_create_fiber(unsigned flags);
__attribute__((weak)) void* __tsan_get_current_fiber();
__attribute__((weak)) void __tsan_switch_to_fiber(void* fiber, unsigned flags);
__attribute__((weak)) void __tsan_acquire(void* key);
__attribute__((weak)) void __tsan_release(void* key);
__attribute__((weak)) void AnnotateIgnoreWritesBegin(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreWritesEnd(const char* file, int line);
}

namespace simt::watch {

inline bool sees_addresses() { return __asan_poison_memory_region != nullptr; }
// Memory that nobody may touch until it is taken back (`on` false).
inline void poison(const void* data, std::size_t bytes, bool on) {
    if (sees_addresses()) (on ? __asan_poison_memory_region : __asan_unpoison_memory_region)(data, bytes);
}

inline bool sees_races() { return __tsan_create_fiber != nullptr; }

inline void* new_fiber() { return sees_races() ? __tsan_create_fiber(0) : nullptr; }
inline void* current_fiber() { return sees_races() ? __tsan_get_current_fiber() : nullptr; }
// Just before the stack changes. Orders nothing.
inline void switch_to(void* fiber) {
    constexpr unsigned no_sync = 1;
    if (sees_races()) __tsan_switch_to_fiber(fiber, no_sync);
}

// Who acquires a key comes after all who released it before.
struct alignas(8) Key {
    char address;
    void release() {
        if (sees_races()) __tsan_release(&address);
    }
    void acquire() {
        if (sees_races()) __tsan_acquire(&address);
    }
};

// A meeting of all of a group: every one arrives before any leaves. Two keys in turn, so that who leaves last does not
// come after what the first have done since.
struct Meeting {
    Key keys[2]{};
    Key& of(unsigned count) { return keys[count % 2]; }
};

// Writes of the executor's own while this lives are no thread's.
struct Unseen {
    Unseen() {
        if (sees_races()) AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~Unseen() {
        if (sees_races()) AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    }
    Unseen(const Unseen&) = delete;
};

// A stack that is begun again: the frames on it were left, not returned from.
inline void begin_stack(void* data, std::size_t bytes) {
    if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(data, bytes);
}

}
