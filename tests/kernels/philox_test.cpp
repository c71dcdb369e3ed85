// Philox4x32-10 against the known answers published with Random123 (D. E. Shaw Research, file kat_vectors, lines
// "philox4x32 10").
#include "kernels/philox.h"
#include "tests/kernels/reference_memory.h"

namespace bkd {
namespace {

TEST_CASE("philox gives the published answers for zeros, ones and the digits of pi") {
    CHECK(philox({0, 0, 0, 0}, {0, 0}) == PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    constexpr std::uint32_t ones = 0xffffffff;
    CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
          PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random bits become numbers of [0, 1) that are exact in f32") {
    CHECK(uniform_from(0) == 0);
    CHECK(uniform_from(0xffffffff) == 1 - 0x1p-24f);
    CHECK(uniform_from(0x80000000) == 0.5f);
}

TEST_CASE("element i of a random tensor is word i % 4 of block i / 4 at the position") {
    test::ReferenceMemory m;
    const PhiloxKey key{7, 9};
    const View y = m.empty({6}), mask = m.bytes({6}, {2, 2, 2, 2, 2, 2}), position = m.integers({2}, {3, -1});
    m.backend->random().random_uniform(*m.stream, {.y = y, .position = position, .key = key, .low = -1, .high = 3});
    m.backend->random().random_mask(*m.stream, {.y = mask, .position = position, .key = key, .keep_probability = 0.25});
    for (std::uint32_t i = 0; i < 6; ++i) {
        const std::uint32_t word = philox({i / 4, 0, 3, 0xffffffff}, key)[i % 4];
        CHECK(m.read(y)[i] == -1 + 4 * static_cast<double>(uniform_from(word)));
        CHECK(m.read<std::uint8_t>(mask)[i] == (word < 0x40000000 ? 1 : 0));
    }
}

TEST_CASE("a mask keeps all with probability 1, none with 0, and its share between") {
    test::ReferenceMemory m;
    const std::size_t count = 100000;
    const View mask = m.bytes({100000}, std::vector<std::uint8_t>(count)), position = m.integers({2}, {0, 0});
    const auto kept = [&](double probability) {
        m.backend->random().random_mask(
            *m.stream, {.y = mask, .position = position, .key = {1, 2}, .keep_probability = probability});
        const auto values = m.read<std::uint8_t>(mask);
        return std::count(values.begin(), values.end(), 1);
    };
    CHECK(kept(1) == 100000);
    CHECK(kept(0) == 0);
    CHECK(std::abs(static_cast<double>(kept(0.3)) - 30000) < 5 * std::sqrt(100000 * 0.3 * 0.7));  // five deviations
}

}
}
