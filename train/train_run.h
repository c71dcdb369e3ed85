#pragma once
// Training as the verb `train` does it: a recipe becomes a run folder with its log, checkpoints and models; an
// interrupted run is taken up again. One call each.
#include "train/narrator.h"
#include "train/run_folder.h"

namespace bkd {

struct RunOptions {
    Device device{};
    int threads = 0;  // of the backend; 0: as many as allowed
    std::string version = "0.1.0", commit = "unknown";
    std::vector<std::string> command{};   // the words of the command line, for the record
    RecipeOptions recipes{};              // for the recipe that is read again on resume
    std::function<bool()> should_stop{};  // asked after each epoch, once its checkpoint is on the disk
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

// InputError as of recipes (E03nn), data, E1001 where the run's folder exists, E0901 for numbers that are not finite,
// E06nn where a file cannot be written; checkpoints and models written before stay whole.
RunResult train_run(const Recipe& recipe, const RunOptions& options, Narrator& narrator);

// From the newest checkpoint that verifies; the first stage anew if there is none. The result has the same bits as an
// uninterrupted run on the same machine. `overrides` may change what cannot change results, and train.epochs upwards:
// E1005 for others, and where data or recipe are not those of the run.
RunResult resume_run(const std::filesystem::path& run, const std::vector<std::string>& overrides,
                     const RunOptions& options, Narrator& narrator);

}
