#include "train/resume_files.h"

#include "train/metrics_table.h"
#include "train/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace bkd {
namespace {

namespace fs = std::filesystem;

constexpr const char *log_name = "log.jsonl", *table_name = "metrics.csv";

bool is_there(const fs::path& path) {
    std::error_code unknown;
    return fs::exists(path, unknown) || unknown;  // what cannot be looked at is refused where it is read
}

// What of it was refused, as a file that is not this run's.
[[noreturn]] void refuse(const char* name, const InputError& error) {
    if (error.exit_code() != 4) throw error;
    InputError::Parts parts = error.parts();
    parts.id = 1005;
    parts.what = fmt::format("{} is not this run's: {}", name, parts.what);
    parts.why = "what the run does from here on would be added to it";
    parts.try_ = "its own put back; or move it away, the run goes on with a new one";
    throw InputError(std::move(parts));
}

// Rows of epochs that the log has, too, must say the same.
void check_table(const fs::path& path, const RunLog& log, const FileSystem& system) {
    std::map<std::pair<std::string, std::int64_t>, const Json*> epochs;
    for (const Json& record : log.records)
        if (record.at("type").text() == "epoch")
            epochs[{record.at("stage").text(), record.at("epoch").integer()}] = &record;
    for (const MetricsRow& row : read_metrics_table(path, system)) {
        const auto found = epochs.find({row.stage, row.epoch});
        if (found == epochs.end()) continue;
        const std::int64_t step = found->second->at("step").integer();
        const double loss = found->second->at("loss").number();
        const bool is_same_loss = loss == row.loss || (std::isnan(loss) && std::isnan(row.loss));
        if (step != row.step || !is_same_loss)
            throw InputError(
                {.id = 404,
                 .what = fmt::format("epoch {} of stage {} has loss {} after step {}; in {} {} after step {}",
                                     row.epoch, printable(row.stage), row.loss, row.step, log_name, loss, step),
                 .at = printable(path.string())});
    }
}

std::string model_name(const std::string& stage, const char* which) {
    return fmt::format("models/{}.{}.safetensors", stage, which);
}

// What the model says it was trained by, against all that the run says it was; a run.json that does not say leaves it.
std::string difference(const ModelFile& file, const std::string& stage, const Json& facts) {
    const Json* recipe = file.facts ? &file.facts->recipe : nullptr;
    const auto said = [&](const char* key) {
        const Json* value = recipe == nullptr || !recipe->is_object() ? nullptr : recipe->find(key);
        return value == nullptr || !value->is_text() ? std::string() : value->text();
    };
    if (said("stage") != stage)
        return said("stage").empty() ? "no model of a run" : fmt::format("of stage {}", printable(said("stage")));
    const Json* processes = facts.find("processes");
    if (processes == nullptr) return {};
    for (const Json& process : processes->elements()) {
        const Json* hash = process.find("config_hash");
        if (hash == nullptr || hash->text() == said("config_hash")) return {};
    }
    return "of another run's recipe";
}

}

RunFiles check_run_files(const fs::path& run, const Json& facts, const FileSystem& system) {
    RunFiles files;
    for (const char* name : {log_name, table_name})
        if (!is_there(run / name)) files.warnings.push_back(fmt::format("{} is gone: a new one begins here", name));
    if (is_there(run / log_name)) {
        try {
            files.log = read_run_log(run / log_name, facts, system);
        } catch (const InputError& error) { refuse(log_name, error); }
    }
    try {
        check_table(run / table_name, files.log, system);
    } catch (const InputError& error) { refuse(table_name, error); }
    return files;
}

void check_had_no_checkpoint(const RunLog& log, const fs::path& run) {
    // A checkpoint's record precedes it: that the run went on, or ended in order, shows that it was written.
    bool is_recorded = false, was_written = false;
    for (const Json& record : log.records) {
        const std::string& type = record.at("type").text();
        const bool goes_on = type == "step" || type == "epoch" || type == "stage" || type == "checkpoint" ||
                             (type == "end" && record.at("state").text() != "failed");
        was_written = was_written || (is_recorded && goes_on);
        is_recorded = is_recorded || type == "checkpoint";
    }
    if (!was_written) return;
    throw InputError({.id = 1005,
                      .what = fmt::format("run {} had checkpoints and has none", printable(run.string())),
                      .at = printable((run / "checkpoints").string()),
                      .why = "to go on from the start would replace what the run has trained",
                      .try_ = "the checkpoints put back; or a new run"});
}

ModelFile read_run_model(const fs::path& run, const std::string& stage, const char* which, const Json& facts,
                         const FileSystem& system) {
    const std::string name = model_name(stage, which);
    const char* advice = "the run's own put back; or --from a checkpoint of an earlier stage; or a new run";
    try {
        ModelFile file = read_model_file(run / name, {}, {}, system);
        const std::string differs = difference(file, stage, facts);
        if (differs.empty()) return file;
        throw InputError({.id = 1005,
                          .what = fmt::format("{} is not this run's: it is {}", name, differs),
                          .at = printable((run / name).string()),
                          .why = "the run would go on from what it has not trained",
                          .try_ = advice});
    } catch (const InputError& error) {
        InputError::Parts parts = error.parts();
        if (parts.try_.empty()) parts.try_ = advice;
        throw InputError(std::move(parts));
    }
}

std::vector<std::string> missing_files(const fs::path& run, const Json::Array& results) {
    std::vector<std::string> names = {log_name, table_name, "recipe.toml"};
    for (const Json& result : results) {
        const std::string& stage = result.at("stage").text();
        names.push_back(model_name(stage, "last"));
        if (result.find("best") != nullptr) names.push_back(model_name(stage, "best"));
    }
    std::erase_if(names, [&](const std::string& name) { return is_there(run / name); });
    return names;
}

}
