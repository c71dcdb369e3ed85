// Random numbers: the same bits as every backend's. Contract: kernels/random.h
#include "kernels/random.h"

#include "kernels/reference/array.h"

#include <cmath>

namespace bkd::kernels::reference {
namespace {

// Word i % 4 of philox({i / 4, high bits of i / 4, position[0], position[1]}, key)
std::uint32_t random_word(std::int64_t i, const In<std::int32_t>& position, const PhiloxKey& key) {
    const std::uint64_t block = static_cast<std::uint64_t>(i) / 4;
    const PhiloxCounter counter{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                                static_cast<std::uint32_t>(position(0)), static_cast<std::uint32_t>(position(1))};
    return philox(counter, key)[static_cast<std::size_t>(i % 4)];
}

}

// y = low + (high - low) u
void Random::random_uniform(Stream&, const RandomUniform& args) const {
    const In<std::int32_t> position(args.position);
    const Result y(flat(args.y));
    for (std::int64_t i = 0; i < args.y.count(); ++i)
        y(i) = args.low + (args.high - args.low) * uniform_from(random_word(i, position, args.key));
}

// y = word < round(keep_probability 2^32)
void Random::random_mask(Stream&, const RandomMask& args) const {
    const In<std::int32_t> position(args.position);
    const auto limit = static_cast<std::uint64_t>(std::llround(args.keep_probability * 0x1p32));
    std::uint8_t* y = args.y.as<std::uint8_t>();
    for (std::int64_t i = 0; i < args.y.count(); ++i) y[i] = random_word(i, position, args.key) < limit ? 1 : 0;
}

// y = x mask / (1 - p)
void Random::dropout(Stream&, const Dropout& args) const {
    const In x(flat(args.x));
    const In<std::uint8_t> mask(flat(args.mask));
    const Result y(flat(args.y));
    for (std::int64_t i = 0; i < args.x.count(); ++i) y(i) = mask(i) != 0 ? x(i) / (1 - args.p) : 0.0;
}

}
