#include "data/idx.h"

#include "data/dataset.h"
#include "engine/sha256.h"
#include "tests/data/fixtures.h"
#include "tests/data/packing.h"

using namespace bkd;
using namespace bkd::test;

namespace {

std::vector<std::byte> two_images() {
    return bytes_of({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 11, 12, 20, 21, 22});
}
std::vector<std::byte> two_labels(int second) { return bytes_of({0, 0, 8, 1, 0, 0, 0, 2, 1, second}); }

std::string refusal(std::span<const std::byte> bytes, const std::string& name = "file") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder.write(name, bytes);
    return error_of([&] { read_idx(path); });
}

}

TEST_CASE("an IDX set is read with its shape, plain and gzipped alike") {
    const TemporaryFolder folder;
    for (const bool is_packed : {false, true}) {
        const std::string suffix = is_packed ? ".gz" : "";
        ImageSet set;
        set.class_names = {"a", "b", "c"};
        read_idx_set(folder.write("i" + suffix, is_packed ? gzip_of(two_images()) : two_images()),
                     folder.write("l" + suffix, is_packed ? gzip_of(two_labels(2)) : two_labels(2)), set);
        CHECK(set.height == 1);
        CHECK(set.width == 3);
        CHECK(set.channels == 1);
        CHECK(set.images == std::vector<std::uint8_t>{10, 11, 12, 20, 21, 22});
        CHECK(set.labels == std::vector<std::int32_t>{1, 2});
        REQUIRE(set.files.size() == 2);
        CHECK(set.files[0].unpacked_bytes == 22);
        CHECK(set.files[0].sha256 == sha256_hex(two_images()));
    }
}

TEST_CASE("a header that is none is refused with what is wrong in it") {
    CHECK(contains(refusal(bytes_of({1, 0, 8, 1, 0, 0, 0, 0})), "E0404 "));
    CHECK(contains(refusal(gzip_of(two_images())), "this is gzip data"));
    CHECK(contains(refusal(bytes_of({0, 0, 13, 1, 0, 0, 0, 0})), "E0409 "));  // 13: f32
    CHECK(contains(refusal(bytes_of({0, 0, 8, 0})), "E0408 "));
    CHECK(contains(refusal(bytes_of({0, 0, 8, 6})), "E0408 "));
    CHECK(contains(refusal(bytes_of({0, 0, 8})), "E0430 "));
    CHECK(contains(refusal(bytes_of({0, 0, 8, 3, 0, 0, 0, 2, 0, 0})), "E0430 "));
    CHECK(contains(refusal({}), "E0430 "));
}

TEST_CASE("a size that differs from the header is refused with both numbers") {
    std::vector<std::byte> bytes = two_images();
    bytes.pop_back();
    CHECK(contains(refusal(bytes), "E0430 "));
    CHECK(contains(refusal(gzip_of(bytes), "file.gz"), "file has 21 bytes, must have 22"));
    bytes.resize(23);
    CHECK(contains(refusal(bytes), "file has 23 bytes, must have 22"));
    CHECK(contains(refusal(gzip_of(bytes), "file.gz"), "file has more than 22 bytes, must have 22"));
}

TEST_CASE("a header that promises more than the file can hold costs no memory") {
    const std::vector<std::byte> promise = bytes_of({0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0});  // 2^32 bytes
    CHECK(contains(refusal(promise), "file has 16 bytes, must have 4294967312"));
    CHECK(contains(refusal(gzip_of(promise), "file.gz"), "bytes, must have 4294967312"));
    const std::vector<std::byte> beyond_budget =
        bytes_of({0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 255, 255, 0, 0, 255, 255});
    CHECK(contains(refusal(beyond_budget), "E0407 "));
    const std::vector<std::byte> beyond_64_bits =
        bytes_of({0, 0, 8, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255});
    CHECK(contains(refusal(beyond_64_bits), "E0407 "));
}

TEST_CASE("labels out of range and of another number than the images are refused") {
    const TemporaryFolder folder;
    ImageSet set;
    set.class_names = {"a", "b"};
    const std::filesystem::path images = folder.write("i", two_images()), labels = folder.write("l", two_labels(2));
    const std::string error = error_of([&] { read_idx_set(images, labels, set); });
    CHECK(contains(error, "E0431 "));
    CHECK(contains(error, "label 2 of record 1 is out of range 0..1"));
    CHECK(contains(error, "@ byte 9"));
    folder.write("l", bytes_of({0, 0, 8, 1, 0, 0, 0, 1, 0}));
    CHECK(contains(error_of([&] { read_idx_set(images, labels, set); }), "1 labels for 2 images"));
    CHECK(contains(error_of([&] { read_idx_set(images, images, set); }), "E0408 "));
    CHECK(contains(error_of([&] { read_idx_set(labels, labels, set); }), "E0408 "));
}

TEST_CASE("Debian's Fashion-MNIST is found and is the published one") {
    if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
        MESSAGE("skipped: the package dataset-fashion-mnist is not installed");
        return;
    }
    const ImageSet train = open_dataset("fashion_mnist", "auto", Split::train);
    const ImageSet test = open_dataset("fashion_mnist", "/usr/share/datasets/fashion-mnist", Split::test);
    CHECK(train.size() == 60000);
    CHECK(test.size() == 10000);
    CHECK(train.image_bytes() == 28 * 28);
    CHECK(class_counts(train.labels, 10) == std::vector<std::int64_t>(10, 6000));
    CHECK(class_counts(test.labels, 10) == std::vector<std::int64_t>(10, 1000));
    CHECK(train.files[0].sha256 == "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888");
    CHECK(train.files[1].sha256 == "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9");
    CHECK(test.files[0].sha256 == "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b");
    CHECK(test.files[1].sha256 == "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34");
}
