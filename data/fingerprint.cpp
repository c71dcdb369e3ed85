// The three fingerprints of imbalance.h.
#include "data/imbalance.h"
#include "engine/sha256.h"
#include "kernels/error.h"

namespace bkd {

namespace {

void add_u32le(std::vector<unsigned char>& bytes, std::int64_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<unsigned char>(value >> shift & 255));
}

std::string hex_of(const std::vector<unsigned char>& bytes) {
    Sha256 hash;
    hash.update(bytes.data(), bytes.size());
    return hash.hex();
}

}

std::string index_fingerprint(std::span<const std::int32_t> selection) {
    std::vector<unsigned char> bytes;
    for (const std::int32_t index : selection) add_u32le(bytes, index);
    return hex_of(bytes);
}

std::string position_fingerprint(const Dataset& set, std::span<const std::int32_t> selection) {
    std::vector<std::int64_t> seen(static_cast<std::size_t>(set.classes())), position;
    for (const std::int32_t label : set.labels) position.push_back(seen[static_cast<std::size_t>(label)]++);
    std::vector<unsigned char> bytes;
    for (const std::int32_t index : selection) add_u32le(bytes, position[static_cast<std::size_t>(index)]);
    return hex_of(bytes);
}

std::string byte_fingerprint(const ImageSet& set, std::span<const std::int32_t> selection) {
    Sha256 hash;
    std::vector<unsigned char> sample;
    const auto channels = static_cast<std::size_t>(set.channels);
    for (const std::int32_t index : selection) {
        const std::int32_t label = set.labels[static_cast<std::size_t>(index)];
        if (set.source) {
            const std::string line = fmt::format("{} {}\n", set.source->name(index), label);
            hash.update(line.data(), line.size());
            continue;
        }
        const std::span<const std::uint8_t> pixels = set.image(index);
        sample.clear();
        if (set.classes() <= 256)
            sample.push_back(static_cast<unsigned char>(label));
        else
            add_u32le(sample, label);
        for (std::size_t c = 0; c < channels; ++c)
            for (std::size_t i = c; i < pixels.size(); i += channels) sample.push_back(pixels[i]);
        hash.update(sample.data(), sample.size());
    }
    return hash.hex();
}

}
