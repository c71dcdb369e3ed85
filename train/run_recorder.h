#pragma once
// RunRecorder: the trainer's observer that keeps a run's records: narration, log, table, checkpoints, models, run.json.
#include "models/network.h"
#include "train/checkpoint_cadence.h"
#include "train/run_data.h"
#include "train/train_run.h"
#include "train/trainer.h"

namespace bkd {

// Facts of the run that its records repeat.
struct RecordedRun {
    const Recipe& recipe;
    const RunData& data;
    std::vector<Stage> stages{};
    std::string method{}, config_hash{};
    CheckpointCadence cadence{};
};

class RunRecorder final : public TrainObserver {
public:
    RunRecorder(const RecordedRun& run, RunFolder& folder, const RunOptions& options, Narrator& narrator);

    void stage_started(StageRun& run) override;
    void step_ended(StageRun& run, const StepReport* report) override;
    void epoch_ended(StageRun& run, const EpochReport& report) override;
    void stage_ended(StageRun& run, const StageResult& result) override;
    void fault_found(StageRun& run, const FaultReport& report) override;
    bool should_stop() override { return options_.should_stop && options_.should_stop(); }
    bool is_interrupted() override { return options_.stop_signal && options_.stop_signal() != nullptr; }
    void interrupted(StageRun& run) override;

    // What was done before the checkpoint that training goes on from.
    void go_on_from(const Checkpoint& checkpoint);
    void warn(const std::string& text);
    // run.json: state "running", "stopped", "failed", "done"; of a failure its id and what it was.
    void write_facts(const char* state, const Json& error = {});
    // Results of the stages before the one that goes on.
    void keep_results(const Json& earlier, std::int64_t stages);
    const std::vector<StageSummary>& summaries() const { return summaries_; }
    const Json::Array& results() const { return results_; }  // run.json's
    std::int64_t global_step() const { return base_step_ + stage_step_; }
    Json run_facts{};  // run.json's, what does not change
    // run.json's list of the processes that worked on the run, this one last: its host, number, start and first step.
    void begin_process(const Json& earlier, std::int64_t segment);

private:
    // Its path within the folder; is_recorded: with a record "checkpoint" in the log.
    std::string write_checkpoint(StageRun& run, bool is_recorded = false);
    bool is_checkpoint_due() const;  // by time
    void write_model(StageRun& run, const StageResult& result, const char* which, std::int64_t epoch);
    void write_evaluation(StageRun& run, const char* which, std::int64_t epoch, const Metrics& metrics);
    std::vector<std::string> class_names(const Stage& stage) const;  // in the stage's numbering
    void log_evaluation(const StageRun& run, const EpochReport& report);
    double seconds_left(const StageRun& run) const;
    std::size_t index_of(const Stage& stage) const;
    const std::string& method_of(const Stage& stage) const { return stage.method.empty() ? run_.method : stage.method; }

    RecordedRun run_;
    RunFolder& folder_;
    const RunOptions& options_;
    Narrator& narrator_;
    std::vector<StageSummary> summaries_;
    Json::Array results_, processes_;
    std::chrono::steady_clock::time_point last_checkpoint_{};
    std::int64_t base_step_ = 0, stage_step_ = 0;
    std::int64_t checkpoint_step_ = -1;  // of the last one written
    std::chrono::steady_clock::time_point epoch_start_{}, stage_start_{};
    std::int64_t stage_first_step_ = 0;
    double images_per_second_ = 0;
    ProgressState progress_;
};

}
