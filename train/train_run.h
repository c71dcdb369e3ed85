#pragma once
// Training as the verb `train` does it: a recipe becomes a run folder with its log, checkpoints and models; an
// interrupted run is taken up again. One call each.
#include "train/narrator.h"
#include "train/run_folder.h"
#include "train/stage_context.h"

namespace bkd {

class Method;
struct RunData;

struct RunOptions {
    Device device{};
    int threads = 0;  // of the backend; 0: as many as allowed
    std::string version = "0.1.0", commit = "unknown";
    std::vector<std::string> command{};   // the words of the command line, for the record
    RecipeOptions recipes{};              // for the recipe that is read again on resume
    std::function<bool()> should_stop{};  // asked after each epoch, once its checkpoint is on the disk
    // Asked after each step: name of the signal ("SIGTERM") that asks the run to end after it, with a checkpoint; null
    // if there was none.
    std::function<const char*()> stop_signal{};
    std::function<bool()> wants_checkpoint{};  // asked after each step: true once for each wish for one now
    // Of a resume: keys that may change though they decide results, and a checkpoint to go on from instead of the newest.
    std::vector<std::string> allowed_changes{};
    std::filesystem::path from{};
    FileSystem system{};
};

struct StageSummary {
    std::string stage{};
    std::int64_t epochs = 0;
    Metrics last{};                   // the result: of the last epoch
    std::optional<BestEpoch> best{};  // chosen on eval.split
};

struct RunResult {
    enum class State : std::uint8_t { done, stopped, nothing_to_do };
    std::filesystem::path folder{};
    State state = State::done;
    std::vector<StageSummary> stages{};  // those that this call trained to their end
};

// InputError as of recipes (E03nn), data and model files named by the recipe: before there is a folder. E1001 where the
// run's folder exists, E0901 for numbers that are not finite, E06nn where a file cannot be written; checkpoints and
// models written before stay whole, and run.json says "failed".
RunResult train_run(const Recipe& recipe, const RunOptions& options, Narrator& narrator);

// From the newest checkpoint that verifies; the first stage anew if there is none, E1005 if all are damaged. The result
// has the same bits as an uninterrupted run on the same machine. `overrides` may change what cannot change results, and
// epochs upwards (resume_check.h), and what options.allowed_changes names, which ends that promise: E1005 for others, and
// where data, recipe or checkpoint are not those of the run. E1002 where another process works on it. Checkpoints of steps
// after the one that it goes on from are set aside.
RunResult resume_run(const std::filesystem::path& run, const std::vector<std::string>& overrides,
                     const RunOptions& options, Narrator& narrator);

// A recipe's data, stages and networks, opened as a run has them but without a folder: for who studies its models.
struct OpenedRun {
    const RunData& data;
    const Training& training;
    const std::vector<Stage>& stages;
    std::function<std::unique_ptr<Method>(const Stage&)> make_method;            // that lends the stage its loss
    std::function<const StageResult&(const std::string& path)> read_model_file;  // that the recipe names
};
// InputError as train_run, before its folder.
void open_run(const Recipe& recipe, const RunOptions& options, const std::function<void(const OpenedRun&)>& use);

}
