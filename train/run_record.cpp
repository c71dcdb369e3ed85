#include "train/run_record.h"

#include "train/log_check.h"
#include "train/run_folder.h"

#include <algorithm>
#include <limits>

namespace bkd {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t max_log_bytes = std::uint64_t{1} << 30;

std::string read_text(const fs::path& path, std::uint64_t max_bytes, const FileSystem& system) {
    const std::vector<std::byte> bytes = read_file(path, max_bytes, {}, system);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<double> number_in(const Json& record, std::string_view key) {
    const Json* value = record.find(key);
    return value == nullptr || value->is_null() ? std::nullopt : std::optional(value->number());
}

Metrics evaluated(const Json& record) {
    Metrics m{.count = record.at("n").integer(),
              .loss = record.at("loss").number(),
              .top1 = record.at("top1").number(),
              .top5 = number_in(record, "top5"),
              .balanced = record.at("balanced").number()};
    for (const Shot shot : all_shots) m.shots[static_cast<std::size_t>(shot)] = number_in(record, name_of(shot));
    for (const Json& accuracy : record.at("per_class").elements()) m.per_class.push_back(accuracy.number());
    return m;
}

StageRecord& stage_of(RunRecord& run, const Json& record) {
    const std::string& name = record.at("stage").text();
    const auto found = std::ranges::find(run.stages, name, &StageRecord::name);
    return found != run.stages.end() ? *found : run.stages.emplace_back(StageRecord{.name = name});
}

void take(RunRecord& run, const Json& record) {
    const std::string& type = record.at("type").text();
    if (type == "stage") {
        StageRecord& stage = stage_of(run, record);
        stage.method = record.at("method").text();
        stage.network = record.at("network").text();
        stage.parameters = record.at("parameters").integer();
        stage.epochs = record.at("epochs").integer();
        stage.steps_per_epoch = record.at("steps").integer();
    } else if (type == "step") {
        stage_of(run, record);  // where the log lacks the stage's beginning
    } else if (type == "epoch") {
        stage_of(run, record)
            .done.push_back({.epoch = record.at("epoch").integer(),
                             .step = record.at("step").integer(),
                             .loss = record.at("loss").number()});
    } else if (type == "eval") {
        std::vector<EpochRecord>& done = stage_of(run, record).done;
        const auto of = std::ranges::find(done, record.at("epoch").integer(), &EpochRecord::epoch);
        if (of != done.end()) of->metrics = evaluated(record);
    } else if (type == "warn") {
        const std::string& what = record.at("what").text();
        if (std::ranges::find(run.warnings, what) == run.warnings.end()) run.warnings.push_back(what);
    }
}

// Of this run and in the form that is read; messages name the line.
void check_record(const Json& record, const Json& facts, const std::string& where) {
    constexpr std::int64_t most_epochs = 10'000'000;
    const auto refuse = [&](int id, std::string what, std::string advice) {
        throw InputError({.id = id, .what = std::move(what), .at = printable(where), .try_ = std::move(advice)});
    };
    try {
        RunRecord alone;
        take(alone, record);
        record.at("t").text();
    } catch (const InputError& error) { refuse(404, "no record of a log: " + error.parts().what, "remove the line"); }
    for (const auto& [key, least, most] :
         {std::tuple{"epoch", std::int64_t{1}, most_epochs}, {"step", std::int64_t{0}, std::int64_t{1} << 53}})
        if (const Json* value = record.find(key);
            value != nullptr && (!value->is_integer() || value->integer() < least || value->integer() > most))
            refuse(404, fmt::format("{} of a log's record is no number from {} to {}", key, least, most),
                   "remove the line");
    if (record.at("type").text() != "run") return;
    if (record.at("id").text() != facts.at("id").text())
        refuse(404, "the log is another run's", "the log of run " + printable(facts.at("id").text()));
    if (const std::string& schema = record.at("schema").text(); schema != log_schema)
        refuse(1006, fmt::format("the log is of schema {}, this version reads {}", printable(schema), log_schema),
               "the version that wrote it");
}

void take_results(RunRecord& run) {
    const Json::Array& results = run.facts.at("results").elements();
    for (const Json& result : results) {
        StageRecord& stage = stage_of(run, result);
        stage.is_finished = true;
        if (stage.epochs == 0) stage.epochs = result.at("epochs").integer();  // the log lacks its beginning
        if (const Json* best = result.find("best"))
            stage.best = {best->at("epoch").integer(), best->at("value").number()};
    }
    for (StageRecord& stage : run.stages) {
        if (stage.is_finished) continue;
        for (const EpochRecord& epoch : stage.done)
            if (epoch.metrics && (!stage.best || epoch.metrics->top1 > stage.best->value))
                stage.best = {epoch.epoch, epoch.metrics->top1};
    }
    // In the order they were trained in, whatever the log lacks.
    std::ranges::stable_sort(run.stages, {}, [&](const StageRecord& stage) {
        return std::ranges::find_if(results, [&](const Json& r) { return r.at("stage").text() == stage.name; }) -
               results.begin();
    });
}

// An evaluation's file has the last word: a log that says otherwise is not this run's, or was changed.
void prefer_evaluations(RunRecord& run) {
    for (StageRecord& stage : run.stages)
        if (const EvaluationRecord* file = run.evaluation(stage.name + ".last"))
            for (EpochRecord& epoch : stage.done) {
                if (epoch.epoch != file->epoch || !epoch.metrics || epoch.metrics->top1 == file->metrics.top1) continue;
                std::string& missing = run.damage.missing;
                missing += fmt::format(
                    "{}the true evaluation of epoch {} of stage {}: top-1 is {} in the log, {} in its file",
                    missing.empty() ? "" : "; ", epoch.epoch, stage.name, epoch.metrics->top1, file->metrics.top1);
                if (run.damage.held.empty()) run.damage.held = "the other records";
                epoch.metrics = file->metrics;
            }
}

// The last epochs of finished stages, where the log lacks them.
void add_last_epochs(RunRecord& run) {
    for (const Json& result : run.facts.at("results").elements()) {
        StageRecord& stage = stage_of(run, result);
        const std::int64_t epoch = result.at("epochs").integer();
        if (const EpochRecord* last = stage.last_evaluated(); last != nullptr && last->epoch >= epoch) continue;
        const double none = std::numeric_limits<double>::quiet_NaN();
        EpochRecord record{.epoch = epoch, .loss = none, .is_logged = false};
        const EvaluationRecord* evaluation = run.evaluation(stage.name + ".last");
        if (evaluation != nullptr && evaluation->epoch == epoch) {
            record.metrics = evaluation->metrics;
            if (stage.network.empty()) stage.network = evaluation->network;
        } else {
            record.metrics = Metrics{.loss = none, .top1 = result.at("last").at("top1").number(), .balanced = none};
        }
        stage.done.push_back(std::move(record));
    }
}

void take_evaluations(RunRecord& run, const FileSystem& system) {
    const auto split = run.text("eval.split");
    for (const StageRecord& stage : run.stages)
        for (const char* which : {"last", "best"}) {
            const std::string model = fmt::format("{}.{}", stage.name, which);
            const fs::path path = run.path / "eval" / fmt::format("{}.{}.json", model, split);
            std::error_code error;
            if (!fs::exists(path, error)) continue;
            const std::string where = path.string();
            run.evaluations.insert_or_assign(
                model, parse_evaluation(Json::parse(read_text(path, 1 << 28, system), where), where));
        }
}

// Where the comment of a line begins, outside of quotes; npos: there is none.
std::size_t comment_at(std::string_view line) {
    bool is_quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && is_quoted)
            ++i;
        else if (line[i] == '"')
            is_quoted = !is_quoted;
        else if (line[i] == '#' && !is_quoted)
            return i;
    }
    return std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(' ');
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}

const EpochRecord* StageRecord::last_evaluated() const {
    const auto found =
        std::find_if(done.rbegin(), done.rend(), [](const EpochRecord& e) { return e.metrics.has_value(); });
    return found == done.rend() ? nullptr : &*found;
}

const RecipeLine* RunRecord::find(std::string_view key) const {
    const auto found = std::ranges::find(recipe, key, &RecipeLine::key);
    return found == recipe.end() ? nullptr : &*found;
}

std::string RunRecord::text(std::string_view key) const {
    const RecipeLine* line = find(key);
    if (line == nullptr || line->value.size() < 2 || line->value.front() != '"') return {};
    return line->value.substr(1, line->value.size() - 2);
}

const EvaluationRecord* RunRecord::evaluation(const std::string& model) const {
    const auto found = evaluations.find(model);
    return found == evaluations.end() ? nullptr : &found->second;
}

fs::path RunRecord::model_path(const std::string& stage, const char* which) const {
    return path / "models" / fmt::format("{}.{}.safetensors", stage, which);
}

std::vector<RecipeLine> parse_recipe_lines(std::string_view text) {
    std::vector<RecipeLine> lines;
    std::string table;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        at = end + 1;
        if (line.starts_with('[')) {
            table = std::string(line.substr(1, line.find(']') - 1)) + ".";
            continue;
        }
        const bool is_used = !line.starts_with("# ");
        if (!is_used) line.remove_prefix(2);
        const std::size_t comment = comment_at(line);
        const std::string_view entry = line.substr(0, comment);
        const std::size_t equals = entry.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view origin = comment == std::string_view::npos ? "" : trimmed(line.substr(comment + 1));
        lines.push_back({table + std::string(trimmed(entry.substr(0, equals))),
                         std::string(trimmed(entry.substr(equals + 1))), std::string(origin), is_used});
    }
    return lines;
}

RunLog read_run_log(const fs::path& path, const Json& facts, const FileSystem& system) {
    const std::string text = read_text(path, max_log_bytes, system);
    RunLog log{.ends_in_line = !text.empty() && text.back() != '\n'};
    std::vector<Json>& records = log.records;
    std::int64_t number = 0;
    for (std::size_t at = 0, end = text.find('\n'); end != std::string::npos; at = end + 1, end = text.find('\n', at)) {
        const std::string where = fmt::format("{}:{}", path.string(), ++number);
        Json record = Json::parse(std::string_view(text).substr(at, end - at), where);
        check_record(record, facts, where);
        if (record.at("type").text() == "resume") {
            if (const Json* changed = record.find("changed"); changed != nullptr && changed->is_object())
                for (const Json::Member& change : changed->members()) log.changed.insert(change.first);
            const std::int64_t from = record.at("step").integer();
            std::erase_if(records, [&](const Json& earlier) {
                const Json* step = earlier.find("step");
                return step != nullptr && step->integer() > from;
            });
        }
        records.push_back(std::move(record));
    }
    return log;
}

RunRecord read_run_record(const fs::path& folder, const FileSystem& system) {
    RunRecord run{.path = folder, .facts = RunFolder::facts_in(folder, system, "argument RUN")};
    run.recipe = parse_recipe_lines(read_text(folder / "recipe.toml", 1 << 20, system));
    const RunLog log = read_run_log(folder / "log.jsonl", run.facts, system);
    for (const Json& record : log.records) {
        take(run, record);
        run.time = record.at("t").text();
    }
    take_results(run);
    run.damage = log_damage(run, log, lock_holder(folder));
    take_evaluations(run, system);
    prefer_evaluations(run);
    add_last_epochs(run);
    return run;
}

}
