#include "kernels/pool.h"

#include "kernels/error.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <functional>

namespace bkd {
namespace {

class HostMemory final : public Memory {
public:
    void* take(std::size_t bytes) override {
        constexpr std::size_t huge_page = std::size_t{2} << 20, cache_line = 64;
        const std::size_t alignment = bytes >= huge_page ? huge_page : cache_line;
        void* data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
        if (data == nullptr)
            throw InputError({.id = 701,
                              .what = fmt::format("no memory for {} bytes", bytes),
                              .at = "cpu",
                              .try_ = "a smaller batch"});
        if (bytes >= huge_page) madvise(data, bytes, MADV_HUGEPAGE);  // advice: a kernel without huge pages says no
        return data;
    }
    void give(void* data, std::size_t) noexcept override { std::free(data); }
};

}

std::unique_ptr<Memory> host_memory() { return std::make_unique<HostMemory>(); }

Pool::Pool(std::unique_ptr<Memory> memory) : memory_(std::move(memory)) {}

Pool::~Pool() {
    for (const Block& block : owned_) memory_->give(block.data, block.bytes);
}

std::size_t Pool::size_class(std::size_t bytes) {
    if (bytes <= 64) return 64;
    const std::size_t step = std::max<std::size_t>(std::bit_floor(bytes - 1) / 8, 64);
    return (bytes + step - 1) / step * step;
}

// Eight slots a power of two: the three bits under the leading one.
std::size_t Pool::index_of(std::size_t class_bytes) {
    const auto exponent = static_cast<std::size_t>(std::bit_width(class_bytes) - 1);
    return exponent * 8 + ((class_bytes >> (exponent - 3)) & 7);
}

bool Pool::take_free(FreeBlocks& free, std::size_t size, Block& block) {
    std::vector<std::uint32_t>& numbers = free[index_of(size)];
    if (numbers.empty()) return false;
    std::pop_heap(numbers.begin(), numbers.end(), std::greater<>());
    block = owned_[numbers.back()];
    numbers.pop_back();
    return true;
}

Block Pool::take(std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    FreeBlocks& here = free_[open_reserve_];
    Block block;
    if (!take_free(here, size, block) && (open_reserve_ == 0 || !take_free(free_[0], size, block))) {
        block = {memory_->take(size), size, static_cast<std::uint32_t>(owned_.size())};
        owned_.push_back(block);
        reserve_of_.push_back(open_reserve_);
        ++statistics_.system_requests;
        statistics_.system_bytes += static_cast<std::int64_t>(size);
    }
    reserve_of_[block.number] = open_reserve_;
    for (FreeBlocks* lists : {&here, &free_[0]}) {  // giving back must not allocate, nor must dropping a reserve
        std::vector<std::uint32_t>& numbers = (*lists)[index_of(size)];
        if (numbers.capacity() < owned_.size()) numbers.reserve(2 * owned_.size());
    }
    statistics_.live_bytes += static_cast<std::int64_t>(size);
    statistics_.peak_bytes = std::max(statistics_.peak_bytes, statistics_.live_bytes);
    return block;
}

void Pool::give(Block block) noexcept {
    std::vector<std::uint32_t>& numbers = free_.find(reserve_of_[block.number])->second[index_of(block.bytes)];
    numbers.push_back(block.number);
    std::push_heap(numbers.begin(), numbers.end(), std::greater<>());
    statistics_.live_bytes -= static_cast<std::int64_t>(block.bytes);
}

std::uint32_t Pool::begin_reserve() {
    BKD_CHECK(open_reserve_ == 0, "reserve {} is open", open_reserve_);
    free_[0];
    return open_reserve_ = ++last_reserve_;
}

void Pool::drop_reserve(std::uint32_t reserve) noexcept {
    for (std::uint32_t& of : reserve_of_)
        if (of == reserve) of = 0;
    const auto found = free_.find(reserve);
    if (found == free_.end()) return;
    for (std::size_t i = 0; i < classes; ++i)
        for (const std::uint32_t number : found->second[i]) {
            std::vector<std::uint32_t>& numbers = free_.find(0)->second[i];
            numbers.push_back(number);
            std::push_heap(numbers.begin(), numbers.end(), std::greater<>());
        }
    free_.erase(found);
}

}
