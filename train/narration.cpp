#include "train/narrator.h"

#include <fmt/format.h>

namespace bkd {

std::string duration_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(seconds + 0.5);
    if (whole < 100) return fmt::format("{}s", whole);
    if (whole < 6000) return fmt::format("{}m", (whole + 30) / 60);
    return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

std::string shots_text(const Metrics& metrics) {
    const auto text = [&](Shot shot) {
        const std::optional<double> value = metrics.shot(shot);
        return value ? fmt::format("{:.1f}", *value) : std::string("-");
    };
    return fmt::format("many {} med {} few {}", text(Shot::many), text(Shot::medium), text(Shot::few));
}

std::string stage_line(StageRun& run, std::size_t index, std::size_t stages, const std::string& method) {
    const Network& network = run.context().network();
    return fmt::format("stage {}/{} {} {}  {}  {} parameters  {} epochs x {} steps", index + 1, stages,
                       run.stage().name, method, network.options().name, network.parameters().count(), run.epochs(),
                       run.steps_per_epoch());
}

std::string epoch_line(const EpochReport& r, double seconds_left) {
    std::string text = fmt::format("  epoch {:>3}/{}  loss {:.3f}", r.epoch, r.epochs, r.loss);
    if (r.metrics) text += fmt::format("  top1 {:.2f}  {}", r.metrics->top1, shots_text(*r.metrics));
    text += fmt::format("  lr {:.6g}  {:.1f} s  {:.0f} img/s", r.learning_rate, r.seconds,
                        static_cast<double>(r.images) / std::max(r.seconds, 1e-9));
    // A share that a user could do something about.
    if (const double share = 100 * r.waited_seconds / std::max(r.seconds, 1e-9); share >= 1)
        text += fmt::format("  {:.0f} % waiting for data", share);
    if (r.skipped > 0) text += fmt::format("  skipped {}", r.skipped);
    return r.epoch < r.epochs ? text + "  eta " + duration_text(seconds_left) : text;
}

std::string result_line(const Metrics& last, const std::optional<BestEpoch>& best, const std::string& split) {
    std::string text = fmt::format("  last epoch: top1 {:.2f}", last.top1);
    if (last.top5) text += fmt::format("  top5 {:.2f}", *last.top5);
    text += fmt::format("  balanced {:.2f}  {}", last.balanced, shots_text(last));
    if (best) text += fmt::format("   (best, chosen on {}: {:.2f} in epoch {})", split, best->value, best->epoch);
    return text;
}

std::string progress_line(const ProgressState& s) {
    return fmt::format("  {} epoch {}/{}  step {}/{}  {:.0f} img/s  eta {}", s.stage, s.epoch, s.epochs, s.step,
                       s.steps, s.images_per_second, duration_text(s.seconds_left));
}

void PlainNarrator::progress(const ProgressState& state) {
    const auto now = std::chrono::steady_clock::now();
    if (seconds_ <= 0 || std::chrono::duration<double>(now - last_).count() < seconds_) return;
    last_ = now;
    write_(progress_line(state));
}

}
