#include "tools/signals.h"

#include <csignal>
#include <cstdio>

namespace bkd {
namespace {

// A handler reaches nothing but what is static.
volatile std::sig_atomic_t seen = 0;

struct Watched {
    int number;
    const char* name;
};
constexpr Watched watched[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

extern "C" void remember_signal(int number) {
    if (seen == 0) {
        seen = number;
        return;
    }
    std::signal(number, SIG_DFL);
    std::raise(number);  // delivered when this handler returns
}

}

void watch_stop_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    for (const Watched& signal : watched) {
        struct sigaction now {};
        if (sigaction(signal.number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) continue;
        struct sigaction action {};
        action.sa_handler = remember_signal;
        action.sa_flags = SA_RESTART;
        sigaction(signal.number, &action, nullptr);
    }
}

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
