#include "data/cifar.h"

#include "data/data_file.h"
#include "data/dataset.h"
#include "data/imbalance.h"
#include "tests/data/fixtures.h"
#include "tests/data/packing.h"

#include <numeric>

using namespace bkd;
using namespace bkd::test;

namespace {

// Records whose pixel k of channel c is (record + k + 80 c) mod 256.
std::vector<std::byte> records_with(const std::vector<int>& labels, const CifarFormat& format) {
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (format.label_bytes == 2) bytes.push_back(std::byte{19});
        bytes.push_back(static_cast<std::byte>(labels[i]));
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t k = 0; k < 1024; ++k) bytes.push_back(static_cast<std::byte>((i + k + 80 * c) & 255));
    }
    return bytes;
}

std::vector<std::int32_t> all_of(const Dataset& set) { return select_subset(set, SubsetOptions{}); }

}

TEST_CASE("planar records become interleaved images, with the fine label") {
    for (const CifarFormat& format : {cifar10_format(), cifar100_format()}) {
        ImageSet set = empty_cifar("x", Split::train, format);
        append_cifar_records(records_with({3, 9}, format), format, "f", set);
        CHECK(set.labels == std::vector<std::int32_t>{3, 9});
        CHECK(set.image(1)[0] == 1);
        CHECK(set.image(1)[1] == 81);
        CHECK(set.image(1)[2] == 161);
        CHECK(set.image(1)[3 * 1023 + 2] == (1 + 1023 + 160) % 256);
    }
    CHECK(cifar10_format().record_bytes() == 3073);
    CHECK(cifar100_format().record_bytes() == 3074);
    CHECK(cifar100_format().class_names.back() == "worm");
}

TEST_CASE("a label out of range is refused with record number and byte") {
    ImageSet set = empty_cifar("x", Split::train, cifar10_format());
    const std::string error = error_of([&] {
        append_cifar_records(records_with({0, 10}, cifar10_format()), cifar10_format(), "f.bin", set);
    });
    CHECK(contains(error, "E0431 "));
    CHECK(contains(error, "label 10 of record 1 is out of range 0..9"));
    CHECK(contains(error, "f.bin @ byte 3073"));
    const std::vector<std::byte> odd(3074);
    CHECK(contains(error_of([&] { append_cifar_records(odd, cifar10_format(), "f.bin", set); }), "E0430 "));
}

TEST_CASE("a file of the wrong size is refused with both sizes and a guess") {
    const TemporaryFolder folder;
    const auto refusal = [&](std::span<const std::byte> bytes, const std::string& name = "test_batch.bin") {
        const std::filesystem::path path = folder.write("cifar-10-batches-bin/" + name, bytes);
        const std::string error = error_of([&] { open_dataset("cifar10", folder.path(), Split::test); });
        std::filesystem::remove(path);
        return error;
    };
    CHECK(contains(refusal(bytes_of({3, 4, 5})), "E0430 "));
    CHECK(contains(refusal(bytes_of({3, 4, 5})), "file has 3 bytes, must have 30730000"));
    CHECK(contains(refusal(std::vector<std::byte>(30'730'001)), "file has 30730001 bytes, must have 30730000"));
    CHECK(contains(refusal(bytes_of({0x80, 2, '}'})), "Python version"));
    CHECK(contains(refusal(gzip_of(bytes_of({1, 2}))), "this is gzip data"));
    CHECK(contains(refusal(xz_of(bytes_of({1, 2}))), ".xz"));
    CHECK(contains(refusal(xz_of(bytes_of({1, 2})), "test_batch.bin.xz"), "file has 2 bytes, must have 30730000"));
    CHECK(contains(refusal(std::vector<std::byte>(30'730'000)), "class 0 (airplane) has 10000 images"));
}

TEST_CASE("a file that is not there is named, with what would serve") {
    const std::string error = error_of([] { open_dataset("cifar100", "/nonexistent/data", Split::train); });
    CHECK(contains(error, "E0501 "));
    CHECK(contains(error, "no such file: /nonexistent/data/cifar-100-binary/train.bin"));
    CHECK(contains(error, "153700000 bytes"));
}

TEST_CASE("the test batch is the official one, packed with xz") {
    BKD_NEEDS_SHARED("cifar10-test.bin.xz");
    const ImageSet set = open_dataset("cifar10", shared_file(""), Split::test);
    CHECK(set.size() == 10000);
    CHECK(set.files.at(0).sha256 == "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b");
    CHECK(byte_fingerprint(set, all_of(set)) == "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b");
    CHECK(set.labels[0] == 3);
    const std::uint8_t red[] = {158, 159, 165, 166, 160, 156, 162, 159};
    for (std::size_t x = 0; x < 8; ++x) CHECK(set.image(0)[3 * x] == red[x]);
}

TEST_CASE("the packed long-tailed CIFAR-10 unpacks to the official records in the order of the selection") {
    BKD_NEEDS_SHARED("cifar10-lt100-train.res.xz");
    const ImageSet set = open_dataset("cifar10_lt100", shared_file(""), Split::train);
    CHECK(set.size() == 12406);
    CHECK(set.files.at(0).sha256 == "25a3a0e45dcaa7b67752c031f5620097c900800a0dda2884093eb41ea6bfcb60");
    CHECK(byte_fingerprint(set, all_of(set)) == "271afe3a82d53c76fcbb1473da7a038d5fef0716071fe05a5918c4e17603a3fb");
    const std::uint8_t red[] = {121, 120, 120, 121, 124, 138, 145, 139};
    for (std::size_t x = 0; x < 8; ++x) CHECK(set.image(0)[3 * x] == red[x]);
    CHECK(open_dataset("cifar10_lt100", shared_file(""), Split::test).size() == 10000);
}

TEST_CASE("a further cut of the packed set is its counts' law, and a richer one is refused") {
    BKD_NEEDS_SHARED("cifar10-lt100-train.res.xz");
    const ImageSet set = open_dataset("cifar10_lt100", shared_file(""), Split::train);
    const std::vector<std::int32_t> cut = select_subset(set, {.kind = Imbalance::long_tailed, .ratio = 200});
    CHECK(cut.size() == 11203);
    const std::string error = error_of([&] { select_subset(set, {.kind = Imbalance::long_tailed, .ratio = 10}); });
    CHECK(contains(error, "E0304 "));
    CHECK(contains(error, "needs 3871 samples of class 1, the set has 2997"));
}

TEST_CASE("CIFAR-100 records read as classes in turn, as their file was made") {
    BKD_NEEDS_SHARED("cifar100-test-2000.bin.xz");
    Unpacker file = open_data_file(shared_file("cifar100-test-2000.bin.xz"));
    const std::vector<std::byte> content = read_exactly(file, "f", 6'148'000);
    ImageSet set = empty_cifar("cifar100", Split::test, cifar100_format());
    append_cifar_records(content, cifar100_format(), "f", set);
    std::vector<std::int32_t> expected(2000);
    for (std::size_t r = 0; r < expected.size(); ++r) expected[r] = static_cast<std::int32_t>(r % 100);
    CHECK(set.labels == expected);
}
