// Writing files: the whole new content beside the old, on the disk, then one rename. Sibling: file.cpp (reading).
#include "engine/file.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <random>
#include <system_error>

namespace bkd {
namespace {

constexpr std::size_t most_per_write = 64 << 20;  // a signal is answered between two pieces
constexpr int log_block = 64 << 10;               // the longest line of a log

std::string size_text(std::int64_t bytes) {
    if (bytes < 1 << 20) return fmt::format("{} bytes", bytes);
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

// Where and what is being written, and its failures in the user's words.
struct Target {
    std::string folder, name;
    std::string_view what;
    std::int64_t size = 0;
    bool existed = false;

    [[noreturn]] void fail(int error, const char* call, std::int64_t free_bytes) const {
        const std::string shown = printable((std::filesystem::path(folder) / name).string());
        InputError::Parts parts;
        parts.at = shown;
        parts.why = existed ? fmt::format("the previous {} is intact", printable(name)) : "nothing was left behind";
        if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
            parts.id = 602;
            parts.what = fmt::format("{} while writing {} (needed {}, free {})",
                                     error == ENOSPC   ? "no space left"
                                     : error == EDQUOT ? "disk quota exceeded"
                                                       : "file size limit exceeded",
                                     what, size_text(size), free_bytes < 0 ? "unknown" : size_text(free_bytes));
            parts.try_ = "free space";
        } else if (error == EISDIR || error == ENOTEMPTY) {
            parts.id = 604;
            parts.what = fmt::format("{} is a folder, no {} can take its place", shown, what);
        } else if (error == EACCES || error == EPERM || error == EROFS) {
            parts.id = 605;
            parts.what = fmt::format("not allowed to write {}: {}", what, std::generic_category().message(error));
        } else if (error == EEXIST) {
            parts.id = 607;
            parts.what = fmt::format("{} exists already", shown);
            parts.try_ = "another name, or --force to replace it";
        } else {
            parts.id = 603;
            parts.what = fmt::format("writing {} fails in {}: {}", what, call, std::generic_category().message(error));
        }
        throw InputError(std::move(parts));
    }
};

template <class Call>
auto retry_interrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

int open_folder(const FileSystem& system, const std::string& folder, const Target& target) {
    const int fd = system.open(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        throw InputError({.id = 601,
                          .what = fmt::format("no such folder: {}", printable(folder)),
                          .at = printable((std::filesystem::path(folder) / target.name).string())});
    if (fd < 0) target.fail(errno, "open", -1);
    return fd;
}

std::string temporary_name(const std::string& name) {
    std::random_device random;
    const std::uint64_t bits = std::uint64_t{random()} << 32 | random();
    return fmt::format(".tmp.{}.{}.{:016x}", name, ::getpid(), bits);
}

}

bool write_all(const FileSystem& system, int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written =
            retry_interrupted([&] { return system.write(fd, bytes.data(), std::min(bytes.size(), most_per_write)); });
        if (written < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

namespace {

// Fills and closes the temporary file. Returns the name of the call that failed, its reason in errno, or null.
const char* fill(const FileSystem& system, Descriptor& file, std::span<const std::byte> bytes) {
    const auto size = static_cast<off_t>(bytes.size());
    // Space is claimed first: a full disk is told before half a file exists.
    if (size > 0 && retry_interrupted([&] { return system.allocate(file.get(), 0, size); }) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS)
        return "allocate";
    if (!write_all(system, file.get(), bytes)) return "write";
    // Not retried: Linux reports a lost write once, a second fsync would say that all is well.
    if (system.fsync(file.get()) != 0) return "fsync";
    struct stat facts;
    if (system.fstat(file.get(), &facts) != 0) return "fstat";
    if (facts.st_size != size) {
        errno = EIO;
        return "fstat: size";
    }
    return file.close() != 0 ? "close" : nullptr;
}

Target target_of(const std::filesystem::path& path, std::string_view what, std::size_t size) {
    Target target{.folder = path.has_parent_path() ? path.parent_path().string() : ".",
                  .name = path.filename().string(),
                  .what = what,
                  .size = static_cast<std::int64_t>(size)};
    if (target.name.empty() || target.name == "." || target.name == "..") target.fail(EISDIR, "open", -1);
    return target;
}

Target log_target(const std::filesystem::path& path, std::size_t size) {
    return {.folder = path.has_parent_path() ? path.parent_path().string() : ".",
            .name = path.filename().string(),
            .what = "log",
            .size = static_cast<std::int64_t>(size),
            .existed = true};
}

// Where the last whole line ends, looked for backwards block by block; -1 leaves the reason in errno.
off_t end_of_last_line(const FileSystem& system, int fd, off_t end) {
    std::string block(log_block, '\0');
    while (end > 0) {
        const off_t begin = std::max<off_t>(0, end - log_block);
        const auto size = static_cast<std::size_t>(end - begin);
        const ssize_t got = retry_interrupted([&] { return system.pread(fd, block.data(), size, begin); });
        if (got >= 0 && got < static_cast<ssize_t>(size)) errno = EIO;
        if (got != static_cast<ssize_t>(size)) return -1;
        const std::size_t newline = std::string_view(block.data(), size).rfind('\n');
        if (newline != std::string_view::npos) return begin + static_cast<off_t>(newline) + 1;
        end = begin;
    }
    return 0;
}

// The process id in ".tmp.<name>.<pid>.<random>", or 0 if `name` is no such file.
pid_t writer_of(std::string_view name) {
    if (!name.starts_with(".tmp.")) return 0;
    const std::size_t last = name.rfind('.');
    const std::size_t before = name.rfind('.', last - 1);
    if (last - before < 2 || name.size() - last != 17 || before < 5) return 0;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data() + before + 1, name.data() + last, pid);
    return error == std::errc{} && end == name.data() + last ? pid : 0;
}

// Devices, pipes and sockets, also behind a link, are not replaced, whatever the caller may overwrite.
void refuse_special_file(const std::filesystem::path& path) {
    std::error_code ignored;
    const std::filesystem::file_type type = std::filesystem::status(path, ignored).type();
    using enum std::filesystem::file_type;
    if (type != block && type != character && type != fifo && type != socket) return;
    throw InputError({.id = 604,
                      .what = fmt::format("{} is a device or a pipe, not a regular file", printable(path.string())),
                      .at = printable(path.string()),
                      .why = "a result takes the place of the file it is named after",
                      .try_ = "the name of a file"});
}

}

void check_place(const std::filesystem::path& path, Overwrite overwrite, std::string_view what) {
    const FileSystem system;
    const Target target = target_of(path, what, 0);
    const Descriptor folder(system, open_folder(system, target.folder, target));
    if (::faccessat(folder.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) target.fail(errno, "faccessat", -1);
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) target.fail(EISDIR, "open", -1);
    refuse_special_file(path);
    if (overwrite == Overwrite::no && std::filesystem::exists(path, ignored)) target.fail(EEXIST, "open", -1);
}

void check_not_input(const std::filesystem::path& result, const std::filesystem::path& input) {
    std::error_code ignored;
    if (result != input && !std::filesystem::equivalent(result, input, ignored)) return;
    throw InputError({.id = 606,
                      .what = fmt::format("{} is read and would be written", printable(result.string())),
                      .why = "what is made from a file does not take its place",
                      .try_ = "another name for the result"});
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes, Overwrite overwrite,
                           std::string_view what, const FileSystem& system) {
    Target target = target_of(path, what, bytes.size());
    const Descriptor folder(system, open_folder(system, target.folder, target));
    refuse_special_file(path);
    std::error_code ignored;
    target.existed = std::filesystem::exists(path, ignored);

    const std::string temporary = temporary_name(target.name);
    Descriptor file(system, system.open(folder.get(), temporary.c_str(),
                                        O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (file.get() < 0) target.fail(errno, "open", system.free_bytes(folder.get()));
    const auto abandon = [&](const char* call) {
        const int error = errno;
        const std::int64_t free_bytes = system.free_bytes(folder.get());
        system.unlink(folder.get(), temporary.c_str());
        target.fail(error, call, free_bytes);
    };

    if (const char* call = fill(system, file, bytes)) abandon(call);
    if (overwrite == Overwrite::yes) {
        if (system.rename(folder.get(), temporary.c_str(), target.name.c_str()) != 0) abandon("rename");
    } else {
        if (system.link(folder.get(), temporary.c_str(), target.name.c_str()) != 0) abandon("link");
        if (system.unlink(folder.get(), temporary.c_str()) != 0) abandon("unlink");
    }
    // Some user-space file systems cannot sync a folder and say EINVAL.
    if (system.fsync(folder.get()) != 0 && errno != EINVAL)
        throw InputError({.id = 603,
                          .what = fmt::format("syncing the folder fails: {}", std::generic_category().message(errno)),
                          .at = printable(path.string()),
                          .why = fmt::format("the new {} is in place, but may not survive a power loss", what)});
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text, Overwrite overwrite,
                           std::string_view what, const FileSystem& system) {
    write_file_atomically(path, std::as_bytes(std::span(text)), overwrite, what, system);
}

int remove_abandoned_temporaries(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    int removed = 0;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const pid_t writer = writer_of(entry->path().filename().string());
        std::error_code unknown;
        if (writer <= 0 || !entry->is_regular_file(unknown)) continue;
        const bool is_dead = ::kill(writer, 0) != 0 && errno == ESRCH;
        const auto written = entry->last_write_time(unknown);
        const bool is_old = !unknown && fs::file_time_type::clock::now() - written > std::chrono::hours(24);
        if ((is_dead || is_old) && fs::remove(entry->path(), unknown)) ++removed;
    }
    return removed;
}

AppendFile::AppendFile(const std::filesystem::path& path, const FileSystem& system)
    : path_(path.string()),
      system_(system),
      file_(system_, system_.open(AT_FDCWD, path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
    const Target target = log_target(path, 0);
    if (file_.get() < 0 && (errno == ENOENT || errno == ENOTDIR))
        throw InputError({.id = 601, .what = "no such folder: " + printable(target.folder), .at = printable(path_)});
    if (file_.get() < 0) target.fail(errno, "open", -1);

    struct stat facts;
    if (system_.fstat(file_.get(), &facts) != 0) target.fail(errno, "fstat", -1);
    if (!S_ISREG(facts.st_mode)) return;  // a pipe has no last line to look at
    const off_t end = end_of_last_line(system_, file_.get(), facts.st_size);
    if (end < 0) target.fail(errno, "pread", -1);
    dropped_bytes_ = facts.st_size - end;
    if (dropped_bytes_ > 0 && system_.truncate(file_.get(), end) != 0) target.fail(errno, "truncate", -1);
}

void AppendFile::write_line(std::string_view line) {
    const std::string text = std::string(line) + '\n';
    struct stat before;
    const bool is_regular = system_.fstat(file_.get(), &before) == 0 && S_ISREG(before.st_mode);
    if (write_all(system_, file_.get(), std::as_bytes(std::span(text)))) return;
    const int error = errno;
    const std::int64_t free_bytes = system_.free_bytes(file_.get());
    if (is_regular) system_.truncate(file_.get(), before.st_size);
    log_target(path_, text.size()).fail(error, "write", free_bytes);
}

bool AppendFile::is_in_place() const {
    struct stat open, named;
    return system_.fstat(file_.get(), &open) == 0 && ::stat(path_.c_str(), &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

void AppendFile::sync() {
    if (system_.fsync(file_.get()) != 0) log_target(path_, 0).fail(errno, "fsync", -1);
}

}
