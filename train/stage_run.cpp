#include "train/stage_run.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}

StageRun::StageRun(const Training& training, const Stage& stage, Method& method, const FindResult& find)
    : training_(training),
      method_(method),
      context_(training, stage, find),
      runtime_(training.runtime),
      training_ctx_(runtime_, &tape_, true),
      plain_ctx_(runtime_),
      optimizer_(plain_ctx_, context_.network().parameters(), stage.optimizer.value_or(SgdOptions{})),
      schedule_(stage.schedule.value_or(Schedule{})) {
    steps_per_epoch_ = context_.feed().batches_per_epoch();
    const std::int64_t epochs = stage.epochs.value_or(1);
    total_steps_ = epochs * steps_per_epoch_;
    if (stage.steps > 0) total_steps_ = std::min(total_steps_, stage.steps);
    epochs_ = (total_steps_ + steps_per_epoch_ - 1) / steps_per_epoch_;
    schedule_.epochs = static_cast<double>(epochs);
    schedule_.steps_per_epoch = steps_per_epoch_;
    learning_rate_memory_ = plain_ctx_.full({1}, 0);
    position_ = plain_ctx_.upload({3}, std::vector<std::int32_t>{0, 0, 0});
    fault_ = plain_ctx_.upload({1}, std::vector<std::int32_t>{0});
    training_ctx_.randomness = {philox_key(training.seed, stage.name + "/dropout"),
                                runtime_.tensors.slice(position_, 0, {2})};
    const std::int64_t kept = std::clamp<std::int64_t>(steps_per_epoch_, 1, training.log_every);
    losses_ = plain_ctx_.full({kept}, 0);
    loss_images_.reserve(static_cast<std::size_t>(kept));
    if (training.skips_nonfinite) find_moved_by_forward();
}

// Running statistics, and those of companions that have their own.
std::vector<Tensor> StageRun::moved_buffers() {
    std::vector<Tensor> buffers;
    const auto add = [&](const Parameters& parameters) {
        for (const Parameter& p : parameters.all())
            if (p.is_buffer && !p.frozen) buffers.push_back(p.value);
    };
    add(context_.network().parameters());
    for (OpenCompanion& companion : context_.companions()) add(companion.network().parameters());
    return buffers;
}

// And states, which a loss may write.
void StageRun::find_moved_by_forward() {
    const auto add = [&](const Tensor& memory) {
        moved_by_forward_.push_back({memory, plain_ctx_.empty(memory.shape(), memory.dtype())});
    };
    for (const Tensor& buffer : moved_buffers()) add(buffer);
    for (const StageContext::OpenState& state : context_.states()) add(state.memory);
}

void StageRun::begin_epoch() {
    context_.epoch = epochs_done_;
    recorded_.reset();  // between epochs a method may have changed what its loss is
    epoch_end_ = std::min((epochs_done_ + 1) * steps_per_epoch_, total_steps_);
    if (!is_within_epoch()) loss_sum_ = 0, images_ = 0;
    epoch_start_ = last_report_ = Clock::now();
    images_since_report_ = 0, waited_ = waited_in_epoch_ = {};
}

std::optional<StepReport> StageRun::step() {
    next_numbers();
    const Progress at{epochs_done_, done_ - epochs_done_ * steps_per_epoch_, done_,
                      static_cast<double>(done_) / static_cast<double>(total_steps_)};
    Step step(context_, training_ctx_, at);
    if (const Tensor loss = run(step)) {
        ++context_.network().parameters().batches_tracked;
        method_.after_step(step);
        loss_images_.push_back(context_.feed().size());
    }
    ++done_;
    images_since_report_ += context_.feed().size();
    if (done_ % training_.log_every == 0) return read_back(step);
    if (is_epoch_done()) check_losses();
    return std::nullopt;
}

// The first step of a stage is computed, which makes the library's plans and tells what the loss asks of its feeds; so
// is a smaller last batch.
bool StageRun::may_record() const {
    return training_.replays_steps && runtime_.stream->can_record() && sizes_ == computed_sizes_ && !reads_progress_ &&
           !training_.skips_nonfinite;
}

// The loss, when all that a step moves has been queued to move; empty if the step was left out.
Tensor StageRun::run(Step& step) {
    sizes_.clear();
    for (const FeedSource& feed : context_.feeds()) sizes_.push_back(feed.size());
    if (recorded_ && recorded_->sizes == sizes_) {
        recorded_->recording->replay();
        step.set_notes(recorded_->notes);
        return recorded_->loss;
    }
    if (may_record()) return record(step);
    const Tensor loss = compute(step);
    reads_progress_ = reads_progress_ || step.reads_progress();
    if (computed_sizes_ < sizes_) computed_sizes_ = sizes_;
    return loss;
}

Tensor StageRun::record(Step& step) {
    Stream& stream = *runtime_.stream;
    stream.begin_recording();
    try {
        const Tensor loss = compute(step);
        recorded_.emplace(Recorded{stream.end_recording(), sizes_, loss, step.notes()});
    } catch (...) {
        stream.abandon_recording();
        throw;
    }
    recorded_->recording->replay();
    return recorded_->loss;
}

Tensor StageRun::compute(Step& step) {
    runtime_.stream->enter("forward");
    context_.network().parameters().begin_step();
    for (const Moved& moved : moved_by_forward_) plain_ctx_.elementwise().scale({.x = moved.memory, .y = moved.before});
    Tensor loss = method_.loss(step);
    BKD_CHECK(loss.count() == 1, "the loss {} of stage {} is not a single number", loss.shape().str(), stage().name);
    update(loss);
    if (is_left_out()) return {};
    for (const OpenCompanion& companion : context_.companions()) companion.follow(plain_ctx_);
    return loss;
}

// Batches, learning rate and position: all that makes this step another one than the last, written into the same
// memory.
void StageRun::next_numbers() {
    const Clock::time_point start = Clock::now();
    for (FeedSource& feed : context_.feeds()) feed.next(plain_ctx_);
    const Clock::duration waited = Clock::now() - start;
    waited_ += waited, waited_in_epoch_ += waited;
    learning_rate_ = schedule_.at(epochs_done_ + stage().index_base, done_);
    const auto rate = static_cast<float>(learning_rate_);
    plain_ctx_.assign(learning_rate_memory_, std::span<const float>(&rate, 1));
    const std::array<std::int32_t, 3> position = {static_cast<std::int32_t>(epochs_done_),
                                                  static_cast<std::int32_t>(done_ - epochs_done_ * steps_per_epoch_),
                                                  static_cast<std::int32_t>(loss_images_.size())};
    plain_ctx_.assign(position_, std::span<const std::int32_t>(position));
}

// train.nonfinite = skip waits for every step, and takes back what the forward pass of a faulty one moved.
bool StageRun::is_left_out() {
    if (!training_.skips_nonfinite) return false;
    if (plain_ctx_.item(fault_) == 0) {
        skipped_in_a_row_ = 0;
        return false;
    }
    plain_ctx_.assign(fault_, std::vector<std::int32_t>{0});
    for (const Moved& moved : moved_by_forward_) plain_ctx_.elementwise().scale({.x = moved.before, .y = moved.memory});
    ++skipped_;
    if (++skipped_in_a_row_ > 10)
        fail_number(901, "loss or gradient was not finite in more than 10 steps in a row", done_,
                    "train.nonfinite = \"skip\"");
    return true;
}

void StageRun::update(const Tensor& loss) {
    Parameters& parameters = context_.network().parameters();
    if (loss.takes_gradient()) {
        tape_.backward(plain_ctx_, loss);
        runtime_.stream->enter("update");
        parameters.complete_gradients(plain_ctx_);
        plain_ctx_.reduction().count_nonfinite({.x = parameters.gradients(), .count = Out(fault_, true)});
    }
    plain_ctx_.elementwise().put({.x = runtime_.tensors.alias(loss, {1}),
                                  .index = runtime_.tensors.slice(position_, 2, {1}),
                                  .y = losses_,
                                  .fault = fault_});
    if (loss.takes_gradient()) optimizer_.step(plain_ctx_, learning_rate_memory_, fault_);
}

// Looks at every loss since the last time.
void StageRun::check_losses() {
    if (loss_images_.empty()) return;
    const std::vector<double> losses = plain_ctx_.download(losses_);
    for (std::size_t i = 0; i < loss_images_.size(); ++i) {
        const std::int64_t step = done_ - static_cast<std::int64_t>(loss_images_.size() - i);
        if (!std::isfinite(losses[i])) fail_fault(step, losses[i]);
        steps_above_ = training_.divergence_above && losses[i] > *training_.divergence_above ? steps_above_ + 1 : 0;
        if (steps_above_ >= training_.divergence_steps)
            fail_number(902,
                        fmt::format("loss stayed above {} for {} steps, last {}", *training_.divergence_above,
                                    steps_above_, losses[i]),
                        step, "train.divergence");
        loss_sum_ += losses[i] * static_cast<double>(loss_images_[i]);
        images_ += loss_images_[i];
    }
    loss_images_.clear();
}

void StageRun::fail_number(int id, const std::string& what, std::int64_t step, const std::string& why) const {
    throw InputError({.id = id,
                      .what = fmt::format("{} at stage {}, epoch {}, step {}", what, stage().name,
                                          step / steps_per_epoch_ + 1, step % steps_per_epoch_ + 1),
                      .at = fmt::format("stage {}, learning rate {}", stage().name, learning_rate_),
                      .why = why,
                      .try_ = "a lower optim.lr, or a longer schedule.warmup_epochs"});
}

StepReport StageRun::read_back(const Step& step) {
    StepReport report{.epoch = epochs_done_ + 1, .step = done_, .learning_rate = learning_rate_};
    if (!loss_images_.empty()) report.loss = plain_ctx_.download(losses_)[loss_images_.size() - 1];
    check_losses();
    for (const Step::Note& note : step.notes())
        if (note.name != nullptr) report.parts.push_back({note.name, plain_ctx_.item(note.value)});
    report.gradient_norm = gradient_norm();
    const double seconds = seconds_since(last_report_);
    report.images_per_second = static_cast<double>(images_since_report_) / std::max(seconds, 1e-9);
    report.wait_ms = std::chrono::duration<double, std::milli>(waited_).count();
    last_report_ = Clock::now();
    images_since_report_ = 0, waited_ = {};
    return report;
}

double StageRun::gradient_norm() {
    double square = 0;
    for (const double g : plain_ctx_.download(context_.network().parameters().gradients())) square += g * g;
    return std::sqrt(square);
}

EpochReport StageRun::end_epoch() {
    check_losses();
    EpochReport report{.epoch = ++epochs_done_,
                       .epochs = epochs_,
                       .steps_done = done_,
                       .images = images_,
                       .skipped = skipped_,
                       .learning_rate = learning_rate_,
                       .seconds = seconds_since(epoch_start_),
                       .waited_seconds = std::chrono::duration<double>(waited_in_epoch_).count()};
    report.loss = loss_sum_ / static_cast<double>(std::max<std::int64_t>(images_, 1));
    context_.epoch = epochs_done_;
    if (epochs_done_ % training_.eval_every == 0 || is_done()) {
        const Clock::time_point start = Clock::now();
        report.metrics = evaluate(training_.eval_split).metrics;
        report.evaluation_seconds = seconds_since(start);
        judge(*report.metrics, report);
    }
    method_.after_epoch(context_, report.metrics.value_or(Metrics{}));
    return report;
}

void StageRun::judge(const Metrics& metrics, EpochReport& report) {
    if (metrics.nonfinite > 0)
        fail_number(901, fmt::format("logits of {} of {} images are not finite", metrics.nonfinite, metrics.count),
                    done_ - 1, fmt::format("evaluation on {}", training_.eval_split));
    const double value = stage().select.metric == Selection::Metric::top1 ? metrics.top1 : metrics.balanced;
    if (best_ && best_->value >= value) return;
    best_ = BestEpoch{epochs_done_, value};
    best_result_ = result();
    report.is_best = true;
}

std::unique_ptr<Network> StageRun::make_inference(double value) {
    std::unique_ptr<Network> network = training_.make_network(context_.classes(), stage().finish->parts);
    network->parameters().materialise(plain_ctx_, training_.seed, stage().name);
    const Weights trained = read_weights(plain_ctx_, context_.network().parameters());
    for (Parameter& p : network->parameters().all()) {
        const auto found = trained.find(p.name);
        if (found != trained.end() && fits(p, found->second))
            network->parameters().write(plain_ctx_, p, to_memory(p, found->second));
    }
    freeze(*network, BatchNormMode::running);
    FinishContext finish{context_, *network, value};
    method_.finish(finish);
    return network;
}

Network& StageRun::inference() {
    if (!stage().finish) return context_.network();
    inference_ = make_inference(stage().finish->values.front());
    return *inference_;
}

StageResult StageRun::result() {
    StageResult result{.name = stage().name};
    result.weights = read_weights(plain_ctx_, inference().parameters());
    for (const StageContext::OpenState& state : context_.states())
        if (state.spec.in_model) {
            const Parameter as{.name = "state." + state.spec.name, .shape = state.memory.shape()};
            result.weights[as.name] = to_file(as, plain_ctx_.download_f32(state.memory));
        }
    result.class_counts.assign(context_.class_counts().begin(), context_.class_counts().end());
    return result;
}

Evaluation StageRun::evaluate(const std::string& split, bool keeps_logits) {
    const Network& network = inference();
    const std::vector<std::int32_t>& classes = stage().feeds.front().sampler.classes;
    const RunSplit& images = training_.splits.at(split);
    return bkd::evaluate(
        plain_ctx_, [&](Context& ctx, const Tensor& x) { return network(ctx, x); }, images, select(images, classes),
        {.batch_size = training_.eval_batch, .groups = context_.groups(), .keeps_logits = keeps_logits});
}

std::vector<Metrics> StageRun::sweep_finish(const std::string& split) {
    BKD_CHECK(stage().finish, "stage {} has no finish", stage().name);
    std::vector<std::unique_ptr<Network>> networks;
    std::vector<MetricCounter> counters;
    const RunSplit& images = training_.splits.at(split);
    const Selected selected = select(images, stage().feeds.front().sampler.classes);
    for (const double value : stage().finish->values) {
        networks.push_back(make_inference(value));
        counters.emplace_back(selected.classes);
    }
    bkd::sweep(plain_ctx_, images, selected, training_.eval_batch, [&](const SweepBatch& batch) {
        Context ctx = plain_ctx_.inference();
        const Tensor features = networks.front()->features(ctx, batch.images);
        for (std::size_t i = 0; i < networks.size(); ++i)
            counters[i].add(ctx.download_f32(networks[i]->head(ctx, features)), batch.labels);
    });
    std::vector<Metrics> metrics;
    for (const MetricCounter& counter : counters) metrics.push_back(counter.metrics(context_.groups()));
    return metrics;
}

}
