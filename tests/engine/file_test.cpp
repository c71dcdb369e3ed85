// Reading whole files and appending lines. Siblings: file_write_test.cpp (atomic writes under injected faults).
#include "engine/file.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

using namespace bkd;
using bkd_test::id_of;
using bkd_test::TemporaryFolder;

TEST_CASE("a file is read whole, an empty one too") {
    const TemporaryFolder folder;
    folder.write("a", "hello");
    folder.write("empty", "");
    CHECK(folder.text(folder / "a") == "hello");
    CHECK(read_file(folder / "empty", 0).empty());
}

TEST_CASE("what is no readable regular file is refused by its id, without waiting") {
    const TemporaryFolder folder;
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    REQUIRE(::symlink("loop", (folder / "loop").c_str()) == 0);
    folder.write("five", "hello");
    CHECK(id_of([&] { read_file(folder / "none", 10); }) == "E0501");
    CHECK(id_of([&] { read_file(folder / "five" / "below", 10); }) == "E0501");
    CHECK(id_of([&] { read_file(folder / "loop", 10); }) == "E0501");
    CHECK(id_of([&] { read_file(folder / "fifo", 10); }) == "E0503");
    CHECK(id_of([&] { read_file(folder.path(), 10); }) == "E0503");
    CHECK(id_of([&] { read_file("/dev/zero", 10); }) == "E0503");
    CHECK(id_of([&] { read_file(folder / "five", 4); }) == "E0407");
    FileSystem forbidden;
    forbidden.open = [](int, const char*, int, mode_t) {
        errno = EACCES;
        return -1;
    };
    CHECK(id_of([&] { read_file(folder / "five", 10, {}, forbidden); }) == "E0502");
}

TEST_CASE("the message about a missing file says who named it") {
    try {
        read_file("data/train.bin", 1, "exp.toml:5:8 (data.root = \"data\")");
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.message() ==
              "error[E0501]: no such file: data/train.bin\n  at:  exp.toml:5:8 (data.root = \"data\")\n");
    }
}

TEST_CASE("a file that shrinks while it is read, or fails in the middle, is an error with the offset") {
    const TemporaryFolder folder;
    folder.write("a", std::string(1000, 'x'));
    FileSystem shrinking;
    shrinking.pread = [](int fd, void* buffer, std::size_t size, off_t offset) {
        return offset >= 600 ? 0 : ::pread(fd, buffer, std::min<std::size_t>(size, 300), offset);
    };
    CHECK_THROWS_WITH_AS(read_file(folder / "a", 1000, {}, shrinking),
                         "file was cut off while it was read: it had 1000 bytes", InputError);
    FileSystem broken;
    broken.pread = [](int, void*, std::size_t, off_t) -> ssize_t {
        errno = EIO;
        return -1;
    };
    CHECK(id_of([&] { read_file(folder / "a", 1000, {}, broken); }) == "E0504");
}

TEST_CASE("a log takes line after line and survives being opened again") {
    const TemporaryFolder folder;
    AppendFile(folder / "log", {}).write_line("one");
    AppendFile log(folder / "log");
    log.write_line("two");
    log.sync();
    CHECK(log.dropped_bytes() == 0);
    CHECK(folder.text(folder / "log") == "one\ntwo\n");
}

TEST_CASE("a last line whose writer died is cut off when the log is opened") {
    const TemporaryFolder folder;
    for (const std::size_t torn : {std::size_t{1}, std::size_t{65535}, std::size_t{65536}, std::size_t{200000}}) {
        folder.write("log", "whole\n" + std::string(torn, 'x'));
        AppendFile log(folder / "log");
        CHECK(log.dropped_bytes() == static_cast<std::int64_t>(torn));
        log.write_line("next");
        CHECK(folder.text(folder / "log") == "whole\nnext\n");
    }
}

TEST_CASE("a line that finds no space leaves no part of itself in the log") {
    const TemporaryFolder folder;
    int calls = 0;
    FileSystem full;
    full.write = [&](int fd, const void* bytes, std::size_t size) -> ssize_t {
        if (++calls == 2) return ::write(fd, bytes, 3);  // half of the second line fits
        if (calls < 2) return ::write(fd, bytes, size);
        errno = ENOSPC;
        return -1;
    };
    AppendFile log(folder / "log", full);
    log.write_line("first");
    CHECK(id_of([&] { log.write_line("second"); }) == "E0602");
    CHECK(folder.text(folder / "log") == "first\n");
    CHECK(id_of([&] { AppendFile(folder / "none" / "log", {}); }) == "E0601");
}
