#pragma once
// The trainer: runs the stages of a method one after the other and hands each one's result to the next. It knows stages
// and nothing of methods, heads or samplers; whatever is written down or shown, its observer does.
#include "train/stage_run.h"

namespace bkd {

class TrainObserver {
public:
    virtual ~TrainObserver() = default;
    virtual void stage_started(StageRun&) {}
    virtual void step_ended(StageRun&, const StepReport*) {}    // with a report where the step was read back
    virtual void epoch_ended(StageRun&, const EpochReport&) {}  // the place to write a checkpoint
    virtual void stage_ended(StageRun&, const StageResult&) {}
    virtual void fault_found(StageRun&, const FaultReport&) {}  // E0901 ends the training after this
    virtual bool should_stop() { return false; }                // asked after epoch_ended
    virtual bool is_interrupted() { return false; }             // asked after step_ended and epoch_ended
    virtual void interrupted(StageRun&) {}  // training ends after this: the place to write a checkpoint
};

// A method lends its loss to a stage that names it.
using LendMethod = std::function<std::unique_ptr<Method>(const Stage& stage)>;

class Trainer {
public:
    Trainer(const Training& training, std::vector<Stage> stages, Method& method, TrainObserver& observer,
            LendMethod lend = {});

    // Trains from the start, or on from a checkpoint, before which all earlier stages' results must be given. False if
    // the observer stopped it.
    bool run(const Checkpoint* from = nullptr);

    void give(StageResult result);
    const StageResult& result(const std::string& stage) const;        // LogicError if there is none
    std::function<StageResult(const std::string& path)> read_file{};  // for start rules and companions that name a file
    std::function<std::optional<StageResult>(const Stage&)> read_best{};  // of a stage that is taken up again

private:
    bool run_stage(std::size_t index, const Checkpoint* from);
    bool is_interrupted(StageRun& run);
    const StageResult& find(const std::string& from);

    const Training& training_;
    std::vector<Stage> stages_;
    Method& method_;
    TrainObserver& observer_;
    LendMethod lend_;
    std::map<std::string, StageResult> results_;
};

}
