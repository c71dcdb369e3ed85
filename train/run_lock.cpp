#include "train/run_lock.h"

#include <fmt/chrono.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace bkd {
namespace {

constexpr std::int64_t seconds_until_stale = 60;
constexpr std::int64_t longest_line = 1024;

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// In clock ticks since boot, which with the id tells a process from a later one of the same id; 0: no such process, or
// one that has ended and waits for its parent to hear of it.
std::uint64_t start_ticks(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    const std::size_t end_of_name = stat.rfind(')');  // the name may hold anything
    if (end_of_name == std::string::npos) return 0;
    std::istringstream fields(stat.substr(end_of_name + 1));
    std::string state, skipped;
    fields >> state;
    if (state == "Z" || state == "X") return 0;
    for (int field = 4; field < 22; ++field) fields >> skipped;
    std::uint64_t ticks = 0;
    fields >> ticks;
    return ticks;
}

struct Holder {
    std::string host{"-"};
    pid_t pid = 0;
    std::uint64_t ticks = 0;
    std::string boot{"-"};
    std::int64_t heartbeat = 0, since = 0;

    std::string name() const { return fmt::format("process {} on {}", pid, printable(host)); }
    // Of this machine, or of a container on it.
    bool is_local(const Holder& self) const { return host == self.host || boot == self.boot; }
    bool is_alive(const Holder& self) const { return boot == self.boot && ticks != 0 && start_ticks(pid) == ticks; }
};

Holder this_process() {
    Holder self;
    self.host = host_name();
    self.pid = ::getpid();
    self.ticks = start_ticks(self.pid);
    std::ifstream("/proc/sys/kernel/random/boot_id") >> self.boot;
    return self;
}

std::optional<Holder> parse(const std::string& line) {
    Holder holder;
    std::istringstream fields(line);
    fields >> holder.host >> holder.pid >> holder.ticks >> holder.boot >> holder.heartbeat >> holder.since;
    if (!fields) return std::nullopt;
    return holder;
}

std::string clock_text(std::int64_t seconds) {
    const bool is_recent = now() - seconds < 24 * 3600;
    const std::tm time = fmt::gmtime(static_cast<std::time_t>(seconds));
    return is_recent ? fmt::format("{:%H:%M} UTC", time) : fmt::format("{:%Y-%m-%d %H:%M} UTC", time);
}

[[noreturn]] void refuse(const std::string& folder, const std::optional<Holder>& holder) {
    InputError::Parts parts{.id = 1002, .what = fmt::format("run {} is in use", printable(folder))};
    if (holder)
        parts.what += fmt::format(" by {} since {} (heartbeat {} s ago)", holder->name(), clock_text(holder->since),
                                  std::max<std::int64_t>(0, now() - holder->heartbeat));
    parts.try_ = fmt::format("wait, or stop that process; a stale lock is taken over after {} s without heartbeat",
                             seconds_until_stale);
    throw InputError(std::move(parts));
}

}

std::string host_name() {
    std::array<char, 256> host{};
    return ::gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0' ? std::string(host.data()) : "-";
}

std::optional<LockHolder> lock_holder(const std::filesystem::path& folder) {
    std::string line(longest_line, '\0');
    std::ifstream file(folder / "lock");
    file.read(line.data(), longest_line);
    line.resize(static_cast<std::size_t>(file.gcount()));
    const std::optional<Holder> holder = parse(line);
    if (!holder) return std::nullopt;
    const Holder self = this_process();
    // A container on this machine has its own name, and numbers of processes that mean nothing here.
    return LockHolder{holder->name(), holder->host == self.host && !holder->is_alive(self)};
}

RunLock::RunLock(const std::filesystem::path& folder, const FileSystem& system)
    : folder_(folder.string()),
      system_(system),
      file_(system_, system_.open(AT_FDCWD, (folder / "lock").c_str(),
                                  O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666)),
      since_(now()) {
    if (file_.get() < 0)
        throw InputError({.id = errno == EACCES || errno == EROFS ? 605 : 603,
                          .what = fmt::format("cannot open lock: {}", std::generic_category().message(errno)),
                          .at = printable((folder / "lock").string())});
    const bool is_locked = ::flock(file_.get(), LOCK_EX | LOCK_NB) == 0;
    const bool has_flock = is_locked || errno == EWOULDBLOCK;  // some network file systems have none
    const std::optional<Holder> holder = parse(text());
    if (has_flock && !is_locked) refuse(folder_, holder);
    if (holder) {
        const Holder self = this_process();
        const bool is_held = holder->is_local(self) ? !has_flock && holder->is_alive(self)
                                                    : now() - holder->heartbeat <= seconds_until_stale;
        if (is_held) refuse(folder_, holder);
        taken_from_ = holder->name();
    }
    write(since_);
}

RunLock::~RunLock() {
    if (!is_lost_) system_.truncate(file_.get(), 0);
}

std::string RunLock::text() const {
    std::string line(longest_line, '\0');
    const ssize_t got = system_.pread(file_.get(), line.data(), line.size(), 0);
    line.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return line;
}

// A file system that does not answer is no sign of a removed lock.
bool RunLock::is_in_place() const {
    struct stat held {};
    struct stat named {};
    const std::string path = (std::filesystem::path(folder_) / "lock").string();
    if (::lstat(path.c_str(), &named) != 0) return errno != ENOENT && errno != ENOTDIR;
    return ::fstat(file_.get(), &held) != 0 || (held.st_dev == named.st_dev && held.st_ino == named.st_ino);
}

void RunLock::write(std::int64_t heartbeat) {
    const Holder self = this_process();
    line_ = fmt::format("{} {} {} {} {} {}\n", self.host, self.pid, self.ticks, self.boot, heartbeat, since_);
    written_ = std::chrono::steady_clock::now();
    // The file is opened for appending: after the cut the line is its first.
    if (system_.truncate(file_.get(), 0) != 0 || !write_all(system_, file_.get(), std::as_bytes(std::span(line_))))
        throw InputError({.id = errno == ENOSPC || errno == EDQUOT ? 602 : 603,
                          .what = fmt::format("writing lock fails: {}", std::generic_category().message(errno)),
                          .at = printable(folder_)});
}

void RunLock::keep(std::chrono::seconds every) {
    if (!is_in_place())
        throw InputError(
            {.id = 1003,
             .what = fmt::format("the lock of run {} was removed or replaced", printable(folder_)),
             .at = printable((std::filesystem::path(folder_) / "lock").string()),
             .why = "without it another process may write to the same run",
             .try_ = fmt::format("bkd train --resume {}, once no other process works on the run", printable(folder_))});
    if (!is_lost_ && std::chrono::steady_clock::now() - written_ < every) return;
    const std::string there = text();
    is_lost_ = is_lost_ || there != line_;
    if (!is_lost_) return write(now());
    const std::optional<Holder> holder = parse(there);
    throw InputError({.id = 1003,
                      .what = fmt::format("run {} was taken over by {}", printable(folder_),
                                          holder ? holder->name() : std::string("another process")),
                      .why = "this process gave no sign of life for a minute: it was stopped, or cut off",
                      .try_ = "let the other process go on"});
}

}
