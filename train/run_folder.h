#pragma once
// The folder of a run and every file in it (docs/formats: run.json, recipe.toml, log.jsonl, metrics.csv, checkpoints/,
// models/, eval/). All but the log and the table are replaced as a whole.
//
// The log of a run that was interrupted, without the records whose step is after the one it was taken up at, equals
// that of an uninterrupted run but for times, rates, segments and the types run, resume, warn, signal, end.
#include "engine/file.h"
#include "engine/json.h"
#include "train/checkpoint.h"
#include "train/run_lock.h"

#include <chrono>
#include <functional>
#include <memory>
#include <set>

namespace bkd {

// What run.json and the first record of log.jsonl say they are.
inline constexpr std::string_view run_schema = "bkd.run/1", log_schema = "bkd.log/1";

class RunFolder {
public:
    // mkdir is the claim. A name that the user gave must be free: E1001; else "-2", "-3" ... is appended. `fill` writes
    // what makes it a run, run.json; if that fails the folder is gone again and its name free.
    static RunFolder create(const std::filesystem::path& parent, const std::string& name, bool name_is_given,
                            const FileSystem& system, const std::function<void(RunFolder&)>& fill);
    // Locked while the object lives. E1004 if there is no run in it, E1002 if another process works on it.
    static RunFolder open(const std::filesystem::path& path, const FileSystem& system);
    // run.json of a run that another process may be working on; E1004, E1006 for one of another schema. `asked_by` says
    // in messages who named the run.
    static Json facts_in(const std::filesystem::path& path, const FileSystem& system,
                         const char* asked_by = "option --resume");

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path model_path(const std::string& stage, const char* which) const;  // "last", "best"

    // All writing below gives E1003 where another process has taken the run over; keep_lock() does nothing else.
    void keep_lock() { lock_->keep(); }
    const std::string& lock_taken_from() const { return lock_->taken_from(); }

    void write_facts(const Json& facts);  // run.json
    void write_recipe(const std::string& text);
    // One line of log.jsonl: t, up, seg, type, then `members`.
    void log(const char* type, const Json::Object& members);
    // eval/<model>.<split>.json
    void write_evaluation(const std::string& model, const std::string& split, const Json& document);
    void sync_log() { log_->sync(); }
    void set_segment(std::int64_t segment) { segment_ = segment; }
    std::int64_t dropped_bytes() const { return log_->dropped_bytes(); }
    // Log and table, where they were removed or replaced while the run was at work: they have begun anew.
    const std::set<std::string>& lost() const { return lost_; }

    void add_metrics_row(const std::string& row);
    // Moves checkpoints of steps after `global_step` to checkpoints/aside-<segment>; how many. E0601 where one stays.
    std::int64_t set_aside_after(std::int64_t global_step, std::int64_t segment);
    // Leaves out the rows of epochs after `global_step`.
    void cut_metrics(std::int64_t global_step);

    // Writes it, then removes older ones beyond the newest `keep_last`, but for every `keep_every`-th epoch.
    void write_checkpoint(const Checkpoint& checkpoint, std::int64_t keep_last, std::int64_t keep_every);
    // The newest one that verifies. Damaged ones are left alone and told to `warn`.
    std::optional<Checkpoint> newest_checkpoint(const std::function<void(const std::string&)>& warn) const;

private:
    RunFolder(std::filesystem::path path, const FileSystem& system);
    std::vector<std::filesystem::path> checkpoints() const;  // newest first
    [[noreturn]] void fail_checkpoint(const InputError& error) const;

    std::filesystem::path path_;
    FileSystem system_;
    std::unique_ptr<RunLock> lock_;  // before the log, whose opening cuts off an unfinished line
    std::unique_ptr<AppendFile> log_;
    std::set<std::string> lost_;
    std::int64_t segment_ = 1;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Refuses a result of another verb that would take the place of a run's file, whichever run it is: E0606. The report of
// a run, which is made again at will, is not meant.
void check_not_of_a_run(const std::filesystem::path& result);

// RFC 3339, UTC, with milliseconds.
std::string time_text(std::chrono::system_clock::time_point time);

}
