#include "train/run_folder.h"

#include "train/metrics_table.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace bkd {
namespace {

namespace fs = std::filesystem;

constexpr std::array inner_folders = {"checkpoints", "models", "eval"};

[[noreturn]] void fail_to_make(const fs::path& path, const std::error_code& error) {
    throw InputError({.id = 601,
                      .what = fmt::format("cannot make folder {}: {}", printable(path.string()), error.message()),
                      .at = "run.dir"});
}

// False if something is there already.
bool make_folder(const fs::path& path) {
    std::error_code error;
    const bool is_new = fs::create_directory(path, error);
    if (error) fail_to_make(path, error);
    return is_new;
}

void make_folders(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) fail_to_make(path, error);
}

void make_inner_folders(const fs::path& run) {
    for (const char* inner : inner_folders) make_folder(run / inner);
}

void remove_folder(const fs::path& path) {  // where it is empty
    std::error_code error;
    fs::remove(path, error);
}

// The step in "student-e0012-s0001020.ckpt"; -1 for another name.
std::int64_t step_of(const fs::path& path) {
    const std::string name = path.stem().string();
    const std::size_t at = name.rfind("-s");
    std::int64_t step = -1;
    if (path.extension() != ".ckpt" || at == std::string::npos) return -1;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + at + 2, end, step);
    return error == std::errc() && stop == end ? step : -1;
}

std::int64_t epoch_of(const fs::path& path) {
    const std::string name = path.stem().string();
    const std::size_t at = name.rfind("-e");
    std::int64_t epoch = 0;
    if (at != std::string::npos) std::from_chars(name.data() + at + 2, name.data() + name.size(), epoch);
    return epoch;
}

}

std::string time_text(std::chrono::system_clock::time_point time) {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), since.count() % 1000);
}

void check_not_of_a_run(const fs::path& result) {
    std::error_code ignored;
    if (!fs::exists(result, ignored)) return;
    constexpr int deepest = 3;  // RUN/checkpoints/aside-2/FILE
    fs::path folder = fs::weakly_canonical(result, ignored).parent_path();
    for (int depth = 1; depth <= deepest; ++depth, folder = folder.parent_path()) {
        if (!fs::exists(folder / "run.json", ignored)) continue;
        if (depth == 1 && result.filename() == "report.html") return;
        throw InputError({.id = 606,
                          .what = fmt::format("{} is a file of a run", printable(result.string())),
                          .at = printable(folder.string()),
                          .why = "a run's files are its record, nothing else takes their place",
                          .try_ = "another name for the result"});
    }
}

RunFolder::RunFolder(fs::path path, const FileSystem& system)
    : path_(std::move(path)),
      system_(system),
      lock_(std::make_unique<RunLock>(path_, system)),
      log_(std::make_unique<AppendFile>(path_ / "log.jsonl", system)) {}

RunFolder RunFolder::create(const fs::path& parent, const std::string& name, bool name_is_given,
                            const FileSystem& system, const std::function<void(RunFolder&)>& fill) {
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos || printable(name) != name)
        throw InputError({.id = 304,
                          .what = fmt::format("run.name \"{}\" is no name of a folder", printable(name)),
                          .at = "run.name",
                          .why = "a run lies in run.dir, nowhere else",
                          .try_ = "a word of up to 200 characters that can be seen, without /"});
    std::error_code cannot_look;  // then it cannot be made, either
    const bool is_first = !fs::exists(parent, cannot_look);
    make_folders(parent);
    fs::path path = parent / name;
    try {
        for (int suffix = 2; !make_folder(path); ++suffix) {
            if (name_is_given)
                throw InputError({.id = 1001,
                                  .what = fmt::format("run folder {} exists already", printable(path.string())),
                                  .at = "run.name",
                                  .try_ = fmt::format("another run.name, or bkd train --resume {}", path.string())});
            path = parent / fmt::format("{}-{}", name, suffix);
        }
    } catch (...) {
        if (is_first) remove_folder(parent);
        throw;
    }
    try {
        make_inner_folders(path);
        RunFolder folder(path, system);
        write_file_atomically(path / "metrics.csv", std::string(metrics_header) + "\n", Overwrite::no, "table", system);
        fill(folder);
        return folder;
    } catch (...) {
        std::error_code error;
        fs::remove_all(path, error);
        if (error) remove_folder(path);  // under a umask that takes all, it cannot be looked into
        if (is_first) remove_folder(parent);
        throw;
    }
}

Json RunFolder::facts_in(const fs::path& path, const FileSystem& system, const char* asked_by) {
    if (!fs::exists(path / "run.json"))
        throw InputError({.id = 1004,
                          .what = fmt::format("{} is no run folder", printable(path.string())),
                          .at = asked_by,
                          .why = "it has no run.json"});
    const std::string file = (path / "run.json").string();
    const std::vector<std::byte> bytes = read_file(file, 16 << 20, {}, system);
    Json facts = Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
    const Json* schema = facts.is_object() ? facts.find("schema") : nullptr;
    if (schema == nullptr || !schema->is_text() || schema->text() != run_schema)
        throw InputError(
            {.id = 1006,
             .what = schema != nullptr && schema->is_text() ? "schema is " + printable(schema->text()) : "no schema",
             .at = printable(file),
             .why = fmt::format("this version reads {}", run_schema),
             .try_ = "the version that made the run"});
    return facts;
}

RunFolder RunFolder::open(const fs::path& path, const FileSystem& system) {
    facts_in(path, system);
    RunFolder folder(path, system);
    make_inner_folders(path);
    remove_abandoned_temporaries(path);
    for (const char* inner : inner_folders) remove_abandoned_temporaries(path / inner);
    return folder;
}

fs::path RunFolder::model_path(const std::string& stage, const char* which) const {
    return path_ / "models" / fmt::format("{}.{}.safetensors", stage, which);
}

void RunFolder::write_facts(const Json& facts) {
    lock_->keep();
    write_file_atomically(path_ / "run.json", facts.dump() + "\n", Overwrite::yes, "run facts", system_);
}

void RunFolder::write_recipe(const std::string& text) {
    write_file_atomically(path_ / "recipe.toml", text, Overwrite::yes, "recipe", system_);
}

void RunFolder::write_evaluation(const std::string& model, const std::string& split, const Json& document) {
    lock_->keep();
    write_file_atomically(path_ / "eval" / fmt::format("{}.{}.json", model, split), document.dump() + "\n",
                          Overwrite::yes, "evaluation", system_);
}

void RunFolder::log(const char* type, const Json::Object& members) {
    const double up = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    Json::Object line{{"t", time_text(std::chrono::system_clock::now())},
                      {"up", static_cast<double>(static_cast<std::int64_t>(up * 1000)) / 1000},
                      {"seg", segment_},
                      {"type", type}};
    line.insert(line.end(), members.begin(), members.end());
    lock_->keep();
    if (!log_->is_in_place()) {
        log_ = std::make_unique<AppendFile>(path_ / "log.jsonl", system_);
        lost_.insert("log.jsonl");
    }
    log_->write_line(Json(std::move(line)).dump());
}

void RunFolder::add_metrics_row(const std::string& row) {
    lock_->keep();
    const fs::path path = path_ / "metrics.csv";
    std::error_code unknown;
    const bool is_there = fs::exists(path, unknown);
    AppendFile table(path, system_);
    if (!is_there) {
        lost_.insert("metrics.csv");
        table.write_line(metrics_header);
    }
    table.write_line(row);
}

void RunFolder::cut_metrics(std::int64_t global_step) {
    std::string kept = std::string(metrics_header) + "\n";
    for (const MetricsRow& row : read_metrics_table(path_ / "metrics.csv", system_))
        if (row.step <= global_step) kept += row.line + "\n";
    write_file_atomically(path_ / "metrics.csv", kept, Overwrite::yes, "table", system_);
}

// What a full disk leaves.
void RunFolder::fail_checkpoint(const InputError& error) const {
    InputError::Parts parts = error.parts();
    if (parts.id != 602) throw;
    const std::vector<fs::path> all = checkpoints();
    parts.at = printable((path_ / "checkpoints").string());
    parts.why = all.empty()
                    ? "there was no checkpoint yet"
                    : fmt::format("the previous checkpoint {} is intact", printable(all[0].filename().string()));
    throw InputError(std::move(parts));
}

void RunFolder::write_checkpoint(const Checkpoint& checkpoint, std::int64_t keep_last, std::int64_t keep_every) {
    lock_->keep();
    const fs::path path = path_ / "checkpoints" / checkpoint_name(checkpoint);
    try {
        write_file_atomically(path, checkpoint_bytes(checkpoint), Overwrite::yes, "checkpoint", system_);
    } catch (const InputError& error) { fail_checkpoint(error); }
    const std::vector<fs::path> all = checkpoints();
    for (std::size_t i = static_cast<std::size_t>(keep_last); i < all.size(); ++i) {
        if (keep_every > 0 && epoch_of(all[i]) % keep_every == 0) continue;
        std::error_code error;  // one left over does no harm
        fs::remove(all[i], error);
    }
}

std::vector<fs::path> RunFolder::checkpoints() const {
    std::vector<fs::path> paths;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_ / "checkpoints"))
        if (step_of(entry.path()) >= 0) paths.push_back(entry.path());
    std::ranges::sort(paths, [](const fs::path& a, const fs::path& b) { return step_of(a) > step_of(b); });
    return paths;
}

std::int64_t RunFolder::set_aside_after(std::int64_t global_step, std::int64_t segment) {
    const fs::path aside = path_ / "checkpoints" / fmt::format("aside-{}", segment);
    std::int64_t moved = 0;
    for (const fs::path& path : checkpoints()) {
        if (step_of(path) <= global_step) break;  // newest first
        lock_->keep();
        std::error_code error;
        fs::create_directories(aside, error);
        if (!error) fs::rename(path, aside / path.filename(), error);
        if (error)
            throw InputError({.id = 601,
                              .what = fmt::format("cannot move {} to {}", printable(path.filename().string()),
                                                  printable(aside.string())),
                              .at = printable(path_.string()),
                              .why = error.message()});
        ++moved;
    }
    return moved;
}

std::optional<Checkpoint> RunFolder::newest_checkpoint(const std::function<void(const std::string&)>& warn) const {
    for (const fs::path& path : checkpoints()) {
        try {
            return read_checkpoint(path, system_);
        } catch (const InputError& error) {
            const int id = error.parts().id;
            const bool is_no_file = id == 501 || id == 503;  // a link to nothing, a folder
            if (error.exit_code() != 4 && !is_no_file) throw;
            warn(fmt::format("checkpoint {} is damaged and left out: {}", printable(path.filename().string()),
                             error.parts().what));
        }
    }
    return std::nullopt;
}

}
