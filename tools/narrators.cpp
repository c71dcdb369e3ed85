#include "tools/narrators.h"

#include "tools/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace bkd {
namespace {

// What cannot be written (the terminal is gone, the reader has left) is lost: the run's files are the record.
void write(const std::string& text) {
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
}

void write_line(std::string_view text) { write(fmt::format("{}\n", text)); }

// One line that is drawn over at most ten times a second; lines to be kept push it down.
class BarNarrator final : public Narrator {
public:
    ~BarNarrator() override { clear(); }
    void line(std::string_view text) override {
        clear();
        write_line(text);
    }
    void warning(std::string_view text) override { line(fmt::format("warning: {}", text)); }
    void progress(const ProgressState& state) override {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(100) && state.step != state.steps) return;
        last_ = now;
        const Terminal terminal;
        const std::string text = progress_line(state);
        const int room = std::max(0, std::min(40, terminal.columns - static_cast<int>(text.size()) - 4));
        const int full = state.steps > 0 ? static_cast<int>(room * state.step / state.steps) : 0;
        std::string bar;
        for (int i = 0; i < room; ++i)
            bar += i < full ? (terminal.utf8 ? "\u2588" : "#") : (terminal.utf8 ? "\u2591" : ".");
        write(fmt::format("\r{} {}\033[K", bar,
                          text.substr(0, static_cast<std::size_t>(std::max(terminal.columns - room - 2, 0)))));
        is_drawn_ = true;
    }

private:
    void clear() {
        if (is_drawn_) write("\r\033[K");
        is_drawn_ = false;
    }
    bool is_drawn_ = false;
    std::chrono::steady_clock::time_point last_{};
};

}

std::unique_ptr<Narrator> make_narrator(const std::string& progress) {
    if (progress == "bar" || (progress == "auto" && Terminal().is_terminal)) return std::make_unique<BarNarrator>();
    return std::make_unique<PlainNarrator>(write_line, progress == "none" ? 0 : 30);
}

}
