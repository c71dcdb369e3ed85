#include "tools/bench/step_bench.h"

#include "tools/bench/times.h"

#include <algorithm>
#include <limits>
#include <map>

namespace bkd {
namespace {

class OpTimer final : public LaunchObserver {
public:
    explicit OpTimer(Stream& stream) : stream_(stream) { stream.observer = this; }
    ~OpTimer() override { stream_.observer = nullptr; }
    void before(const Launch&) override {
        stream_.synchronize();
        began_ = now_ms();
    }
    void after(const Launch& launch) override {
        stream_.synchronize();
        OpShare& share = shares_[launch.op];
        share.op = launch.op;
        ++share.calls;
        share.milliseconds += now_ms() - began_;
        share.flops += launch.flops;
        share.bytes += static_cast<double>(launch.bytes_read + launch.bytes_written);
    }
    std::vector<OpShare> shares(std::int64_t steps) const {
        std::vector<OpShare> all;
        const auto n = static_cast<double>(steps);
        for (const auto& [op, share] : shares_)
            all.push_back({op, share.calls / steps, share.milliseconds / n, share.flops / n, share.bytes / n});
        std::sort(all.begin(), all.end(),
                  [](const OpShare& a, const OpShare& b) { return a.milliseconds > b.milliseconds; });
        return all;
    }

private:
    Stream& stream_;
    double began_ = 0;
    std::map<std::string, OpShare> shares_;
};

// Milliseconds a step, of the fastest of three rounds.
template <class Run>
double queued_ms(TrainingStep& step, std::int64_t steps, const Run& run) {
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < 3; ++round) {
        step.runtime().stream->synchronize();
        const double began = now_ms();
        for (std::int64_t i = 0; i < steps; ++i) run();
        step.runtime().stream->synchronize();
        best = std::min(best, (now_ms() - began) / static_cast<double>(steps));
    }
    return best;
}

}

StepBench bench_step(const StepBenchOptions& options) {
    TrainingStep step(options);
    const Context ctx(step.runtime());
    const PoolStatistics& pool = step.runtime().backend->pool().statistics();
    StepBench result;
    result.description = step.runtime().backend->description();
    for (std::int64_t i = 0; i < std::max<std::int64_t>(options.warmup, 2); ++i)
        result.losses.push_back(ctx.item(step.run()));
    const std::int64_t requests = pool.system_requests;
    Times times;
    for (std::int64_t i = 0; i < options.steps; ++i)
        times.add([&] {
            step.run();
            step.runtime().stream->synchronize();
        });
    result.steady_requests = pool.system_requests - requests;
    result.queued_ms = queued_ms(step, options.steps, [&] { step.run(); });
    if (step.runtime().stream->can_record()) {
        const std::unique_ptr<Recording> recording = step.record();
        recording->replay();
        result.replayed_ms = queued_ms(step, options.steps, [&] { recording->replay(); });
        result.after_replay_loss = ctx.item(step.run());
    }
    result.min_ms = times.least();
    result.quartile_ms = times.quartile();
    result.median_ms = times.median();
    {
        OpTimer timer(*step.runtime().stream);
        for (std::int64_t i = 0; i < options.steps; ++i) step.run();
        result.ops = timer.shares(options.steps);
    }
    result.pool_bytes = pool.peak_bytes;
    return result;
}

}
