#include "tools/signals.h"

#include <time.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>

namespace bkd {
namespace {

// A handler reaches nothing but what is static.
std::atomic<int> seen = 0;
std::atomic<std::int64_t> seen_at = 0;  // nanoseconds of the monotonic clock; 0: no signal yet
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

std::atomic<bool> wants_checkpoint = false;
static_assert(std::atomic<bool>::is_always_lock_free);

constexpr std::int64_t together = 1'000'000'000;  // signals of different kinds within a second are one wish

struct Watched {
    int number;
    const char* name;
};
constexpr Watched watched[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

extern "C" void remember_signal(int number) {
    struct timespec time {};
    clock_gettime(CLOCK_MONOTONIC, &time);
    const std::int64_t now = std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    std::int64_t first = 0;
    if (seen_at.compare_exchange_strong(first, now)) {
        seen = number;
        return;
    }
    if (seen != number && now - first < together) return;
    std::signal(number, SIG_DFL);
    std::raise(number);  // delivered when this handler returns
}

extern "C" void remember_wish(int) { wants_checkpoint = true; }

void watch(int number, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, nullptr);
}

}

void watch_stop_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    watch(SIGUSR1, remember_wish);
    for (const Watched& signal : watched) {
        struct sigaction now {};
        if (sigaction(signal.number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) continue;
        watch(signal.number, remember_signal);
    }
}

bool takes_checkpoint_wish() { return wants_checkpoint.exchange(false); }

const char* stop_signal() {
    const int number = seen;
    for (const Watched& signal : watched)
        if (signal.number == number) return signal.name;
    return nullptr;
}

void end_by_stop_signal() {
    const int number = seen;
    if (number == 0) return;
    std::fflush(nullptr);
    std::signal(number, SIG_DFL);
    std::raise(number);
}

}
