// Atomic writes under injected faults: at every call that can fail, the old file's bytes stay and no temporary is left.
#include "engine/file.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

using namespace bkd;
using bkd_test::id_of;
using bkd_test::TemporaryFolder;

namespace {

std::vector<std::string> names_in(const TemporaryFolder& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
        names.push_back(entry.path().filename().string());
    return names;
}

// Fails the n-th of all calls that write, sync, close, allocate or rename.
FileSystem failing_at(int n, int error, int& calls) {
    FileSystem system;
    const auto fails = [n, error, &calls] {
        if (++calls != n) return false;
        errno = error;
        return true;
    };
    const FileSystem real;
    system.allocate = [=](int fd, off_t at, off_t size) { return fails() ? -1 : real.allocate(fd, at, size); };
    // 10 bytes a call: a write of 35 bytes takes four.
    system.write = [=](int fd, const void* bytes, std::size_t size) {
        return fails() ? -1 : real.write(fd, bytes, std::min<std::size_t>(size, 10));
    };
    system.fsync = [=](int fd) { return fails() ? -1 : real.fsync(fd); };
    system.close = [=](int fd) {
        const int result = real.close(fd);
        return fails() ? -1 : result;
    };
    system.rename = [=](int folder, const char* from, const char* to) {
        return fails() ? -1 : real.rename(folder, from, to);
    };
    system.link = [=](int folder, const char* from, const char* to) {
        return fails() ? -1 : real.link(folder, from, to);
    };
    return system;
}

const std::string new_text = "the new text, longer than the other";

}

TEST_CASE("a file written atomically holds the new bytes, with the permissions the umask leaves") {
    const TemporaryFolder folder;
    const mode_t umask_before = ::umask(027);
    write_file_atomically(folder / "a", "one", Overwrite::no);
    ::umask(umask_before);
    CHECK(folder.text(folder / "a") == "one");
    CHECK(std::filesystem::status(folder / "a").permissions() == std::filesystem::perms(0640));
    write_file_atomically(folder / "a", new_text, Overwrite::yes);
    CHECK(folder.text(folder / "a") == new_text);
    write_file_atomically(folder / "empty", "", Overwrite::no);
    CHECK(std::filesystem::file_size(folder / "empty") == 0);
    CHECK(names_in(folder).size() == 2);
}

TEST_CASE("without leave to overwrite, an existing file stays and the error says so") {
    const TemporaryFolder folder;
    folder.write("a", "old");
    CHECK(id_of([&] { write_file_atomically(folder / "a", "new", Overwrite::no); }) == "E0607");
    CHECK(folder.text(folder / "a") == "old");
    CHECK(names_in(folder).size() == 1);
}

TEST_CASE("a missing folder, a folder as target and a folder without permission have ids of their own") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "inner");
    CHECK(id_of([&] { write_file_atomically(folder / "none" / "a", "x", Overwrite::no); }) == "E0601");
    CHECK(id_of([&] { write_file_atomically(folder / "inner", "x", Overwrite::yes); }) == "E0604");
    CHECK(id_of([&] { write_file_atomically(folder / "inner" / "", "x", Overwrite::yes); }) == "E0604");
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0666) == 0);
    std::filesystem::create_symlink(folder / "pipe", folder / "link");
    for (const char* name : {"pipe", "link"}) {
        CHECK(id_of([&] { write_file_atomically(folder / name, "x", Overwrite::yes); }) == "E0604");
        CHECK(id_of([&] { check_place(folder / name, Overwrite::no); }) == "E0604");
    }
    CHECK(std::filesystem::is_fifo(folder / "link"));
    for (const char* name : {"pipe", "link"}) std::filesystem::remove(folder / name);
    FileSystem read_only;
    read_only.open = [](int at, const char* path, int flags, mode_t mode) {
        if ((flags & O_CREAT) == 0) return FileSystem().open(at, path, flags, mode);
        errno = EROFS;
        return -1;
    };
    CHECK(id_of([&] { write_file_atomically(folder / "a", "x", Overwrite::yes, "file", read_only); }) == "E0605");
    CHECK(names_in(folder) == std::vector<std::string>{"inner"});
}

TEST_CASE("whichever call fails, with whichever error, the old file's bytes stay and nothing is left beside it") {
    for (const int error : {ENOSPC, EIO, EDQUOT, ESTALE, EFBIG}) {
        const std::string id = error == EIO || error == ESTALE ? "E0603" : "E0602";
        // allocate, 4 writes, fsync, close, rename come first; the fsync and close of the folder follow.
        for (int n = 1; n <= 8; ++n) {
            const TemporaryFolder folder;
            folder.write("a", "old");
            int calls = 0;
            const FileSystem system = failing_at(n, error, calls);
            CHECK_MESSAGE(
                id_of([&] { write_file_atomically(folder / "a", new_text, Overwrite::yes, "file", system); }) == id,
                "call ", n, ", errno ", error);
            CHECK(folder.text(folder / "a") == "old");
            CHECK(names_in(folder).size() == 1);
        }
    }
}

TEST_CASE("a signal in the middle of a write changes nothing, a folder that cannot be synced is said") {
    const TemporaryFolder folder;
    int calls = 0;
    for (int n = 1; n <= 5; ++n) {
        calls = 0;
        write_file_atomically(folder / "a", new_text, Overwrite::yes, "file", failing_at(n, EINTR, calls));
        CHECK(folder.text(folder / "a") == new_text);
    }
    calls = 0;
    CHECK(id_of([&] { write_file_atomically(folder / "a", "x", Overwrite::yes, "file", failing_at(6, EIO, calls)); }) ==
          "E0603");
    calls = 0;
    write_file_atomically(folder / "b", "x", Overwrite::yes, "file", failing_at(6, EINVAL, calls));
    CHECK(folder.text(folder / "b") == "x");
}

TEST_CASE("the message about a full disk says what was needed, what is free and what is intact") {
    const TemporaryFolder folder;
    folder.write("a.ckpt", "old");
    FileSystem full;
    full.allocate = [](int, off_t, off_t) {
        errno = ENOSPC;
        return -1;
    };
    full.free_bytes = [](int) { return std::int64_t{1153434}; };
    try {
        write_file_atomically(folder / "a.ckpt", std::string(3880000, 'x'), Overwrite::yes, "checkpoint", full);
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.exit_code() == 6);
        CHECK(error.parts().what == "no space left while writing checkpoint (needed 3.7 MiB, free 1.1 MiB)");
        CHECK(error.parts().at == (folder / "a.ckpt").string());
        CHECK(error.parts().why == "the previous a.ckpt is intact");
    }
}

TEST_CASE("temporaries of dead writers are removed, those of living ones and other files stay") {
    const TemporaryFolder folder;
    folder.write(".tmp.a.ckpt.4194304.0123456789abcdef", "");  // above the largest process id
    folder.write(".tmp.b." + std::to_string(::getpid()) + ".0123456789abcdef", "");
    folder.write(".tmp.notes", "");
    folder.write("model.4194304.0123456789abcdef", "");
    CHECK(remove_abandoned_temporaries(folder.path()) == 1);
    CHECK(names_in(folder).size() == 3);
}
