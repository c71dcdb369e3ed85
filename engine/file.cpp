// Reading files. Nothing is mapped: a file that shrinks while it is read is an error here, not a SIGBUS.
// Sibling: file_write.cpp.
#include "engine/file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace bkd {
namespace {

[[noreturn]] void fail(int id, const std::string& what, const std::string& asked_by, std::string try_ = {}) {
    throw InputError({.id = id, .what = what, .at = asked_by, .try_ = std::move(try_)});
}

[[noreturn]] void fail_open(int error, const std::string& path, const std::string& asked_by) {
    const std::string shown = printable(path), reason = std::generic_category().message(error);
    if (error == ENOENT || error == ENOTDIR) fail(501, "no such file: " + shown, asked_by);
    if (error == ELOOP) fail(501, fmt::format("no such file: {} (its symbolic links form a loop)", shown), asked_by);
    if (error == EACCES || error == EPERM) fail(502, fmt::format("not allowed to read {}", shown), asked_by);
    if (error == ENXIO || error == ENODEV) fail(503, fmt::format("{} is not a regular file", shown), asked_by);
    fail(504, fmt::format("cannot open {}: {}", shown, reason), asked_by);
}

const char* kind_name(mode_t mode) {
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

// pread takes at most this much in one call on Linux (2^31 - 4096 bytes).
constexpr std::size_t most_per_read = 0x7ffff000;

}

int Descriptor::close() {
    const int fd = fd_;
    fd_ = -1;
    return system_->close(fd);
}

InputFile::InputFile(const std::filesystem::path& path, std::string_view asked_by, const FileSystem& system)
    : path_(path.string()),
      asked_by_(asked_by),
      system_(&system),
      // O_NONBLOCK: opening a pipe nobody writes to returns instead of waiting for ever.
      file_(system, system.open(AT_FDCWD, path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)) {
    if (file_.get() < 0) fail_open(errno, path_, asked_by_);
    struct stat facts;
    if (system.fstat(file_.get(), &facts) != 0) fail_open(errno, path_, asked_by_);
    if (!S_ISREG(facts.st_mode))
        fail(503, fmt::format("{} is {}, not a regular file", printable(path_), kind_name(facts.st_mode)), asked_by_);
    size_ = static_cast<std::uint64_t>(facts.st_size);
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> into) const {
    while (!into.empty()) {
        const ssize_t got =
            system_->pread(file_.get(), into.data(), std::min(into.size(), most_per_read), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        const std::string place = fmt::format("{} @ byte {}", printable(path_), offset);
        if (got < 0)
            throw InputError({.id = 504,
                              .what = fmt::format("reading fails: {}", std::generic_category().message(errno)),
                              .at = place});
        if (got == 0)
            throw InputError({.id = 504,
                              .what = fmt::format("file was cut off while it was read: it had {} bytes", size_),
                              .at = place});
        offset += static_cast<std::uint64_t>(got);
        into = into.subspan(static_cast<std::size_t>(got));
    }
}

std::vector<std::byte> InputFile::read(std::uint64_t offset, std::uint64_t count) const {
    BKD_CHECK(offset <= size_ && count <= size_ - offset, "[{}, +{}) of {} bytes", offset, count, size_);
    std::vector<std::byte> bytes(static_cast<std::size_t>(count));
    read(offset, bytes);
    return bytes;
}

std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes, std::string_view asked_by,
                                 const FileSystem& system) {
    const InputFile file(path, asked_by, system);
    if (file.size() > max_bytes)
        fail(407, fmt::format("{} has {} bytes, at most {} are read", printable(path.string()), file.size(), max_bytes),
             std::string(asked_by));
    return file.read(0, file.size());
}

}
