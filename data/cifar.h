#pragma once
// CIFAR-10 and CIFAR-100, binary version: a file is records of one or two label bytes and 3072 pixel bytes, planar:
// 1024 red, 1024 green, 1024 blue, each 32 x 32 row-major. Pixels become NHWC here, once. Coding of the packed set:
// packed_cifar.cpp.
#include "data/image_set.h"

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace bkd {

struct CifarFormat {
    std::int64_t label_bytes;  // the last of them is the label: CIFAR-100 has the coarse one first
    std::span<const std::string_view> class_names;

    std::int64_t record_bytes() const { return label_bytes + 3072; }
};
CifarFormat cifar10_format();
CifarFormat cifar100_format();

// A set without samples: shape, class names, normalisation.
ImageSet empty_cifar(std::string_view name, Split split, const CifarFormat& format);

// Appends the records of one file. E0430 if the size is no multiple of the record, E0431 for a label out of range, with
// the number of the record, counted from 0, and its offset.
void append_cifar_records(std::span<const std::byte> records, const CifarFormat& format, const std::string& path,
                          ImageSet& set);

// The planes of a packed cifar10_lt100 (packed_cifar.cpp), packed_cifar10_lt100_bytes of them, as records of CIFAR-10.
constexpr std::uint64_t packed_cifar10_lt100_bytes = 12'406 * 3'073;
std::vector<std::byte> unpack_cifar10_lt100(std::vector<std::byte> planes);

// Every class of an official set has the same count: E0430 otherwise, as labels were changed. `path` is of the last
// file.
void check_class_counts(const ImageSet& set, std::span<const std::int64_t> expected, const std::string& path);

// Test split as `open_cifar10` finds it: test_batch.bin or cifar10-test.bin, plain or .xz.
ImageSet open_cifar10_test(std::string_view name, const std::filesystem::path& root);

}
