#include "kernels/pool.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

namespace bkd {
namespace {

TEST_CASE("the second round of the same requests gets the same addresses and asks the system for nothing") {
    Pool pool(host_memory());
    const std::vector<std::size_t> sizes{100, 5000, 100, 3 << 20, 64, 0, 5000};
    const auto round = [&] {
        std::vector<Block> blocks;
        std::vector<void*> addresses;
        for (const std::size_t size : sizes) {
            blocks.push_back(pool.take(size));
            addresses.push_back(blocks.back().data);
            std::memset(blocks.back().data, 1, size);
        }
        for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) pool.give(*block);
        return addresses;
    };
    const std::vector<void*> first = round();
    const std::int64_t requests = pool.statistics().system_requests;
    CHECK(requests == 7);
    CHECK(round() == first);
    CHECK(round() == first);
    CHECK(pool.statistics().system_requests == requests);
}

TEST_CASE("blocks are aligned to a cache line, distinct, and never null") {
    Pool pool(host_memory());
    const Block nothing = pool.take(0), other = pool.take(1);
    CHECK(nothing.data != nullptr);
    CHECK(nothing.data != other.data);
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{65}, std::size_t{4097}, std::size_t{5} << 20})
        CHECK(reinterpret_cast<std::uintptr_t>(pool.take(bytes).data) % 64 == 0);
}

TEST_CASE("a size class holds what was asked for, loses at most an eighth, and is its own class") {
    for (std::size_t bytes = 1; bytes < std::size_t{1} << 40; bytes += bytes / 3 + 1) {
        const std::size_t size = Pool::size_class(bytes);
        CAPTURE(bytes);
        CHECK(size >= bytes);
        CHECK(size % 64 == 0);
        CHECK(Pool::size_class(size) == size);
        CHECK(size - bytes <= std::max<std::size_t>(63, bytes / 8));
    }
    CHECK(Pool::size_class(0) == 64);
    CHECK(Pool::size_class(1025) == 1152);  // eight steps of 128 from 1024 to 2048
    CHECK(Pool::size_class(2048) == 2048);
}

TEST_CASE("two sizes of one class share memory, of two classes never") {
    Pool pool(host_memory());
    const Block a = pool.take(1030);
    pool.give(a);
    CHECK(pool.take(1100).data == a.data);
    CHECK(pool.take(1100).data != a.data);
    CHECK(pool.take(1200).data != a.data);
}

TEST_CASE("a pool counts what is handed out now and at most") {
    Pool pool(host_memory());
    const Block a = pool.take(1000), b = pool.take(2000);
    CHECK(pool.statistics().live_bytes == 1024 + 2048);
    pool.give(a);
    CHECK(pool.statistics().live_bytes == 2048);
    CHECK(pool.statistics().peak_bytes == 1024 + 2048);
    pool.give(b);
    const Block again = pool.take(1000);
    CHECK(again.data == a.data);
    pool.give(again);
    CHECK(pool.statistics().live_bytes == 0);
    CHECK(pool.statistics().system_bytes == 1024 + 2048);
}

TEST_CASE("what a reserve holds is nobody else's until it is dropped") {
    Pool pool(host_memory());
    const Block before = pool.take(1000);
    pool.give(before);
    const std::uint32_t reserve = pool.begin_reserve();
    const Block kept = pool.take(1000), given = pool.take(1000);
    CHECK(kept.data == before.data);  // what is free comes in before the system is asked
    pool.give(given);
    CHECK(pool.take(1000).data == given.data);
    pool.give(given);
    pool.end_reserve();
    const Block outside = pool.take(1000);
    CHECK(outside.data != kept.data);
    CHECK(outside.data != given.data);
    pool.give(kept);  // comes back after the end: still the reserve's
    CHECK(pool.take(1000).data != kept.data);
    const std::int64_t requests = pool.statistics().system_requests;
    pool.drop_reserve(reserve);
    const Block first = pool.take(1000), second = pool.take(1000);
    CHECK(first.data == kept.data);
    CHECK(second.data == given.data);
    CHECK(pool.statistics().system_requests == requests);
}

TEST_CASE("a block that is still handed out when its reserve is dropped comes back to the pool") {
    Pool pool(host_memory());
    const std::uint32_t reserve = pool.begin_reserve();
    const Block block = pool.take(1000);
    pool.end_reserve();
    pool.drop_reserve(reserve);
    pool.give(block);
    CHECK(pool.take(1000).data == block.data);
}

}

}
