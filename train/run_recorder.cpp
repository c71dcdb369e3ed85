#include "train/run_recorder.h"

#include "engine/model_file.h"
#include "train/evaluation_record.h"
#include "train/fault_dump.h"
#include "train/metrics_table.h"
#include "train/model_network.h"
#include "train/preprocess.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>

namespace bkd {

RunRecorder::RunRecorder(const RecordedRun& run, RunFolder& folder, const RunOptions& options, Narrator& narrator)
    : run_(run), folder_(folder), options_(options), narrator_(narrator) {}

std::size_t RunRecorder::index_of(const Stage& stage) const {
    const auto at = std::ranges::find(run_.stages, stage.name, &Stage::name);
    return static_cast<std::size_t>(at - run_.stages.begin());
}

void RunRecorder::go_on_from(const Checkpoint& checkpoint) {
    base_step_ = checkpoint.global_step - checkpoint.steps_done;
    stage_step_ = checkpoint.steps_done;
}

void RunRecorder::warn(const std::string& text) {
    narrator_.warning(text);
    folder_.log("warn", {{"what", text}});
}

void RunRecorder::stage_started(StageRun& run) {
    const Stage& stage = run.stage();
    base_step_ += stage_step_ - run.steps_done();  // a new stage starts where the last one ended
    stage_step_ = run.steps_done();
    stage_first_step_ = run.steps_done();
    stage_start_ = last_checkpoint_ = std::chrono::steady_clock::now();
    progress_ = {.stage = stage.name, .epochs = run.epochs(), .steps = run.steps_per_epoch()};
    narrator_.line(stage_line(run, index_of(stage), run_.stages.size(), method_of(stage)));
    // What was said before the interruption is not said again: see the rule of logs in run_folder.h.
    if (run.steps_done() == 0)
        folder_.log("stage", {{"stage", stage.name},
                              {"step", global_step() + 1},
                              {"method", method_of(stage)},
                              {"network", run.context().network().options().name},
                              {"parameters", run.context().network().parameters().count()},
                              {"epochs", run.epochs()},
                              {"steps", run.steps_per_epoch()}});
    write_facts("running");
}

double RunRecorder::seconds_left(const StageRun& run) const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - stage_start_).count();
    const auto done = static_cast<double>(run.steps_done() - stage_first_step_);
    const auto left = static_cast<double>(run.epochs() * run.steps_per_epoch() - run.steps_done());
    return done > 0 ? seconds / done * left : 0;
}

void RunRecorder::step_ended(StageRun& run, const StepReport* report) {
    stage_step_ = run.steps_done();
    folder_.keep_lock();
    if (report != nullptr) {
        images_per_second_ = report->images_per_second;
        Json::Object parts;
        for (const LossPart& part : report->parts) parts.emplace_back(part.name, part.value);
        folder_.log("step", {{"stage", run.stage().name},
                             {"epoch", report->epoch},
                             {"step", global_step()},
                             {"loss", report->loss},
                             {"parts", std::move(parts)},
                             {"lr", report->learning_rate},
                             {"grad_norm", report->gradient_norm},
                             {"img_s", report->images_per_second},
                             {"wait_ms", report->wait_ms}});
    }
    progress_.epoch = run.epochs_done() + 1;
    progress_.step = run.steps_done() - run.epochs_done() * run.steps_per_epoch();
    progress_.images_per_second = images_per_second_;
    progress_.seconds_left = seconds_left(run);
    narrator_.progress(progress_);
    const bool is_wanted = options_.wants_checkpoint && options_.wants_checkpoint();
    // At the end of an epoch one is written after the evaluation.
    if (!is_wanted && (run.is_epoch_done() || !is_checkpoint_due())) return;
    const std::string path = write_checkpoint(run);
    // No record "checkpoint": an uninterrupted run, or one at another speed, has none here.
    if (!is_wanted) return;
    folder_.log("signal", {{"sig", "SIGUSR1"}, {"action", "checkpoint"}, {"step", global_step()}});
    narrator_.line(fmt::format("checkpoint on request: {}", path));
}

bool RunRecorder::is_checkpoint_due() const {
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - last_checkpoint_;
    return run_.cadence.seconds > 0 && since.count() >= run_.cadence.seconds;
}

void RunRecorder::log_evaluation(const StageRun& run, const EpochReport& report) {
    const Metrics& m = *report.metrics;
    Json::Object eval{{"stage", run.stage().name},
                      {"epoch", report.epoch},
                      {"split", run_.recipe.text("eval.split")},
                      {"step", global_step()},
                      {"n", m.count},
                      {"loss", m.loss},
                      {"top1", m.top1},
                      {"top5", Json::or_null(m.top5)},
                      {"balanced", m.balanced}};
    for (const Shot shot : all_shots) eval.emplace_back(std::string(name_of(shot)), Json::or_null(m.shot(shot)));
    eval.emplace_back("per_class", Json::array(m.per_class));
    eval.emplace_back("sec", report.evaluation_seconds);
    folder_.log("eval", eval);
}

void RunRecorder::epoch_ended(StageRun& run, const EpochReport& report) {
    const std::string& stage = run.stage().name;
    folder_.log("epoch", {{"stage", stage},
                          {"epoch", report.epoch},
                          {"step", global_step()},
                          {"loss", report.loss},
                          {"n", report.images},
                          {"sec", report.seconds},
                          {"wait_ms", 1000 * report.waited_seconds},
                          {"img_s", static_cast<double>(report.images) / std::max(report.seconds, 1e-9)},
                          {"skipped", report.skipped}});
    if (report.metrics) log_evaluation(run, report);
    folder_.add_metrics_row(metrics_row(stage, global_step(), report));
    narrator_.line(epoch_line(report, seconds_left(run)));
    // The best model is on the disk before a checkpoint says which epoch it is of.
    if (report.is_best) {
        write_model(run, *run.best_result(), "best", report.epoch);
        write_evaluation(run, "best", report.epoch, *report.metrics);
    }
    const bool ends_stretch = run_.cadence.epochs > 0 && report.epoch % run_.cadence.epochs == 0;
    if (ends_stretch || run.is_done())
        write_checkpoint(run, /*is_recorded=*/true);
    else if (is_checkpoint_due())
        write_checkpoint(run);
    folder_.sync_log();
    if (run.is_done() && report.metrics) summaries_.push_back({stage, report.epoch, *report.metrics, run.best()});
}

std::string RunRecorder::write_checkpoint(StageRun& run, bool is_recorded) {
    Checkpoint checkpoint{.stage_index = static_cast<std::int64_t>(index_of(run.stage())),
                          .global_step = global_step(),
                          .run = run_facts.at("id").text(),
                          .config_hash = run_.config_hash};
    run.save(checkpoint);
    const std::string path = "checkpoints/" + checkpoint_name(checkpoint);
    // First: a process that ends between the two goes on from the checkpoint before, and records this one again.
    if (is_recorded) folder_.log("checkpoint", {{"path", path}, {"step", global_step()}});
    folder_.write_checkpoint(checkpoint, run_.recipe.integer("checkpoint.keep_last"),
                             run_.recipe.integer("checkpoint.keep_every"));
    checkpoint_step_ = checkpoint.global_step;
    last_checkpoint_ = std::chrono::steady_clock::now();
    return path;
}

// No record "checkpoint": an uninterrupted run has none here.
void RunRecorder::interrupted(StageRun& run) {
    const std::string signal = options_.stop_signal();
    if (checkpoint_step_ != global_step()) write_checkpoint(run);
    folder_.log("signal", {{"sig", signal}, {"action", "checkpoint and stop"}, {"step", global_step()}});
    narrator_.line(fmt::format("stopped by {} after {} steps of stage {}; to go on: bkd train --resume {}", signal,
                               run.steps_done(), run.stage().name, folder_.path().string()));
}

// The error itself counts more than what can be kept of it.
void RunRecorder::fault_found(StageRun& run, const FaultReport& report) {
    const std::filesystem::path folder = folder_.path() / "nonfinite";
    try {
        write_fault(folder, run.stage().name, report, options_.system);
        narrator_.line(fmt::format("the batch is kept in {}", printable(folder.string())));
    } catch (const InputError& error) {
        warn(fmt::format("{} could not be written: {}", printable(folder.string()), error.parts().what));
    }
}

void RunRecorder::stage_ended(StageRun& run, const StageResult& result) {
    const std::string& stage = run.stage().name;
    const StageResult last = run.result();
    write_model(run, last, "last", run.epochs_done());
    if (summaries_.empty() || summaries_.back().stage != stage)  // its last epoch ended before this process began
        summaries_.push_back(
            {stage, run.epochs_done(), run.evaluate(run_.recipe.text("eval.split")).metrics, run.best()});
    const StageSummary& summary = summaries_.back();
    write_evaluation(run, "last", summary.epochs, summary.last);
    const std::string split = run_.recipe.text("eval.split");
    narrator_.line(result_line(summary.last, summary.best, split));
    Json::Object entry{
        {"stage", stage}, {"epochs", summary.epochs}, {"last", Json::Object{{"top1", summary.last.top1}}}};
    if (summary.best)
        entry.emplace_back(
            "best", Json::Object{{"epoch", summary.best->epoch}, {"value", summary.best->value}, {"chosen_on", split}});
    entry.emplace_back("result", result.weights == last.weights ? "last" : "best");
    results_.push_back(std::move(entry));
}

void RunRecorder::write_model(StageRun& run, const StageResult& result, const char* which, std::int64_t epoch) {
    const ImageSet& train = run_.data.train;
    ModelFacts facts{.network = network_facts(run.context().network().options()),
                     .classes = class_names(run.stage()),
                     .class_counts = result.class_counts,
                     .preprocess = preprocess_facts(train, {run_.data.mean, run_.data.deviation}),
                     .preset = run_.recipe.text("preset"),
                     .recipe = Json::Object{{"method", method_of(run.stage())},
                                            {"stage", run.stage().name},
                                            {"epoch", epoch},
                                            {"config_hash", run_.config_hash},
                                            {"data", train.name}},
                     .commit = options_.commit};
    std::vector<TensorToStore> tensors;
    const std::int64_t tracked = run.context().network().parameters().batches_tracked;
    constexpr std::string_view mean = ".running_mean";
    for (const auto& [name, weight] : result.weights) {
        tensors.push_back(f32_tensor(name, weight.shape, weight.numbers));
        if (name.ends_with(mean))
            tensors.push_back(i64_scalar(name.substr(0, name.size() - mean.size()) + ".num_batches_tracked", tracked));
    }
    folder_.keep_lock();
    write_model_file(folder_.model_path(run.stage().name, which), facts, std::move(tensors), Overwrite::yes,
                     options_.system);
}

std::vector<std::string> RunRecorder::class_names(const Stage& stage) const {
    const std::vector<std::string>& all = run_.data.train.class_names;
    std::vector<std::string> names;
    for (const std::int32_t c : stage.feeds.front().sampler.classes) names.push_back(all[static_cast<std::size_t>(c)]);
    return names.empty() ? all : names;
}

void RunRecorder::write_evaluation(StageRun& run, const char* which, std::int64_t epoch, const Metrics& metrics) {
    const std::string model = fmt::format("{}.{}", run.stage().name, which);
    const std::string split = run_.recipe.text("eval.split");
    const auto counts = run.context().class_counts();
    const EvaluationRecord record{.model = model,
                                  .network = run.context().network().options().name,
                                  .data = run_.data.train.name,
                                  .split = split,
                                  .epoch = epoch,
                                  .groups = run.context().training().groups,
                                  .class_names = class_names(run.stage()),
                                  .class_counts = {counts.begin(), counts.end()},
                                  .metrics = metrics};
    folder_.write_evaluation(model, split, evaluation_document(std::span(&record, 1)));
}

void RunRecorder::write_facts(const char* state, const Json& error) {
    Json now = run_facts;
    now.set("state", state);
    now.set("step", global_step());
    if (!error.is_null()) now.set("error", error);
    const std::string_view now_is = state;
    if (now_is != "created" && now_is != "running") {
        const std::string end = time_text(std::chrono::system_clock::now());
        now.set("end", end);
        processes_.back().set("end", end);
        processes_.back().set("to_step", global_step());
    }
    now.set("processes", processes_);
    now.set("results", results_);
    folder_.write_facts(now);
}

void RunRecorder::begin_process(const Json& earlier, std::int64_t segment) {
    if (earlier.is_array()) processes_ = earlier.elements();
    processes_.push_back(Json::Object{{"segment", segment},
                                      {"host", host_name()},
                                      {"pid", static_cast<std::int64_t>(getpid())},
                                      {"start", time_text(std::chrono::system_clock::now())},
                                      {"config_hash", run_.config_hash},
                                      {"from_step", global_step()}});
}

void RunRecorder::keep_results(const Json& earlier, std::int64_t stages) {
    for (const Json& result : earlier.elements())
        if (static_cast<std::int64_t>(results_.size()) < stages) results_.push_back(result);
}

}
