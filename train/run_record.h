#pragma once
// A run as its folder tells it, finished or not: read without its lock, from files that are replaced as a whole and
// from the complete lines of its log. What a report is made of.
#include "train/checkpoint.h"
#include "train/evaluation_record.h"

#include <filesystem>
#include <map>
#include <set>

namespace bkd {

struct EpochRecord {
    std::int64_t epoch = 0, step = 0;  // epoch from 1; step of the run
    double loss = 0;                   // of training, mean over the images
    std::optional<Metrics> metrics{};  // of the evaluation: shares and loss, without counts
    bool is_logged = true;             // false: the log lacks it; metrics from the run's result, no loss and no step
};

struct StageRecord {
    std::string name{}, method{}, network{};
    std::int64_t parameters = 0, epochs = 0, steps_per_epoch = 0;
    std::vector<EpochRecord> done{};
    std::optional<BestEpoch> best{};  // chosen on eval.split: as run.json says, else the best top-1 so far
    bool is_finished = false;         // its result is in run.json

    const EpochRecord* last_evaluated() const;  // null: none so far
};

// A line of recipe.toml: `value` as TOML.
struct RecipeLine {
    std::string key{}, value{}, origin{};
    bool is_used = true;  // false: a default that nothing read
};

struct RunLog {
    std::vector<Json> records{};      // without those that a resumed run has taken back
    std::set<std::string> changed{};  // recipe's keys that a resumed run changed, whether or not it was taken back
    bool ends_in_line = false;        // bytes after the last line's end
};

// What a log lacks of what its own records and run.json say belongs there; both are empty where it is whole.
struct LogDamage {
    std::string missing{};  // "epochs 18 to 30 of stage train; all after step 1700, where run.json says 2910"
    std::string held{};     // "17 of 30 epochs of train, up to step 1700"
    bool is_left = false;   // run.json says running, but the process is gone
};

struct RunRecord {
    std::filesystem::path path{};
    Json facts{};  // run.json
    std::vector<RecipeLine> recipe{};
    std::vector<StageRecord> stages{};  // that have begun
    std::vector<std::string> warnings{};
    std::map<std::string, EvaluationRecord> evaluations{};  // by model, "student.last"
    std::string time{};                                     // of the last record of the log
    LogDamage damage{};

    std::string name() const { return facts.at("name").text(); }
    std::string state() const { return facts.at("state").text(); }
    std::vector<std::int64_t> class_counts() const { return facts.at("data").at("counts").integers(); }
    const RecipeLine* find(std::string_view key) const;                  // null: no such line
    std::string text(std::string_view key) const;                        // of a text; empty where the recipe has none
    const EvaluationRecord* evaluation(const std::string& model) const;  // null: none
    std::filesystem::path model_path(const std::string& stage, const char* which) const;
};

// A finished stage whose last epoch the log lacks has it from the evaluation's file, or else its top-1 from run.json.
// InputError E1004 where the folder holds no run, E1006 for run.json of another schema, E05nn for a file that cannot be
// read, E0403 and E0404 for records that are none.
RunRecord read_run_record(const std::filesystem::path& folder, const FileSystem& system = {});

// The complete lines of log.jsonl without what a resumed run has taken back: see the rule in run_folder.h. InputError
// E0403 and E0404 for records that are none, or another run's than `facts` (run.json), E1006 for another schema.
RunLog read_run_log(const std::filesystem::path& path, const Json& facts, const FileSystem& system = {});

// "[optim]" and `lr = 0.1   # default` become {"optim.lr", "0.1", "default"}.
std::vector<RecipeLine> parse_recipe_lines(std::string_view text);

}
