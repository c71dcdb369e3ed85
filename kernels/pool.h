#pragma once
// Pool: memory for tensors and scratch on one device. Deterministic: the same sequence of requests gets the same
// addresses, whatever the time or the number of threads; once the first step of a shape has run, nothing new is taken
// from the system. Used by the one thread that issues work; the loader's threads have memory of their own.
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace bkd {

// Where a pool gets its memory: the system, a device, or (plan) nowhere at all.
class Memory {
public:
    virtual ~Memory() = default;
    virtual void* take(std::size_t bytes) = 0;  // aligned to 64 bytes or more; InputError E0701 when there is none
    virtual void give(void* data, std::size_t bytes) noexcept = 0;
};

// Memory of this machine's RAM. Blocks of 2 MiB and more are asked for in huge pages.
std::unique_ptr<Memory> host_memory();

struct Block {
    void* data = nullptr;
    std::size_t bytes = 0;     // of its size class: at least what was asked for
    std::uint32_t number = 0;  // in the order in which the pool got its blocks
};

struct PoolStatistics {
    std::int64_t system_requests = 0;  // how often the system was asked
    std::int64_t system_bytes = 0;
    std::int64_t live_bytes = 0;  // handed out now
    std::int64_t peak_bytes = 0;  // the most ever handed out at once
};

class Pool {
public:
    explicit Pool(std::unique_ptr<Memory> memory);
    ~Pool();
    Pool(const Pool&) = delete;

    Block take(std::size_t bytes);  // never null, not even for 0 bytes; contents undefined
    void give(Block block) noexcept;
    const PoolStatistics& statistics() const { return statistics_; }

    // A reserve is memory that a recorded step uses whenever it is replayed, and so nobody else does. Blocks taken from
    // begin_reserve() to end_reserve() come into it; given back, they serve later requests within it alone. drop_reserve()
    // makes them blocks like others, those still handed out once they are given back.
    std::uint32_t begin_reserve();
    void end_reserve() { open_reserve_ = 0; }
    void drop_reserve(std::uint32_t reserve) noexcept;

    // Sizes are rounded up to eight steps per power of two, 64 bytes at least: at most 12.5 % is lost.
    static std::size_t size_class(std::size_t bytes);

private:
    static constexpr std::size_t classes = 64 * 8;
    static std::size_t index_of(std::size_t class_bytes);

    std::unique_ptr<Memory> memory_;
    // Per size class a heap with the lowest number on top: which block is taken depends on what is free, not on the
    // order in which it became free.
    using FreeBlocks = std::array<std::vector<std::uint32_t>, classes>;
    bool take_free(FreeBlocks& free, std::size_t size, Block& block);

    std::map<std::uint32_t, FreeBlocks> free_;  // of each reserve; 0: of none
    std::vector<Block> owned_;
    std::vector<std::uint32_t> reserve_of_;  // each block's
    std::uint32_t open_reserve_ = 0, last_reserve_ = 0;
    PoolStatistics statistics_;
};

}
