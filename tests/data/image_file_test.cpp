// Images of any file that is read: which kind it is, what is in it, and what is refused.
#include "data/image_file.h"

#include "data/cifar.h"
#include "data/dataset.h"
#include "tests/data/fixtures.h"
#include "tests/data/packing.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

// Records whose k-th pixel byte is k mod 251, whatever the plane; `label` in front of each.
std::vector<std::byte> records(std::size_t count, std::size_t label_bytes, int label) {
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < count; ++i) {
        bytes.insert(bytes.end(), label_bytes, static_cast<std::byte>(label));
        for (int k = 0; k < 3072; ++k) bytes.push_back(static_cast<std::byte>(k % 251));
    }
    return bytes;
}

std::vector<std::byte> idx(std::initializer_list<int> extents, std::size_t count) {
    std::vector<std::byte> bytes = bytes_of({0, 0, 8, static_cast<int>(extents.size())});
    for (const int extent : extents)
        for (const int byte : {0, 0, extent / 256, extent % 256}) bytes.push_back(static_cast<std::byte>(byte));
    for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(i % 256));
    return bytes;
}

std::vector<std::byte> text(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::string refusal(const std::filesystem::path& path) {
    try {
        read_image_file(path);
    } catch (const InputError& error) { return error.message(); }
    return {};
}

}

TEST_CASE("IDX files of images with and without channels are read, packed or not") {
    const TemporaryFolder folder;
    const std::vector<std::byte> grey = idx({2, 4, 3}, 24);
    for (const ImageFile& file :
         {read_image_file(folder.write("a", grey)), read_image_file(folder.write("a.gz", gzip_of(grey))),
          read_image_file(folder.write("a.xz", xz_of(grey)))}) {
        CHECK(file.size() == 2);
        CHECK(file.height == 4);
        CHECK(file.width == 3);
        CHECK(file.channels == 1);
        CHECK(file.images.at(23) == 23);
    }
    const ImageFile colour = read_image_file(folder.write("b", idx({5, 2, 2, 3}, 60)));
    CHECK(colour.size() == 5);
    CHECK(colour.channels == 3);
    CHECK(colour.path == (folder.path() / "b").string());
}

TEST_CASE("records of CIFAR-10 and CIFAR-100 are told apart by their size, and become rows of pixels") {
    const TemporaryFolder folder;
    for (const auto& [label_bytes, name] : {std::pair{std::size_t{1}, "ten"}, {std::size_t{2}, "hundred"}}) {
        const std::vector<std::byte> bytes = records(3, label_bytes, 7);
        for (const ImageFile& file : {read_image_file(folder.write(name, bytes)),
                                      read_image_file(folder.write(std::string(name) + ".xz", xz_of(bytes)))}) {
            CHECK(file.size() == 3);
            CHECK(file.image_bytes() == 3072);
            // Pixel 5: red 5, green 1024 + 5, blue 2048 + 5.
            CHECK(file.images[3072 + 15] == 5);
            CHECK(file.images[3072 + 16] == 1029 % 251);
            CHECK(file.images[3072 + 17] == 2053 % 251);
        }
    }
}

TEST_CASE("where both sizes fit, labels tell the records apart") {
    const TemporaryFolder folder;
    CHECK(read_image_file(folder.write("ten", records(3074, 1, 9))).size() == 3074);
    CHECK(read_image_file(folder.write("hundred", records(3073, 2, 15))).size() == 3073);
}

TEST_CASE("a label out of range and a first pixel that looks like a picture") {
    const TemporaryFolder folder;
    CHECK(refusal(folder.write("label", records(2, 1, 10))).starts_with("error[E0431]: label 10 of record 0"));
    std::vector<std::byte> bytes = records(2, 2, 'B');  // of class 66
    bytes[1] = static_cast<std::byte>('M');
    CHECK(read_image_file(folder.write("bm", bytes)).size() == 2);
}

TEST_CASE("what is no file of images is refused with what it seems to be") {
    const TemporaryFolder folder;
    struct Row {
        std::string name;
        std::vector<std::byte> bytes;
        std::string says;
    };
    const Row rows[] = {
        {"a.jpg", text("\xff\xd8\xff\xe0 and so on"), "error[E0434]: the file is a JPEG picture"},
        {"a.png", text("\x89PNG\r\n"), "error[E0434]: the file is a PNG picture"},
        {"a.gif", text("GIF89a"), "error[E0434]: the file is a GIF picture"},
        {"a.webp", text("RIFF...."), "error[E0434]: the file is a WebP picture"},
        {"a.zip", text("PK\x03\x04"), "error[E0434]: the file is a zip archive"},
        {"gz", gzip_of(idx({1, 2, 2}, 4)), "error[E0434]: the file is gzip data without the suffix .gz"},
        {"a.txt", text("hello\n"), "error[E0434]: no kind of image file that is known: 6 bytes"},
        {"x", text("x"), "error[E0434]"},
        {"empty", {}, "error[E0430]: the file is empty"},
        {"empty.gz", {}, "error[E0430]"},
        {"labels", idx({4}, 4), "error[E0408]: IDX array [4] holds no images"},
        {"none", idx({0, 8, 8}, 0), "error[E0408]: IDX array [0, 8, 8] holds no images"},
        {"cut", idx({2, 4, 3}, 23), "error[E0430]: file has 39 bytes, must have 40"},
        {"long", idx({2, 4, 3}, 25), "error[E0430]: file has 41 bytes, must have 40"},
        {"cut.gz", gzip_of(idx({2, 4, 3}, 23)), "error[E0430]: file has 39 bytes, must have 40"},
        {"head", bytes_of({0, 0, 8, 3, 0}), "error[E0430]: IDX header is cut off"},
        {"float", bytes_of({0, 0, 13, 3, 0}), "error[E0434]"},
        {"a.res", text("hello\n"), "error[E0430]: file has 6 bytes, must have 38123638"},
        {"a.res.gz", text("hello\n"), "error[E04"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const std::string said = refusal(folder.write(row.name, row.bytes));
        CAPTURE(said);
        CHECK(said.starts_with(row.says));
        CHECK(contains(said, row.name));
    }
    CHECK(contains(refusal(folder.path() / "a.jpg"), "pictures (JPEG, PNG) are not read by this version"));
    CHECK(refusal(folder.path()).starts_with("error[E0503]"));
    CHECK(refusal(folder.path() / "nothing").starts_with("error[E0501]"));
}

TEST_CASE("the packed CIFAR-10-LT is the same pictures as its data set") {
    BKD_NEEDS_SHARED("cifar10-lt100-train.res.xz");
    const ImageFile file = read_image_file(shared_file("cifar10-lt100-train.res.xz"));
    CHECK(file.size() == 12'406);
    CHECK(file.images == open_dataset("cifar10_lt100", shared_file("."), Split::train).images);
}

}
