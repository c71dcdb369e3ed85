#include "tools/bench/timed_program.h"

#include "engine/file.h"
#include "kernels/error.h"
#include "tools/bench/times.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace bkd {
namespace {

[[noreturn]] void fail(const char* what) {
    throw InputError({.id = 701,
                      .what = fmt::format("{}: {}", what, std::strerror(errno)),
                      .why = "the system gives this process no more",
                      .try_ = "fewer programs at once"});
}

struct Pipe {
    Pipe() {
        if (::pipe2(ends, O_CLOEXEC) != 0) fail("no pipe for a program");
    }
    ~Pipe() {
        shut(0);
        shut(1);
    }
    Pipe(const Pipe&) = delete;
    void shut(int end) {
        if (ends[end] >= 0) ::close(ends[end]);
        ends[end] = -1;
    }
    int ends[2];
};

// In the child: only what may be called between fork and exec.
[[noreturn]] void become(char* const* command, char* const* environment, int out, int err) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // it does not outlive the program
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(number, SIG_DFL);
    ::execvpe(command[0], command, environment);
    _exit(127);
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    return pointers;
}

// True as long as the other end is open.
bool read_some(int fd, std::string& to) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) to.append(buffer.data(), static_cast<std::size_t>(n));
    return n > 0 || (n < 0 && errno == EINTR);
}

}

TimedProgram run_timed(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                       const TimeLimits& limits) {
    std::vector<char*> words = pointers_to(command), variables = pointers_to(environment);
    words.push_back(nullptr);
    for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
    variables.push_back(nullptr);
    Pipe out, err;
    TimedProgram result;
    const double began = now_ms();
    const pid_t process = ::fork();
    if (process < 0) fail("no process for a program");
    if (process == 0) become(words.data(), variables.data(), out.ends[1], err.ends[1]);
    out.shut(1);
    err.shut(1);
    // The process itself, beside its output, which what it has started may hold open. -1 before Linux 5.3: the output.
    const FileSystem system;
    const Descriptor end(system, static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
    std::array<pollfd, 3> watched{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}, {end.get(), POLLIN, 0}}};
    while (watched[0].fd >= 0 || watched[1].fd >= 0) {
        const double left_ms = limits.seconds > 0 ? began + 1000 * limits.seconds - now_ms() : INT_MAX;
        if (left_ms <= 0) result.cut = fmt::format("{:g} s", limits.seconds);
        if (limits.bytes > 0 && std::max(result.out.size(), result.err.size()) > limits.bytes)
            result.cut = fmt::format("{} MiB of output", limits.bytes >> 20);
        if (!result.cut.empty()) {
            ::kill(process, SIGKILL);
            break;
        }
        const auto wait_ms = static_cast<int>(std::ceil(std::min<double>(left_ms, INT_MAX)));
        if (::poll(watched.data(), watched.size(), wait_ms) < 0) {
            if (errno == EINTR) continue;
            fail("a program's output cannot be read");
        }
        for (std::size_t i = 0; i < 2; ++i) {
            if (watched[i].fd < 0 || watched[i].revents == 0) continue;
            if (!read_some(watched[i].fd, i == 0 ? result.out : result.err)) watched[i].fd = -1;
            if (i == 0 && result.first_byte_ms == 0 && !result.out.empty()) result.first_byte_ms = now_ms() - began;
        }
        if (watched[2].revents != 0 && watched[0].revents == 0 && watched[1].revents == 0) break;  // all is read
    }
    int status = 0;
    rusage used{};
    while (::wait4(process, &status, 0, &used) < 0)
        if (errno != EINTR) fail("a program's end cannot be waited for");
    result.total_ms = now_ms() - began;
    result.peak_mib = static_cast<double>(used.ru_maxrss) / 1024;
    result.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return result;
}

}
