#include "tools/bench/step_bench.h"

#include "engine/ops/loss.h"
#include "engine/optimizer/sgd.h"
#include "models/network.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>

namespace bkd {
namespace {

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

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

// One batch of random images with everything a step needs, made once.
class TrainingStep {
public:
    explicit TrainingStep(const StepBenchOptions& o)
        : options_(o),
          runtime(o.device, o.backend, o.dtype),
          setup_(runtime),
          network_(make_network(network_options())),
          teacher_(make_network(network_options())) {
        network_->parameters().materialise(setup_, 1, "student");
        teacher_->parameters().materialise(setup_, 1, "teacher");
        std::vector<std::uint8_t> pixels(static_cast<std::size_t>(o.batch * o.size * o.size * o.channels));
        for (std::size_t i = 0; i < pixels.size(); ++i)
            pixels[i] = static_cast<std::uint8_t>(philox_draw({1, 2}, i)[0]);
        std::vector<std::int32_t> index, labels;
        for (std::int64_t i = 0; i < o.batch; ++i) {
            index.push_back(static_cast<std::int32_t>(i));
            labels.push_back(static_cast<std::int32_t>(i % o.classes));
        }
        images_ = setup_.upload({o.batch, o.size, o.size, o.channels}, std::span<const std::uint8_t>(pixels));
        index_ = setup_.upload({o.batch}, std::span<const std::int32_t>(index));
        labels_ = setup_.upload({o.batch}, std::span<const std::int32_t>(labels));
        mean_ = setup_.full({o.channels}, 0.5);
        deviation_ = setup_.full({o.channels}, 0.25);
        learning_rate_ = setup_.full({1}, 0.1);
        log_omega_ = setup_.full({o.classes}, -0.5);
        sgd_.emplace(setup_, network_->parameters(), SgdOptions{.momentum = 0.9, .weight_decay = 2e-4});
    }

    std::unique_ptr<Recording> record() {
        runtime.stream->begin_recording();
        try {
            run();
            return runtime.stream->end_recording();
        } catch (...) {
            runtime.stream->abandon_recording();
            throw;
        }
    }

    // The loss stays on the device.
    Tensor run() {
        Context ctx(runtime, &tape_, /*training=*/true);
        network_->parameters().begin_step();
        Tensor x = ctx.empty({options_.batch, options_.size, options_.size, options_.channels}, ctx.storage());
        ctx.image().load_images({.images = images_, .index = index_, .mean = mean_, .std = deviation_, .y = x});
        Context still = ctx.inference();
        const Tensor teacher_logits = options_.distils ? (*teacher_)(still, x) : Tensor();
        const Tensor logits = (*network_)(ctx, x);
        const TargetTensors targets{.labels = labels_};
        const Tensor loss = options_.distils
                                ? distillation(ctx, logits, teacher_logits, targets, {.log_omega = log_omega_}).loss
                                : cross_entropy(ctx, logits, targets);
        tape_.backward(still, loss);
        network_->parameters().complete_gradients(still);
        sgd_->step(still, learning_rate_);
        return loss;
    }

private:
    NetworkOptions network_options() const {
        return {.name = options_.network, .classes = options_.classes, .channels = options_.channels};
    }
    StepBenchOptions options_;

public:
    Runtime runtime;

private:
    Context setup_;
    std::unique_ptr<Network> network_, teacher_;
    std::optional<Sgd> sgd_;
    Tape tape_;
    Tensor images_, index_, labels_, mean_, deviation_, learning_rate_, log_omega_;
};

// Milliseconds a step, of the fastest of three rounds.
template <class Run>
double queued_ms(TrainingStep& step, std::int64_t steps, const Run& run) {
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < 3; ++round) {
        step.runtime.stream->synchronize();
        const double began = now_ms();
        for (std::int64_t i = 0; i < steps; ++i) run();
        step.runtime.stream->synchronize();
        best = std::min(best, (now_ms() - began) / static_cast<double>(steps));
    }
    return best;
}

}

StepBench bench_step(const StepBenchOptions& options) {
    TrainingStep step(options);
    const Context ctx(step.runtime);
    const PoolStatistics& pool = step.runtime.backend->pool().statistics();
    StepBench result;
    result.description = step.runtime.backend->description();
    for (std::int64_t i = 0; i < std::max<std::int64_t>(options.warmup, 2); ++i)
        result.losses.push_back(ctx.item(step.run()));
    const std::int64_t requests = pool.system_requests;
    std::vector<double> times;
    for (std::int64_t i = 0; i < options.steps; ++i) {
        const double began = now_ms();
        step.run();
        step.runtime.stream->synchronize();
        times.push_back(now_ms() - began);
    }
    result.steady_requests = pool.system_requests - requests;
    result.queued_ms = queued_ms(step, options.steps, [&] { step.run(); });
    if (step.runtime.stream->can_record()) {
        const std::unique_ptr<Recording> recording = step.record();
        recording->replay();
        result.replayed_ms = queued_ms(step, options.steps, [&] { recording->replay(); });
        result.after_replay_loss = ctx.item(step.run());
    }
    std::sort(times.begin(), times.end());
    result.min_ms = times.front();
    result.quartile_ms = times[times.size() / 4];
    result.median_ms = times[times.size() / 2];
    {
        OpTimer timer(*step.runtime.stream);
        for (std::int64_t i = 0; i < options.steps; ++i) step.run();
        result.ops = timer.shares(options.steps);
    }
    result.pool_bytes = pool.peak_bytes;
    return result;
}

}
