#include "tools/check/workers.h"

#include "engine/json.h"
#include "kernels/error.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

namespace bkd {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double seconds_to_open_a_device = 120;

// A frame on the way home: a letter for what it is, eight bytes of length, that many bytes.
enum Letter : char { ready = 'r', failed = 'f', done_job = 'd' };

bool write_all(int fd, const void* bytes, std::size_t count) {
    const char* at = static_cast<const char*>(bytes);
    while (count > 0) {
        const ssize_t n = ::send(fd, at, count, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        count -= static_cast<std::size_t>(n);
    }
    return true;
}

bool read_all(int fd, void* bytes, std::size_t count) {
    char* at = static_cast<char*>(bytes);
    while (count > 0) {
        const ssize_t n = ::read(fd, at, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        count -= static_cast<std::size_t>(n);
    }
    return true;
}

void send_frame(int fd, char letter, const std::string& text) {
    const std::uint64_t size = text.size();
    if (!write_all(fd, &letter, 1) || !write_all(fd, &size, sizeof size) || !write_all(fd, text.data(), text.size()))
        _exit(1);  // nobody listens
}

std::string text_of(const InputError& error) {
    const InputError::Parts& p = error.parts();
    return Json(Json::Object{{"id", p.id}, {"what", p.what}, {"at", p.at}, {"why", p.why}, {"try", p.try_}}).dump();
}

InputError error_of(const std::string& text) {
    const Json j = Json::parse(text, "a worker");
    return InputError({.id = static_cast<int>(j.at("id").integer()),
                       .what = j.at("what").text(),
                       .at = j.at("at").text(),
                       .why = j.at("why").text(),
                       .try_ = j.at("try").text()});
}

[[noreturn]] void be_a_worker(int home, const MakeWorker& make) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a job that hangs does not outlive the program
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
    std::function<std::string(std::size_t)> work;
    try {
        work = make();
        send_frame(home, ready, "");
        for (std::uint64_t job = 0; read_all(home, &job, sizeof job);) send_frame(home, done_job, work(job));
    } catch (const InputError& error) {
        send_frame(home, failed, text_of(error));
    } catch (const std::exception& error) {
        send_frame(home, failed, text_of(InputError({.id = 7001, .what = error.what()})));
    }
    _exit(0);  // neither destructors nor buffers of the process that forked
}

class Worker {
public:
    // `others`: descriptors of this process that are none of the worker's business.
    Worker(const MakeWorker& make, const std::vector<int>& others) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
            throw InputError({.id = 701, .what = fmt::format("no socket for a worker: {}", std::strerror(errno))});
        process_ = ::fork();
        if (process_ < 0)
            throw InputError({.id = 701, .what = fmt::format("no process for a worker: {}", std::strerror(errno))});
        if (process_ == 0) {
            for (const int fd : others) ::close(fd);
            ::close(ends[0]);
            be_a_worker(ends[1], make);
        }
        ::close(ends[1]);
        socket_ = ends[0];
        began_ = Clock::now();
    }
    Worker(const Worker&) = delete;
    ~Worker() {
        ::close(socket_);
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
    }

    int socket() const { return socket_; }
    bool is_ready() const { return is_ready_; }
    void set_ready() { is_ready_ = true; }
    std::optional<std::size_t> job() const { return job_; }
    double running_seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
    void give(std::size_t job) {
        job_ = job;
        began_ = Clock::now();
        const std::uint64_t number = job;
        write_all(socket_, &number, sizeof number);  // to a dead worker: its frames end, which is seen
    }
    void take_back() { job_.reset(); }
    // How it ended, once its frames have.
    std::string last_words() {
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = -1;
        if (WIFSIGNALED(status)) return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return fmt::format("the process ended with exit code {}", WEXITSTATUS(status));
    }

private:
    pid_t process_ = -1;
    int socket_ = -1;
    bool is_ready_ = false;
    std::optional<std::size_t> job_;
    Clock::time_point began_;
};

class Crew {
public:
    Crew(const WorkersOptions& options, const MakeWorker& make,
         const std::function<NextJob(std::size_t, const JobOutcome&)>& done)
        : options_(options), make_(make), done_(done) {}

    void run(const std::vector<std::size_t>& jobs) {
        waiting_.assign(jobs.rbegin(), jobs.rend());
        for (;;) {
            const auto wanted = std::min<std::size_t>(static_cast<std::size_t>(options_.processes),
                                                      waiting_.size() + static_cast<std::size_t>(busy()));
            while (workers_.size() < wanted) hire();
            if (busy() == 0 && waiting_.empty()) return;
            for (const auto& worker : workers_)
                if (worker->is_ready() && !worker->job() && !waiting_.empty()) {
                    worker->give(waiting_.back());
                    waiting_.pop_back();
                }
            listen();
        }
    }

private:
    std::ptrdiff_t busy() const {
        return std::ranges::count_if(workers_, [](const auto& w) { return w->job().has_value(); });
    }
    void hire() {
        std::vector<int> others;
        for (const auto& worker : workers_) others.push_back(worker->socket());
        workers_.push_back(std::make_unique<Worker>(make_, others));
    }
    double limit_of(const Worker& worker) const {
        if (!worker.is_ready()) return seconds_to_open_a_device;
        return worker.job() && options_.time_limit > 0 ? options_.time_limit : 1e9;
    }
    void listen() {
        std::vector<pollfd> polled;
        double soonest = 1e9;
        for (const auto& worker : workers_) {
            polled.push_back({worker->socket(), POLLIN, 0});
            soonest = std::min(soonest, limit_of(*worker) - worker->running_seconds());
        }
        ::poll(polled.data(), polled.size(), static_cast<int>(std::clamp(soonest * 1000 + 1, 0.0, 1e6)));
        for (std::size_t i = polled.size(); i-- > 0;) {
            Worker& worker = *workers_[i];
            bool stays = true;
            if (polled[i].revents != 0)
                stays = hear(worker);
            else if (worker.running_seconds() > limit_of(worker))
                stays = finish(worker, {JobOutcome::Kind::timed_out}) && false;
            if (!stays) workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    // False if the worker is to go.
    bool hear(Worker& worker) {
        char letter = 0;
        std::uint64_t size = 0;
        std::string text;
        bool is_whole = read_all(worker.socket(), &letter, 1) && read_all(worker.socket(), &size, sizeof size);
        if (is_whole) {
            text.resize(size);
            is_whole = read_all(worker.socket(), text.data(), size);
        }
        if (!is_whole) return finish(worker, {JobOutcome::Kind::crashed, worker.last_words()}) && false;
        if (letter == failed) throw error_of(text);
        if (letter == done_job) return finish(worker, {JobOutcome::Kind::done, text});
        worker.set_ready();
        return true;
    }
    bool finish(Worker& worker, const JobOutcome& outcome) {
        if (!worker.job()) throw InputError({.id = 802, .what = "a worker ended before it was ready: " + outcome.text});
        const std::size_t job = *worker.job();
        worker.take_back();
        const NextJob next = done_(job, outcome);
        if (next == NextJob::stop) waiting_.clear();
        return next == NextJob::go_on;
    }

    const WorkersOptions& options_;
    const MakeWorker& make_;
    const std::function<NextJob(std::size_t, const JobOutcome&)>& done_;
    std::vector<std::size_t> waiting_;  // the next one last
    std::vector<std::unique_ptr<Worker>> workers_;
};

}

void run_jobs(const std::vector<std::size_t>& jobs, const WorkersOptions& options, const MakeWorker& make,
              const std::function<NextJob(std::size_t job, const JobOutcome&)>& done) {
    std::fflush(nullptr);  // what is buffered here must not be written twice
    Crew(options, make, done).run(jobs);
}

}
