// H1 to H18: files that are no safetensors, change while they are read, or lie about their checksums; and real files.
#include "engine/crc32c.h"
#include "tests/engine/safetensors_variants.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

using namespace bkd;
using namespace bkd_test;

namespace {

std::string shared(const std::string& name) {
    const char* folder = ::getenv("BKD_SHARED");
    return (folder != nullptr ? std::string(folder) : std::string(BKD_SOURCE_DIR) + "/../shared") + "/" + name;
}

const std::string sound_file = file_of(sound_header);

}

TEST_CASE("H1 to H5: what is no readable regular file is refused at once") {
    const TemporaryFolder folder;
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    REQUIRE(::symlink("loop", (folder / "loop").c_str()) == 0);
    const auto refused = [](const std::filesystem::path& path) {
        const auto cost = bkd::test::cost_of([&] { read_safetensors(path); });
        bkd::test::check_cost(cost, 0);
        return cost.id();
    };
    CHECK(refused(folder.path()) == "E0503");
    CHECK(refused(folder / "fifo") == "E0503");
    CHECK(refused("/dev/zero") == "E0503");
    CHECK(refused(folder / "loop") == "E0501");
    FileSystem forbidden;
    forbidden.open = [](int, const char*, int, mode_t) {
        errno = EACCES;
        return -1;
    };
    CHECK(id_of([&] { read_safetensors(folder / "x", {}, {}, forbidden); }) == "E0502");
}

TEST_CASE("H6: a tail of 1 TiB after valid data is refused without being read") {
    const TemporaryFolder folder;
    folder.write("a", sound_file);
    std::error_code cannot_be_so_large;
    std::filesystem::resize_file(folder / "a", std::uintmax_t{1} << 40, cannot_be_so_large);
    if (cannot_be_so_large) {
        MESSAGE("skipped: this file system has no sparse files of 1 TiB");
        return;
    }
    std::size_t bytes_read = 0;
    FileSystem counting;
    counting.pread = [&](int fd, void* buffer, std::size_t size, off_t offset) {
        bytes_read += size;
        return ::pread(fd, buffer, size, offset);
    };
    CHECK(id_of([&] { read_safetensors(folder / "a", {}, {}, counting); }) == "E0410");
    CHECK(bytes_read < 1024);
    bkd::test::check_cost(bkd::test::cost_of([&] { read_safetensors(folder / "a"); }), sound_file.size());
}

TEST_CASE("H7 to H10: a file that changes while it is read gives what was opened, or an error") {
    const TemporaryFolder folder;
    int calls = 0;
    const auto at_second_read = [&](auto change) {
        folder.write("a", sound_file);
        calls = 0;
        FileSystem system;
        system.pread = [&calls, change](int fd, void* buffer, std::size_t size, off_t offset) -> ssize_t {
            return ++calls == 2 && !change() ? -1 : ::pread(fd, buffer, size, offset);
        };
        return id_of([&] { read_safetensors(folder / "a", {}, {}, system); });
    };
    CHECK(at_second_read([&] {
              folder.write("a", sound_file + "more");
              return true;
          }) == "accepted");
    CHECK(at_second_read([&] {
              folder.write("a", sound_file.substr(0, 20));
              return true;
          }) == "E0504");
    CHECK(at_second_read([&] {
              folder.write("other", std::string(500, 'x'));
              std::filesystem::rename(folder / "other", folder / "a");
              return true;
          }) == "accepted");
    CHECK(at_second_read([] {
              errno = EIO;
              return false;
          }) == "E0504");
}

TEST_CASE("H11 to H16: files of other types are refused by the name of what they are") {
    const TemporaryFolder folder;
    const auto refused_as = [&](const std::string& file) {
        folder.write("x", file);
        const auto cost = bkd::test::cost_of([&] { read_safetensors(folder / "x"); });
        bkd::test::check_cost(cost, file.size());
        const std::size_t what = std::string_view("error[E0429]: ").size();
        return cost.id() + " " + cost.said.substr(what, cost.said.find('\n') - what);
    };
    CHECK(refused_as(sound_file + sound_file).starts_with("E0410 the tensors cover 16 bytes"));
    const std::string tail(600, '\0');
    CHECK(refused_as("PK\x03\x04" + tail) == "E0429 this is a ZIP archive, such as PyTorch's .pth and NumPy's .npz");
    CHECK(refused_as("\x1f\x8b\x08" + tail) == "E0429 this is a gzip file");
    CHECK(refused_as("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n") ==
          "E0429 this is a Git LFS pointer, not the file");
    CHECK(refused_as("<!DOCTYPE html><html><body>404") == "E0429 this is an HTML page, not the file");
    CHECK(refused_as("\n <HTML><body>404") == "E0429 this is an HTML page, not the file");
    CHECK(refused_as("{\"metadata\": {\"total_size\": 1}, \"weight_map\": {}}") ==
          "E0429 this is the index of a model in several files (shards), which are not supported");
    CHECK(refused_as("just some words") == "E0429 this is a text file");
}

TEST_CASE("a checksum that does not fit, or is of no tensor, is refused with its tensor and byte") {
    const std::vector<float> values{1, 2, 3, 4};
    const auto stored = [&](std::map<std::string, std::string> metadata, Checksums checksums) {
        return safetensors_bytes({{"a", ElementType::f32, {2, 2}, std::as_bytes(std::span(values))}},
                                 std::move(metadata), checksums);
    };
    auto file = stored({}, Checksums::yes);
    CHECK(id_of([&] { parse_safetensors(file, "x", {.require_checksums = true}); }) == "accepted");
    file.back() ^= std::byte{1};
    try {
        parse_safetensors(file, "x");
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.id() == "E0421");
        CHECK(error.parts().at == fmt::format("x @ byte {}", file.size() - 16));
        CHECK(error.parts().what.starts_with("checksum of tensor \"a\" is "));
    }
    file.back() ^= std::byte{1};
    // Each byte of the header in turn: some flips are another error first, none is accepted.
    for (std::size_t i = 0; i < file.size(); ++i) {
        file[i] ^= std::byte{1};
        CHECK_MESSAGE(id_of([&] { parse_safetensors(file, "x"); }) != "accepted", "byte ", i);
        file[i] ^= std::byte{1};
    }
    const auto id = [&](const std::string& sums) {
        auto bytes = stored({{"bkd.crc32c", sums}, {"bkd.header_crc32c", "00000000"}}, Checksums::no);
        const std::string digits = fmt::format("{:08x}", crc32c(std::span(bytes).first(bytes.size() - 16)));
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        constexpr std::string_view key = "\"bkd.header_crc32c\":\"";
        std::memcpy(bytes.data() + text.find(key) + key.size(), digits.data(), digits.size());
        return id_of([&] { parse_safetensors(bytes, "x"); });
    };
    CHECK(id(fmt::format(R"({{"a":"{:08x}"}})", crc32c(std::as_bytes(std::span(values))))) == "accepted");
    CHECK(id(R"({"b":"00000000"})") == "E0421");  // H18
    CHECK(id("{}") == "E0421");
    CHECK(id(R"({"a":"xyz"})") == "E0421");
    CHECK(id(R"({"a":1})") == "E0421");
    CHECK(id("{") == "E0403");
    const auto without = stored({}, Checksums::no);
    CHECK(id_of([&] { parse_safetensors(without, "x", {.require_checksums = true}); }) == "E0421");
}

TEST_CASE("limits on the file are raised by the caller and shown in the message") {
    CHECK_THROWS_WITH_AS(parse_safetensors(std::as_bytes(std::span(sound_file)), "x", {.max_bytes = 50}),
                         "file has 81 bytes, at most 50 are read", InputError);
    CHECK(id_of([] { parse_safetensors(std::as_bytes(std::span(sound_file)), "x", {.max_header_bytes = 10}); }) ==
          "E0407");
}

TEST_CASE("written files are a pure function of their content, aligned to 64 bytes, largest elements first") {
    const std::vector<float> f{1, 2, 3};
    const std::vector<double> d{4};
    const std::vector<std::uint8_t> u{5};
    const TensorToStore a{"a", ElementType::u8, {1}, std::as_bytes(std::span(u))};
    const TensorToStore b{"b", ElementType::f32, {3}, std::as_bytes(std::span(f))};
    const TensorToStore c{"c", ElementType::f64, {}, std::as_bytes(std::span(d))};
    const std::map<std::string, std::string> metadata{{"k", "a \"quoted\" \"bkd.header_crc32c\":\"value\n"}};
    const auto file = safetensors_bytes({a, b, c}, metadata, Checksums::yes);
    CHECK(file == safetensors_bytes({c, a, b}, metadata, Checksums::yes));
    const SafeTensors read = parse_safetensors(file, "x", {.require_checksums = true});
    CHECK(read.data_offset % 64 == 0);
    CHECK(read.at("c").begin == 0);
    CHECK(read.at("b").begin == 8);
    CHECK(read.at("a").begin == 20);
    CHECK(read.values<float>(read.at("b")) == f);
    CHECK(read.values<double>(read.at("c")) == d);
    CHECK(read.metadata.at("k") == metadata.at("k"));
    CHECK_THROWS_AS(safetensors_bytes({a, a}, {}, Checksums::no), LogicError);
    CHECK_THROWS_AS(safetensors_bytes({{"b", ElementType::f32, {4}, std::as_bytes(std::span(f))}}, {}, Checksums::no),
                    LogicError);
}

TEST_CASE("files of other writers open: PyTorch weights and golden numbers; a legacy pickle is named as such") {
    if (!std::filesystem::exists(shared("data/cifar10-resnet20.safetensors"))) {
        MESSAGE("skipped: no shared data");
        return;
    }
    const SafeTensors weights = read_safetensors(shared("data/cifar10-resnet20.safetensors"));
    CHECK(weights.tensors.size() == 97);
    CHECK(weights.metadata.at("format") == "pt");
    CHECK(shape_text(weights.at("layer1.0.conv1.weight").shape) == "[16,16,3,3]");
    const SafeTensors golden = read_safetensors(shared("golden/ops.safetensors"));
    CHECK(golden.tensors.size() == 3861);
    CHECK(golden.metadata.at("golden").size() == 162779);
    CHECK_THROWS_WITH_AS(read_safetensors(shared("data/resnet20-12fca82f.th")),
                         "this is a PyTorch file of the legacy form, a pickle", InputError);
}
