#pragma once
// Narrator: where a run says how it goes. What the lines say is decided here (narration.cpp); how they look, a bar on a
// terminal or plain lines, is the narrator's.
#include "train/stage_run.h"

#include <string>
#include <string_view>

namespace bkd {

// Within an epoch.
struct ProgressState {
    std::string stage;
    std::int64_t epoch = 0, epochs = 0;  // from 1
    std::int64_t step = 0, steps = 0;    // of the epoch, done
    double images_per_second = 0;
    double seconds_left = 0;  // of the stage
};

class Narrator {
public:
    virtual ~Narrator() = default;
    virtual void line(std::string_view text) = 0;  // to be kept
    virtual void warning(std::string_view text) = 0;
    virtual void progress(const ProgressState&) {}  // after every step; shown as often as the narrator likes
};

// Lines as they are; a warning has "warning: " in front. Progress is a line every so many seconds, 0: never.
class PlainNarrator final : public Narrator {
public:
    using Write = std::function<void(std::string_view line)>;
    explicit PlainNarrator(Write write, double seconds = 30) : write_(std::move(write)), seconds_(seconds) {}
    void line(std::string_view text) override { write_(text); }
    void warning(std::string_view text) override { write_("warning: " + std::string(text)); }
    void progress(const ProgressState& state) override;

private:
    Write write_;
    double seconds_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// "stage 1/2 teacher ce      resnet32  470004 parameters   200 epochs x 85 steps"
std::string stage_line(StageRun& run, std::size_t index, std::size_t stages, const std::string& method);
// "  epoch  12/200  loss 2.913  top1 24.91  many 47.2 med 20.1 few 1.3  lr 0.1  9.8 s  1107 img/s  eta 30m"
std::string epoch_line(const EpochReport& report, double seconds_left);
// "  last: top1 80.1  ...   best (chosen on test): 81.0 in epoch 9"
std::string result_line(const Metrics& last, const std::optional<BestEpoch>& best, const std::string& split);
std::string progress_line(const ProgressState& state);
std::string duration_text(double seconds);       // "45s", "30m", "2h05m"
std::string shots_text(const Metrics& metrics);  // "many 47.2 med 20.1 few -"

}
