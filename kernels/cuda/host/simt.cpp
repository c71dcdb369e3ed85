// The scheduler of simt.h: blocks one after another, the threads of one too until they wait. From launch to launch the
// order of both changes, so that a kernel whose result depends on it does not give the same bits again;
// SIMT_ORDER=forward or =reverse holds it fixed.
//
// Compiled without the thread sanitizer, to which its notes on all threads would be races between them. On a fiber it
// calls nothing of std that is not inlined: the linker may take another file's copy, with the sanitizer in it.
#include "kernels/cuda/host/simt.h"

#include "kernels/cuda/host/watch.h"

#include <cstdlib>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// Saves the registers a call must keep, takes another stack and what was saved on it.
extern "C" void simt_switch(void** save, void* load);
asm(R"(
.text
.globl simt_switch
.type simt_switch, @function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

namespace simt {

constinit Place here{};

namespace {

// Reports of sanitizers are written on the stack of the thread they are about.
const std::size_t stack_bytes = watch::sees_races() ? 256 << 10 : 64 << 10;
constexpr int warp = 32, most_threads = 1024;
constexpr std::size_t most_shared_bytes = 48 << 10;

enum class State : std::uint8_t { ready, block_wait, warp_wait, done };
struct Lane {
    std::unique_ptr<std::byte[]> stack;
    void *saved = nullptr, *fiber = nullptr;
    State state = State::done;
    unsigned mask = 0;
    std::uint64_t value = 0;
    unsigned block_meetings = 0, warp_meetings = 0;
};

// Fibers for a block. Half 0 alone is used unless races are looked for.
struct Half {
    std::vector<Lane> lanes;
    unsigned blocks = 0;  // that ran on it
    watch::Meeting whole{}, block{}, warps[most_threads / warp]{};
};
Half halves[2];

struct Block {
    Half* half = halves;
    std::int64_t number = 0;  // of all that ever ran
    std::size_t shared_bytes = 0;
    std::uint64_t shown[most_threads]{};  // what the lanes of a warp brought to its last meeting
    const std::function<void()>* body = nullptr;
    void *scheduler = nullptr, *scheduler_fiber = nullptr;
    std::vector<int> order;                   // of the threads
    int current = 0, place = 0, threads = 0;  // place of the current thread in the order
};
Block block;
watch::Key fences;

Lane& lane_of(int thread) { return block.half->lanes[static_cast<std::size_t>(thread)]; }

enum class Order : std::uint8_t { forward, reverse, jumping };
Order order_of_next_launch() {
    static std::uint32_t state = 1;
    static const char* const fixed = std::getenv("SIMT_ORDER");
    if (fixed != nullptr) return std::string_view(fixed) == "reverse" ? Order::reverse : Order::forward;
    // Not in turn: each kernel of an op of three would then meet one order alone.
    state = state * 1664525 + 1013904223;
    return static_cast<Order>((state >> 24) % 3);
}
// What comes at `place` of `count`.
std::int64_t at_place(Order order, std::int64_t place, std::int64_t count, std::int64_t jump) {
    return order == Order::forward   ? place
           : order == Order::reverse ? count - 1 - place
                                     : (place * jump + count / 2) % count;
}
// A step that comes to every one of `count`.
std::int64_t jump_for(std::int64_t count) {
    std::int64_t jump = count * 5 / 8 | 1;
    while (std::gcd(jump, count) != 1) ++jump;
    return jump;
}

// The place of the next thread that can go on; -1 if the scheduler must look who may be released.
int next_ready(int place) {
    while (++place < block.threads) {
        const int thread = block.order[static_cast<std::size_t>(place)];
        if (lane_of(thread).state == State::ready) return place;
    }
    return -1;
}

void resume(void*& saved, int place) {
    block.place = place;
    block.current = block.order[static_cast<std::size_t>(place)];
    here.thread.x = static_cast<unsigned>(block.current);
    const Lane& lane = lane_of(block.current);
    watch::switch_to(lane.fiber);
    simt_switch(&saved, lane.saved);
}
void resume_scheduler(void*& saved) {
    watch::switch_to(block.scheduler_fiber);
    simt_switch(&saved, block.scheduler);
}

[[noreturn]] void lane_main() {
    Half& half = *block.half;
    half.whole.of(half.blocks).acquire();
    (*block.body)();
    half.whole.of(half.blocks + 1).release();
    lane_of(block.current).state = State::done;
    void* ignored = nullptr;
    if (const int next = next_ready(block.place); next >= 0) resume(ignored, next);
    resume_scheduler(ignored);
    std::abort();
}

void start(Lane& lane) {
    if (!lane.stack) {
        lane.stack = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
        lane.fiber = watch::new_fiber();
    }
    watch::begin_stack(lane.stack.get(), stack_bytes);
    auto top = reinterpret_cast<std::uintptr_t>(lane.stack.get() + stack_bytes) / 16 * 16;
    auto* words = reinterpret_cast<void**>(top);
    *--words = nullptr;
    *--words = reinterpret_cast<void*>(&lane_main);
    for (int i = 0; i < 6; ++i) *--words = nullptr;
    lane.saved = words;
    lane.state = State::ready;
    lane.block_meetings = lane.warp_meetings = 0;
}

void wait(State state) {
    Lane& lane = lane_of(block.current);
    lane.state = state;
    if (const int next = next_ready(block.place); next >= 0)
        resume(lane.saved, next);
    else
        resume_scheduler(lane.saved);
}

// Lets the warps go whose waiting lanes are all there.
bool release_warps() {
    bool moved = false;
    for (int first = 0; first < block.threads; first += warp) {
        unsigned waiting = 0;
        unsigned mask = 0;
        for (int i = 0; i < warp && first + i < block.threads; ++i) {
            const Lane& lane = lane_of(first + i);
            if (lane.state != State::warp_wait) continue;
            waiting |= 1u << i;
            mask = lane.mask;
        }
        if (waiting == 0 || (waiting & mask) != mask) continue;
        for (int i = 0; i < warp; ++i) {
            if ((mask >> i & 1) == 0) continue;
            Lane& lane = lane_of(first + i);
            block.shown[first + i] = lane.value;
            lane.state = State::ready;
        }
        moved = true;
    }
    return moved;
}

bool release_block() {
    int live = 0;
    for (int i = 0; i < block.threads; ++i) {
        const State state = lane_of(i).state;
        if (state == State::done) continue;
        if (state != State::block_wait) return false;
        ++live;
    }
    for (int i = 0; i < block.threads; ++i)
        if (lane_of(i).state != State::done) lane_of(i).state = State::ready;
    return live > 0;
}

void run_block() {
    ++block.number;
    block.shared_bytes = 0;
    if (watch::sees_races()) block.half = &halves[block.number % 2];
    auto& lanes = block.half->lanes;
    if (lanes.size() < static_cast<std::size_t>(block.threads)) lanes.resize(static_cast<std::size_t>(block.threads));
    for (int i = 0; i < block.threads; ++i) start(lane_of(i));
    for (bool moved = true; moved;) {
        // A thread that waits or ends hands over to the next one itself; the last comes back here.
        const int first = next_ready(-1);
        if (first >= 0) resume(block.scheduler, first);
        moved = first >= 0;
        moved = release_warps() || moved;
        moved = release_block() || moved;
    }
    for (int i = 0; i < block.threads; ++i)
        if (lane_of(i).state != State::done)
            throw std::logic_error("thread " + std::to_string(i) + " waits for threads that never come");
    if (block.shared_bytes > most_shared_bytes)
        throw std::logic_error(std::to_string(block.shared_bytes) + " bytes of shared memory in a block");
    ++block.half->blocks;
}

}

void run_grid(dim3 grid, int threads, const std::function<void()>& body) {
    if (threads < 1 || threads > most_threads || grid.y > 65535 || grid.z > 65535)
        throw std::logic_error("not a legal launch");
    const std::int64_t blocks = std::int64_t{grid.x} * grid.y * grid.z, leap = jump_for(blocks);
    if (Rehearsal* const noting = rehearsal()) {
        noting->launches.insert({noting->kernel, blocks > 1});
        noting->threads += blocks * threads;
        return;
    }
    block.threads = threads;
    block.body = &body;
    block.scheduler_fiber = watch::current_fiber();
    here.block_size = dim3(static_cast<unsigned>(threads));
    here.grid = grid;
    here.thread = {0, 0, 0};
    const Order order = order_of_next_launch();
    const std::int64_t jump = jump_for(threads);
    block.order.resize(static_cast<std::size_t>(threads));
    for (int i = 0; i < threads; ++i)
        block.order[static_cast<std::size_t>(i)] = static_cast<int>(at_place(order, i, threads, jump));
    for (Half& half : halves) half.whole.of(half.blocks).release();
    for (std::int64_t i = 0; i < blocks; ++i) {
        const auto at = static_cast<std::uint64_t>(at_place(order, i, blocks, leap));
        here.block = {static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                      static_cast<unsigned>(at / grid.x / grid.y)};
        run_block();
    }
    for (Half& half : halves) half.whole.of(half.blocks).acquire();
}

void block_wait() {
    watch::Key& key = block.half->block.of(lane_of(block.current).block_meetings++);
    key.release();
    wait(State::block_wait);
    key.acquire();
}

void warp_wait() {
    watch::Key& key = block.half->warps[block.current / warp].of(lane_of(block.current).warp_meetings++);
    key.release();
    exchange(0xFFFFFFFF, 0, 0);
    key.acquire();
}

void fence() {
    fences.release();
    fences.acquire();
}

std::uint64_t exchange(unsigned mask, std::uint64_t mine, int from) {
    Lane& lane = lane_of(block.current);
    lane.mask = mask;
    lane.value = mine;
    wait(State::warp_wait);
    return block.shown[block.current / warp * warp + from];
}

unsigned ballot(unsigned mask, bool mine) {
    exchange(mask, mine ? 1 : 0, 0);
    unsigned votes = 0;
    for (int i = 0; i < warp; ++i)
        if ((mask >> i & 1) != 0 && block.shown[block.current / warp * warp + i] != 0) votes |= 1u << i;
    return votes;
}

void* shared_memory(Shared& variable, std::size_t bytes) {
    SharedOfHalf& mine = variable.of_half[block.half - halves];
    if (mine.block == block.number) return mine.data;
    const watch::Unseen unseen;
    if (mine.data == nullptr) mine.data = ::operator new (bytes, std::align_val_t{128});
    mine.block = block.number;
    block.shared_bytes += bytes;
    return std::memset(mine.data, 0xFF, bytes);
}

}
