#pragma once
// RunLock: one process at a time writes to a run's folder. Its file "lock" is held by flock(2) while the process runs,
// and holds one line, "host pid start-ticks boot-id heartbeat since", the last two in seconds since 1970. flock ends
// with its process, however that ends; the heartbeat is for network file systems on which it does not reach other
// machines.
#include "engine/file.h"

#include <chrono>
#include <optional>

namespace bkd {

std::string host_name();  // of this machine; "-" where it has none

// The process that a run's lock names: at work, or it did not live to empty the lock.
struct LockHolder {
    std::string name{};    // "process 41233 on node7"
    bool is_gone = false;  // known of processes of this machine alone
};
// Without taking the lock; none where the last process emptied it, or there is none to read.
std::optional<LockHolder> lock_holder(const std::filesystem::path& folder);

class RunLock {
public:
    // InputError E1002, with who holds it, if another process works on the run. Taken over are the lock of a process
    // of this machine that is gone, and that of another machine after 60 s without a heartbeat.
    RunLock(const std::filesystem::path& folder, const FileSystem& system);
    ~RunLock();  // empties the file
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;

    // "process 41233 on node7", whose lock was left behind; empty if there was none.
    const std::string& taken_from() const { return taken_from_; }
    // To be called before every write and after every step: renews a heartbeat that is so old. E1003 if another process
    // has taken the run over meanwhile (this one was stopped, or cut off from the file system), and at once if the file
    // was removed or replaced: another process can then lock the new one.
    void keep(std::chrono::seconds every = std::chrono::seconds(10));

private:
    std::string text() const;
    bool is_in_place() const;  // the path still names the file that this object holds
    void write(std::int64_t heartbeat);

    std::string folder_;
    FileSystem system_;
    Descriptor file_;
    std::int64_t since_ = 0;
    std::string line_{}, taken_from_{};
    std::chrono::steady_clock::time_point written_{};
    bool is_lost_ = false;
};

}
