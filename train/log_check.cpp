#include "train/log_check.h"

#include <algorithm>
#include <charconv>

namespace bkd {
namespace {

bool is_of(const Json& record, std::string_view type) { return record.at("type").text() == type; }

std::int64_t last_step(const RunLog& log) {
    std::int64_t last = 0;
    for (const Json& record : log.records)
        if (const Json* step = record.find("step"); step != nullptr && !is_of(record, "stage"))  // that one is to come
            last = std::max(last, step->integer());
    return last;
}

// The recipe's value of a key that held for the whole run; 0: a resumed run changed it.
std::int64_t constant(const RunRecord& run, const RunLog& log, const std::string& key) {
    if (log.changed.contains(key)) return 0;
    const RecipeLine* line = run.find(key);
    std::int64_t value = 0;
    if (line != nullptr) std::from_chars(line->value.data(), line->value.data() + line->value.size(), value);
    return std::max<std::int64_t>(value, 0);
}

// "epoch 4", "epochs 4, 7 to 9"
std::string listed(std::string_view what, std::span<const std::int64_t> numbers) {
    std::string out;
    for (std::size_t i = 0, end = 0; i < numbers.size(); i = end) {
        for (end = i + 1; end < numbers.size() && numbers[end] == numbers[end - 1] + 1;) ++end;
        out += fmt::format("{}{}", out.empty() ? "" : ", ", numbers[i]);
        if (end > i + 1) out += fmt::format("{}{}", end > i + 2 ? " to " : ", ", numbers[end - 1]);
    }
    return fmt::format("{}{} {}", what, numbers.size() == 1 ? "" : "s", out);
}

class StageCheck {
public:
    StageCheck(const RunRecord& run, const RunLog& log, const StageRecord& stage)
        : run_(run), log_(log), stage_(stage) {
        for (const Json& record : log.records) {
            const Json* of = record.find("stage");
            if (of == nullptr || of->text() != stage.name) continue;
            if (is_of(record, "stage")) before_ = record.at("step").integer() - 1;
            if (is_of(record, "step")) steps_.insert(record.at("step").integer());
            if (const Json* epoch = record.find("epoch"))
                epochs_ = std::max(epochs_, epoch->integer() - (is_of(record, "step") ? 1 : 0));
        }
        for (const Json& result : run.facts.at("results").elements())
            if (result.at("stage").text() == stage.name) epochs_ = std::max(epochs_, result.at("epochs").integer());
        // A step after an epoch's last one began another.
        if (before_ && &stage == &run.stages.back() && stage.steps_per_epoch > 0)
            epochs_ = std::clamp((last_step(log) - *before_ - 1) / stage.steps_per_epoch, epochs_,
                                 std::max(stage.epochs, epochs_));
    }

    std::vector<std::string> missing() const {
        std::vector<std::string> all;
        const std::string of = " of stage " + stage_.name;
        if (!before_) all.push_back("the beginning" + of);
        if (const std::vector<std::int64_t> epochs = missing_epochs(); !epochs.empty())
            all.push_back(listed("epoch", epochs) + of);
        if (const std::vector<std::int64_t> epochs = missing_evaluations(); !epochs.empty())
            all.push_back(listed("evaluation", epochs) + of);
        if (const std::int64_t steps = missing_steps(); steps > 0)
            all.push_back(fmt::format("{} record{} of steps{}", steps, steps == 1 ? "" : "s", of));
        return all;
    }

private:
    const EpochRecord* find(std::int64_t epoch) const {
        const auto found = std::ranges::find(stage_.done, epoch, &EpochRecord::epoch);
        return found == stage_.done.end() ? nullptr : &*found;
    }
    std::vector<std::int64_t> missing_epochs() const {
        std::vector<std::int64_t> numbers;
        for (std::int64_t epoch = 1; epoch <= epochs_; ++epoch)
            if (find(epoch) == nullptr) numbers.push_back(epoch);
        return numbers;
    }
    // Of epochs that are there; a run at work may be evaluating the last one.
    std::vector<std::int64_t> missing_evaluations() const {
        const std::int64_t every = constant(run_, log_, "eval.every");
        std::vector<std::int64_t> numbers;
        for (std::int64_t epoch = 1; every > 0 && epoch <= epochs_; ++epoch) {
            const EpochRecord* record = find(epoch);
            const bool is_due = epoch == epochs_ ? stage_.is_finished : epoch % every == 0;
            if (record != nullptr && is_due && !record->metrics) numbers.push_back(epoch);
        }
        return numbers;
    }
    // Up to the last step or epoch that is there: the end is the log's, not the stage's.
    std::int64_t missing_steps() const {
        const std::int64_t every = constant(run_, log_, "log.every");
        if (every == 0 || !before_) return 0;
        std::int64_t last = 0;
        for (const std::int64_t step : steps_) last = std::max(last, step - *before_);
        for (const EpochRecord& epoch : stage_.done) last = std::max(last, epoch.step - *before_);
        return last / every - static_cast<std::int64_t>(steps_.size());
    }

    const RunRecord& run_;
    const RunLog& log_;
    const StageRecord& stage_;
    std::optional<std::int64_t> before_{};  // steps of the run before the stage
    std::set<std::int64_t> steps_{};
    std::int64_t epochs_ = 0;  // that the stage has ended, by all that is known
};

std::string held_by(const RunRecord& run, const RunLog& log) {
    if (log.records.empty()) return "nothing";
    std::string held;
    for (const StageRecord& stage : run.stages)
        held += stage.epochs > 0 ? fmt::format("{} of {} epochs of {}, ", stage.done.size(), stage.epochs, stage.name)
                                 : fmt::format("{} epochs of {}, ", stage.done.size(), stage.name);
    return held + fmt::format("up to step {}", last_step(log));
}

}

LogDamage log_damage(const RunRecord& run, const RunLog& log, const std::optional<LockHolder>& worker) {
    std::vector<std::string> missing;
    const std::string state = run.state();
    const bool has_not_ended = state == "running" || state == "created";
    const bool is_left = has_not_ended && worker && worker->is_gone;  // killed, or its machine was
    const bool is_at_work = has_not_ended && !is_left;
    if (log.ends_in_line && !(is_at_work && worker)) missing.emplace_back("the rest of its last line");
    if (!is_at_work || !log.records.empty()) {
        if (log.records.empty() || !is_of(log.records.front(), "run")) missing.emplace_back("its beginning");
        for (const StageRecord& stage : run.stages)
            for (std::string& what : StageCheck(run, log, stage).missing()) missing.push_back(std::move(what));
    }
    const Json* step_of_run = run.facts.find("step");
    const std::int64_t last = last_step(log), step = step_of_run == nullptr ? 0 : step_of_run->integer();
    if (last < step)
        missing.push_back(fmt::format("all after step {}, where run.json says {}", last, step));
    else if (is_left)
        missing.push_back(fmt::format("its end, {} is gone", worker->name));
    else if (!is_at_work && (log.records.empty() || !is_of(log.records.back(), "end")))
        missing.emplace_back("its end");
    if (missing.empty()) return {};
    return {fmt::format("{}", fmt::join(missing, "; ")), held_by(run, log)};
}

}
