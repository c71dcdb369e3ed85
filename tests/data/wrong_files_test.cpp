// Wrong CIFAR and IDX files of real size, each read in a process of its own: one message, its cost, and nothing else.
#include "data/dataset.h"
#include "tests/child.h"
#include "tests/data/fixtures.h"
#include "tests/data/packing.h"

#include <sys/stat.h>

#include <fstream>

using namespace bkd;
using namespace bkd::test;

namespace {

using Content = std::vector<std::byte>;

struct WrongFile {
    const char* name;
    Content content;
    const char* says;  // how the message begins
    std::string suffix{};
};

// `records` of a CIFAR file whose labels are 0, 1, 2 ... in turn.
Content cifar_records(std::size_t records, std::size_t label_bytes, std::size_t classes) {
    const std::size_t record = label_bytes + 3072;
    Content bytes(records * record);
    for (std::size_t i = 0; i < records; ++i) bytes[i * record + label_bytes - 1] = static_cast<std::byte>(i % classes);
    return bytes;
}

Content with_byte(Content bytes, std::size_t at, int value) {
    bytes.at(at) = static_cast<std::byte>(value);
    return bytes;
}
Content resized(Content bytes, std::size_t size) {
    bytes.resize(size);
    return bytes;
}
Content text(std::string_view words) {
    const auto bytes = std::as_bytes(std::span(words));
    return {bytes.begin(), bytes.end()};
}

void check_refused(const TemporaryFolder& folder, const std::string& set, Split split, const WrongFile& wrong,
                   const std::string& file) {
    CAPTURE(wrong.name);
    const std::filesystem::path path = folder / (file + wrong.suffix);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(wrong.content.data()), static_cast<std::streamsize>(wrong.content.size()));
    const Cost cost = cost_of([&] { open_dataset(set, folder.path(), split); });
    check_cost(cost, wrong.content.size());
    CHECK(cost.said.substr(0, std::string_view(wrong.says).size()) == wrong.says);
    CHECK(contains(cost.said, path.string()));
    std::filesystem::remove(path);
}

Content idx(int type, std::initializer_list<std::uint32_t> extents, std::size_t elements) {
    Content bytes = bytes_of({0, 0, type, static_cast<int>(extents.size())});
    for (const std::uint32_t e : extents)
        for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::byte>(e >> shift & 255));
    bytes.resize(bytes.size() + elements);
    return bytes;
}

}

TEST_CASE("each wrong CIFAR-10 file is refused with what is wrong in it, quickly and in little memory") {
    const Content sound = cifar_records(10000, 1, 10);
    const TemporaryFolder folder;
    const WrongFile files[] = {
        {"empty", {}, "error[E0430]: file has 0 bytes, must have 30730000\n"},
        {"a byte short", resized(sound, 30729999), "error[E0430]: file has 30729999 bytes, must have 30730000\n"},
        {"a byte long", resized(sound, 30730001), "error[E0430]: file has 30730001 bytes, must have 30730000\n"},
        {"label 10", with_byte(sound, 3073 * 9999, 10), "error[E0431]: label 10 of record 9999 is out of range 0..9\n"},
        {"a label exchanged", with_byte(sound, 0, 1),
         "error[E0430]: class 0 (airplane) has 999 images, the official set has 1000\n"},
        {"CIFAR-100's test file", cifar_records(10000, 2, 100),
         "error[E0430]: file has 30740000 bytes, must have 30730000\n"},
        {"the Python version", resized(text("\x80\x02}q\x01"), 31035526),
         "error[E0430]: file has 31035526 bytes, must have 30730000\n"},
        {"gzip without its suffix", gzip_of(sound), "error[E0430]: file has "},
        {"cut gzip", resized(gzip_of(sound), 1000), "error[E0430]: ", ".gz"},
        {"gzip of one byte more", gzip_of(resized(sound, 30730001)),
         "error[E0430]: file has more than 30730000 bytes, must have 30730000\n", ".gz"},
        {"damaged gzip", with_byte(gzip_of(sound), 2000, 0xff), "error[E04", ".gz"},
        {"no gzip", resized(sound, 100), "error[E04", ".gz"},
        {"xz of too little", xz_of(resized(sound, 3073)), "error[E0430]: file has 3073 bytes, must have 30730000\n",
         ".xz"},
        {"no xz", resized(sound, 100), "error[E0404]: this is no xz file\n", ".xz"},
        {"an HTML page", text("<!DOCTYPE html><html>404"), "error[E0430]: file has 24 bytes, must have 30730000\n"},
    };
    for (const WrongFile& wrong : files)
        check_refused(folder, "cifar10", Split::test, wrong, "cifar-10-batches-bin/test_batch.bin");
    // Nothing is read of a file that is too long.
    const auto path = folder.write("cifar-10-batches-bin/test_batch.bin", bytes_of({1}));
    std::filesystem::resize_file(path, 1'000'000'000);
    const Cost cost = cost_of([&] { open_dataset("cifar10", folder.path(), Split::test); });
    check_cost(cost, 0);
    CHECK(contains(cost.said, "file has 1000000000 bytes, must have 30730000"));
}

TEST_CASE("each wrong CIFAR-100 file is refused likewise, and the guess says what it may be") {
    const Content sound = cifar_records(10000, 2, 100);
    const TemporaryFolder folder;
    const WrongFile files[] = {
        {"a record short", resized(sound, 30740000 - 3074),
         "error[E0430]: file has 30736926 bytes, must have 30740000\n"},
        {"fine label 100", with_byte(sound, 3074 * 17 + 1, 100),
         "error[E0431]: label 100 of record 17 is out of range 0..99\n"},
        {"CIFAR-10's test file", cifar_records(10000, 1, 10),
         "error[E0430]: file has 30730000 bytes, must have 30740000\n"},
    };
    for (const WrongFile& wrong : files)
        check_refused(folder, "cifar100", Split::test, wrong, "cifar-100-binary/test.bin");
    const auto advice = [&](const Content& content) {
        const auto path = folder.write("cifar-100-binary/test.bin", content);
        const std::string said = cost_of([&] { open_dataset("cifar100", folder.path(), Split::test); }).said;
        return said.substr(std::min(said.find("  try: "), said.size()));
    };
    CHECK(advice(text("\x80\x02}q\x01")) ==
          "  try: this is a Python pickle, as in the Python version of the set: take the binary version\n");
    CHECK(advice(gzip_of(text("x"))) == "  try: this is gzip data: unpack it (a .tar.gz holds the files themselves)\n");
    CHECK(advice(text("nothing known")) == "  try: copy or download the file again\n");
}

TEST_CASE("each wrong IDX file is refused with what is wrong in it, quickly and in little memory") {
    const std::string images_name = "t10k-images-idx3-ubyte", labels_name = "t10k-labels-idx1-ubyte";
    const Content images = idx(8, {10000, 28, 28}, 7840000), labels = idx(8, {10000}, 10000);
    const TemporaryFolder folder;
    folder.write(labels_name, labels);
    const WrongFile wrong_images[] = {
        {"empty", {}, "error[E0430]: IDX header is cut off: 0 of 4 bytes\n"},
        {"cut header", resized(images, 9), "error[E0430]: IDX header is cut off: 5 of 12 bytes\n"},
        {"other first bytes", with_byte(images, 0, 1), "error[E0404]: no IDX file: it begins with bytes 01 00\n"},
        {"type f32", idx(13, {10000, 28, 28}, 7840000), "error[E0409]: IDX type 0d is not read\n"},
        {"no axes", idx(8, {}, 10), "error[E0408]: IDX array of 0 axes\n"},
        {"six axes", idx(8, {1, 1, 1, 1, 1, 1}, 1), "error[E0408]: IDX array of 6 axes\n"},
        {"two axes", idx(8, {10000, 28}, 280000), "error[E0408]: IDX array [10000, 28] holds no images\n"},
        {"no images", idx(8, {0, 28, 28}, 0), "error[E0408]: IDX array [0, 28, 28] holds no images\n"},
        {"a byte short", resized(images, 7840015), "error[E0430]: file has 7840015 bytes, must have 7840016\n"},
        {"a byte long", resized(images, 7840017), "error[E0430]: file has 7840017 bytes, must have 7840016\n"},
        {"a promise of 4 GiB", idx(8, {10000, 1024, 512}, 16),
         "error[E0430]: file has 32 bytes, must have 5242880016\n"},
        {"a promise beyond 64 bits", idx(8, {~0u, ~0u, ~0u, ~0u}, 16),
         "error[E0407]: IDX header promises [4294967295, 4294967295, 4294967295, 4294967295] bytes\n"},
        {"gzip without its suffix", gzip_of(images), "error[E0404]: no IDX file: it begins with bytes 1f 8b\n"},
        {"gzip of a byte more", gzip_of(resized(images, 7840017)),
         "error[E0430]: file has more than 7840016 bytes, must have 7840016\n", ".gz"},
        {"gzip of a promise of 4 GiB", gzip_of(idx(8, {10000, 1024, 512}, 16)), "error[E0430]: file has ", ".gz"},
        {"cut gzip", resized(gzip_of(images), 3000), "error[E0430]: file has 3000 packed bytes, must have 7840016\n",
         ".gz"},
    };
    for (const WrongFile& wrong : wrong_images) check_refused(folder, "mnist", Split::test, wrong, images_name);

    folder.write(images_name, images);
    const WrongFile wrong_labels[] = {
        {"label 10", with_byte(labels, 8 + 9999, 10), "error[E0431]: label 10 of record 9999 is out of range 0..9\n"},
        {"images in its place", images, "error[E0408]: IDX array [10000, 28, 28] holds no labels\n"},
        {"of another split", idx(8, {60000}, 60000), "error[E0430]: 60000 labels for 10000 images\n"},
        {"a byte short", resized(labels, 10007), "error[E0430]: file has 10007 bytes, must have 10008\n"},
    };
    for (const WrongFile& wrong : wrong_labels) check_refused(folder, "mnist", Split::test, wrong, labels_name);
}

TEST_CASE("what is no regular file in a set's folder is refused at once") {
    const TemporaryFolder folder;
    const std::string name = (folder / "t10k-images-idx3-ubyte").string();
    const auto refused = [&] {
        const Cost cost = cost_of([&] { open_dataset("mnist", folder.path(), Split::test); });
        check_cost(cost, 0);
        return cost.id();
    };
    folder.write("t10k-labels-idx1-ubyte", idx(8, {1}, 1));
    CHECK(refused() == "E0501");
    REQUIRE(::mkfifo(name.c_str(), 0600) == 0);
    CHECK(refused() == "E0503");
    std::filesystem::remove(name);
    std::filesystem::create_directory(name);
    CHECK(refused() == "E0503");
    std::filesystem::remove(name);
    std::filesystem::create_symlink("/dev/zero", name);
    CHECK(refused() == "E0503");
}
