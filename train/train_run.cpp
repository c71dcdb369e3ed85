// The life of a run: opened from its recipe, trained, its end written down.
#include "train/train_run.h"

#include "data/dataset.h"
#include "train/memory_plan.h"
#include "train/recipe_check.h"
#include "train/resume_check.h"
#include "train/resume_files.h"
#include "train/run_recorder.h"
#include "train/run_settings.h"
#include "train/stage_recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <random>

namespace bkd {
namespace {

std::string random_id() {
    std::random_device device;
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

// Everything of a run but its folder: what is opened the same way at the start and on resume.
class OpenRun {
public:
    OpenRun(const Recipe& recipe, const RunOptions& options)
        : recipe_(recipe),
          options_(options),
          data_(open_run_data(recipe)),
          method_(make_method(recipe.text("method.name"), {recipe, data_.counts()})),
          stages_(complete_stages(*method_, recipe)),
          settings_(read_run_settings(recipe)),
          make_network_(network_factory(settings_.network_for(data_.train))),
          runtime_(options.device,
                   {.threads = options.threads,
                    .strict = settings_.is_strict,
                    .winograd = settings_.winograd,
                    .tf32 = settings_.tf32},
                   settings_.storage),
          training_{.runtime = runtime_, .splits = splits_, .make_network = make_network_} {
        settings_.apply(training_);
        recipe_.refuse_unused_keys();
        for (const Stage& stage : stages_) check_stage(stage);
        check_memory(planned());
        const Context ctx(runtime_);
        splits_.add(ctx, "train", data_.train, data_.mean, data_.deviation, settings_.loader_threads);
        splits_.add(ctx, "test", data_.test, data_.mean, data_.deviation, settings_.loader_threads);
        if (data_.validation)
            splits_.add(ctx, "validation", *data_.validation, data_.mean, data_.deviation, settings_.loader_threads);
        splits_.at(training_.eval_split);  // there is one of that name
    }

    RecordedRun recorded() const {
        return {recipe_, data_, stages_, recipe_.text("method.name"), recipe_.hash(), settings_.cadence};
    }
    const Recipe& recipe() const { return recipe_; }
    const RunData& data() const { return data_; }
    const std::vector<Stage>& stages() const { return stages_; }
    const Runtime& runtime() const { return runtime_; }
    OpenedRun opened() const {
        return {data_, training_, stages_, [this](const Stage& stage) { return method_of(stage); },
                [this](const std::string& path) -> const StageResult& { return files_.at(path); }};
    }

    // `facts`: run.json, of a run that goes on.
    bool train(RunRecorder& recorder, const RunFolder& folder, const Checkpoint* from, const Json& facts) {
        Trainer trainer(training_, stages_, *method_, recorder, [&](const Stage& stage) {
            return make_method(stage.method, {recipe_, data_.counts(), stage.name});
        });
        trainer.read_file = [&](const std::string& path) { return files_.at(path); };
        const auto read_model = [&](const std::string& stage, const char* which) {
            StageResult result =
                stage_result_of(read_run_model(folder.path(), stage, which, facts, options_.system), nullptr);
            result.name = stage;
            return result;
        };
        trainer.read_best = [&](const Stage& stage) -> std::optional<StageResult> {
            if (stage.select.kind != Selection::Kind::best || !from->best) return std::nullopt;
            return read_model(stage.name, "best");
        };
        for (std::int64_t i = 0; from != nullptr && i < from->stage_index; ++i) {
            const Stage& stage = stages_[static_cast<std::size_t>(i)];
            trainer.give(read_model(stage.name, stage.select.kind == Selection::Kind::best ? "best" : "last"));
        }
        try {
            return trainer.run(from);
        } catch (const InputError& error) {
            if (error.parts().id != 701) throw;
            throw with_plan(error, planned());
        }
    }

private:
    std::unique_ptr<Method> method_of(const Stage& stage) const {
        return stage.method.empty() ? make_method(recipe_.text("method.name"), {recipe_, data_.counts()})
                                    : make_method(stage.method, {recipe_, data_.counts(), stage.name});
    }
    PlannedTraining planned() const {
        std::map<std::string, const ImageSet*> sets{{"train", &data_.train}, {"test", &data_.test}};
        if (data_.validation) sets["validation"] = &*data_.validation;
        return {training_, std::move(sets), stages_, [this](const Stage& stage) { return method_of(stage); },
                [this](const std::string& path) -> const StageResult& { return files_.at(path); }};
    }

    // All that opening the stage would refuse and that does not hang on another stage's training: a run that cannot go
    // through is told before its folder is made. Reads the model files that it names.
    void check_stage(const Stage& stage) {
        // A file is checked again where other tensors of it are used.
        const auto read = [&](const std::string& path, const IsUnused& is_unused = {}) -> const StageResult& {
            auto found = files_.find(path);
            if (found == files_.end() || is_unused) {
                const std::unique_ptr<Network> plain = make_network_(data_.train.classes(), {});
                found =
                    files_.insert_or_assign(path, read_stage_result(path, &plain->parameters(), path, is_unused)).first;
            }
            return found->second;
        };
        const auto starts_fresh = [&](std::string_view name) { return starts_from(stage, name) == fresh; };
        const bool has_fresh = std::ranges::any_of(stage.start, [](const StartRule& r) { return r.from == fresh; });
        const std::vector<std::int32_t>& classes = stage.feeds.front().sampler.classes;
        const auto count = classes.empty() ? data_.train.classes() : static_cast<std::int64_t>(classes.size());
        const std::unique_ptr<Network> network = make_network_(count, stage.parts);
        add_trained_states(stage, *network, [](const State&) { return Shape{1}; });
        check_rules(stage, *network);
        for (const StartRule& rule : stage.start)
            if (is_model_file(rule.from)) read(rule.from, has_fresh ? IsUnused(starts_fresh) : IsUnused());
        for (const Companion& companion : stage.companions)
            if (is_model_file(companion.from)) check_same_classes(companion, read(companion.from), data_.train);
    }

    const Recipe& recipe_;
    const RunOptions& options_;
    RunData data_;
    std::unique_ptr<Method> method_;
    std::vector<Stage> stages_;
    RunSettings settings_;
    NetworkFactory make_network_;
    Runtime runtime_;
    Splits splits_;
    Training training_;
    std::map<std::string, StageResult> files_{};  // that stages start from and companions are, by path
};

// Says in run.json and the log how the run failed. Where that fails, too (a full disk), the error itself still counts.
void write_failure(RunRecorder& recorder, RunFolder& folder, const std::string& id, const std::string& what) {
    try {
        recorder.write_facts("failed", Json::Object{{"id", id}, {"what", what}});
        folder.log("end", {{"state", "failed"}, {"id", id}, {"step", recorder.global_step()}});
    } catch (...) {}
}

// Files that were removed while the run was at work. Of the recipe, without which it cannot go on, this process knows
// the text.
void tell_lost_files(const OpenRun& run, RunRecorder& recorder, RunFolder& folder) {
    for (const std::string& name : folder.lost())
        recorder.warn(fmt::format("{} was removed or replaced while the run was at work: it begins there", name));
    for (const std::string& name : missing_files(folder.path(), recorder.results())) {
        const bool is_recipe = name == "recipe.toml";
        if (is_recipe) folder.write_recipe(run.recipe().print());
        recorder.warn(fmt::format("{} was removed while the run was at work{}", name,
                                  is_recipe ? ": written again" : ": its content is lost"));
    }
}

constexpr int cannot_write = 6;  // the exit code

// What to do once it can be written again.
std::string way_on(const RunFolder& folder) {
    const std::string path = printable(folder.path().string());
    std::error_code unknown;
    if (std::filesystem::exists(folder.path(), unknown)) return fmt::format("bkd train --resume {}", path);
    return fmt::format("{} is gone; where it was moved to: bkd train --resume THERE", path);
}

// From `start`, which says that the run begins, to its end, whatever that is.
RunResult finish(OpenRun& run, RunRecorder& recorder, RunFolder& folder, const Checkpoint* from,
                 const std::function<void()>& start) {
    try {
        start();
        const bool is_done = run.train(recorder, folder, from, recorder.run_facts);
        tell_lost_files(run, recorder, folder);
        const char* state = is_done ? "done" : "stopped";
        // run.json last: once it says "done" the run is taken up no more.
        folder.log("end", {{"state", state}, {"step", recorder.global_step()}});
        folder.sync_log();
        recorder.write_facts(state);
        return {folder.path(), is_done ? RunResult::State::done : RunResult::State::stopped, recorder.summaries()};
    } catch (const InputError& error) {
        write_failure(recorder, folder, error.id(), error.parts().what);
        InputError::Parts parts = error.parts();
        if (error.exit_code() != cannot_write) throw;
        const std::string resume = way_on(folder);
        parts.try_ = parts.try_.empty() ? resume : fmt::format("{}, then {}", parts.try_, resume);
        throw InputError(std::move(parts));
    } catch (const std::bad_alloc&) {
        write_failure(recorder, folder, "E0701", "the machine has no memory left");
        throw;
    } catch (const std::exception& error) {
        write_failure(recorder, folder, "E7000", error.what());
        throw;
    }
}

// Whether products round to TF32: the recipe may ask for it where no device can.
bool has_tf32(const Recipe& recipe, const OpenRun& run) {
    return recipe.boolean("compute.tf32") && run.runtime().backend->device.kind == DeviceKind::cuda;
}

Json first_facts(const Recipe& recipe, const OpenRun& run, const RunFolder& folder, const RunOptions& options) {
    return Json::Object{{"schema", std::string(run_schema)},
                        {"id", random_id()},
                        {"name", folder.path().filename().string()},
                        {"argv", Json::array(options.command)},
                        {"version", options.version},
                        {"commit", options.commit},
                        {"compiler", __VERSION__},
                        {"recipe", recipe.name()},
                        {"config_hash", recipe.hash()},
                        {"seed", recipe.integer("run.seed")},
                        {"deterministic", recipe.text("run.deterministic")},
                        {"dtype", recipe.text("compute.dtype")},
                        {"tf32", has_tf32(recipe, run)},
                        {"device", run.runtime().backend->description()},
                        {"data", run.data().facts()},
                        {"start", time_text(std::chrono::system_clock::now())},
                        {"segments", std::int64_t{1}}};
}

// Of this process: a run may be taken up by another version, on another machine.
struct Process {
    std::string version, commit, device;
};

void log_start(RunFolder& folder, const Json& facts, const Process& process) {
    folder.log("run", {{"schema", std::string(log_schema)},
                       {"id", facts.at("id")},
                       {"config_hash", facts.at("config_hash")},
                       {"seed", facts.at("seed")},
                       {"version", process.version},
                       {"commit", process.commit},
                       {"device", process.device}});
}

// `name`: of the recipe that the run began with; a resumed one is read from the run's own recipe.toml.
void narrate_start(Narrator& narrator, const Process& process, const std::string& name, const Recipe& recipe,
                   const OpenRun& run, const RunFolder& folder) {
    narrator.line(fmt::format("bkd {} ({})  {}  seed {}  deterministic={}  dtype={}", process.version, process.commit,
                              process.device, recipe.integer("run.seed"), recipe.text("run.deterministic"),
                              recipe.text("compute.dtype") + (has_tf32(recipe, run) ? "-tf32" : "")));
    narrator.line(fmt::format("recipe   {}  -> {}", name, folder.path().string()));
    narrator.line("data     " + run.data().description);
    for (const ImageSet* set : {&run.data().train, &run.data().test})
        if (!set->skipped.empty())
            narrator.warning(
                fmt::format("{} of {} left out as unreadable, the first: {}",
                            set->skipped.size() == 1 ? "1 picture" : fmt::format("{} pictures", set->skipped.size()),
                            name_of(set->split), set->skipped.front()));
    for (const std::string& warning : recipe.warnings) narrator.warning(warning);
    if (recipe.boolean("compute.tf32") && !has_tf32(recipe, run))
        narrator.warning("compute.tf32 = true has no effect on " + run.runtime().backend->device.str());
}

Json without(const Json& object, std::initializer_list<std::string_view> keys) {
    Json::Object kept;
    for (const Json::Member& member : object.members())
        if (std::ranges::find(keys, member.first) == keys.end()) kept.push_back(member);
    return kept;
}

// While a run's recipe changes, both hashes stand in run.json: an end between the two files leaves a run.
bool is_recipe_of(const Recipe& recipe, const Json& facts) {
    const Json* next = facts.find("next_config_hash");
    return recipe.hash() == facts.at("config_hash").text() || (next != nullptr && recipe.hash() == next->text());
}

void change_recipe(RunFolder& folder, Json& facts, const Recipe& recipe) {
    if (facts.at("config_hash").text() == recipe.hash()) return;
    facts.set("next_config_hash", recipe.hash());
    folder.write_facts(facts);
    folder.write_recipe(recipe.print());
    facts = without(facts, {"next_config_hash"});
    facts.set("config_hash", recipe.hash());
}

}

void open_run(const Recipe& recipe, const RunOptions& options, const std::function<void(const OpenedRun&)>& use) {
    const OpenRun run(recipe, options);
    use(run.opened());
}

RunResult train_run(const Recipe& recipe, const RunOptions& options, Narrator& narrator) {
    OpenRun run(recipe, options);
    const RecordedRun recorded = run.recorded();
    const bool is_named = recipe.is_set("run.name");
    const std::string name =
        is_named ? recipe.text("run.name") : fmt::format("{}-s{}", recipe.name(), recipe.integer("run.seed"));
    Json facts;
    RunFolder folder =
        RunFolder::create(recipe.text("run.dir"), name, is_named, options.system, [&](RunFolder& created) {
            created.write_recipe(recipe.print());
            RunRecorder first(recorded, created, options, narrator);
            first.run_facts = facts = first_facts(recipe, run, created, options);
            first.begin_process({}, 1);
            first.write_facts("created");
        });
    RunRecorder recorder(recorded, folder, options, narrator);
    recorder.run_facts = facts;
    recorder.begin_process({}, 1);
    return finish(run, recorder, folder, nullptr, [&] {
        const Process process{options.version, options.commit, run.runtime().backend->description()};
        log_start(folder, facts, process);
        folder.log("data", facts.at("data").members());
        narrate_start(narrator, process, recipe.name(), recipe, run, folder);
    });
}

RunResult resume_run(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                     const RunOptions& options, Narrator& narrator) {
    Json facts = RunFolder::facts_in(path, options.system);
    const std::string recipe_path = std::filesystem::absolute(path / "recipe.toml").string();
    const Recipe then = load_recipe(recipe_path, {}, options.recipes);
    if (!is_recipe_of(then, facts))
        throw InputError({.id = 1005,
                          .what = "recipe.toml is not the one the run was started with",
                          .at = recipe_path,
                          .why = "its hash differs from that in run.json"});
    const Recipe recipe = load_recipe(recipe_path, overrides, options.recipes);
    check_changes(then, recipe, options.allowed_changes);
    if (facts.at("state").text() == "done" && recipe.hash() == facts.at("config_hash").text() && options.from.empty()) {
        for (const std::string& name : missing_files(path, facts.at("results").elements()))
            narrator.warning(fmt::format("{} is gone", name));
        narrator.line(fmt::format("{} is finished: nothing to do", path.string()));
        return {path, RunResult::State::nothing_to_do, {}};
    }
    const RunFiles files = check_run_files(path, facts, options.system);
    RunFolder folder = RunFolder::open(path, options.system);
    if (RunFolder::facts_in(path, options.system) != facts)
        throw InputError({.id = 1002,
                          .what = fmt::format("another process has just worked on run {}", printable(path.string())),
                          .try_ = "the same command again"});
    OpenRun run(recipe, options);
    if (run.data().fingerprint != facts.at("data").at("sha256").text())
        throw InputError({.id = 1005,
                          .what = "the training data are not those of the run",
                          .at = path.string(),
                          .why = "the SHA-256 over labels and pixels differs from that in run.json"});

    const RecordedRun recorded = run.recorded();
    RunRecorder recorder(recorded, folder, options, narrator);
    const std::int64_t segment = facts.at("segments").integer() + 1;
    folder.set_segment(segment);
    if (!folder.lock_taken_from().empty())
        recorder.warn(fmt::format("the run's lock is taken over from {}, which has ended", folder.lock_taken_from()));
    for (const std::string& warning : files.warnings) recorder.warn(warning);
    bool has_damaged = false;
    const std::optional<Checkpoint> found = options.from.empty()
                                                ? folder.newest_checkpoint([&](const std::string& text) {
                                                      recorder.warn(text);
                                                      has_damaged = true;
                                                  })
                                                : std::optional(read_checkpoint(options.from, options.system));
    if (has_damaged && !found)
        throw InputError({.id = 1005,
                          .what = fmt::format("every checkpoint of run {} is damaged", printable(path.string())),
                          .at = printable((path / "checkpoints").string()),
                          .why = "to go on from the start would replace what the run has trained",
                          .try_ = "a new run"});
    if (!found) check_had_no_checkpoint(files.log, path);
    const Checkpoint* from = found ? &*found : nullptr;
    const auto seed = static_cast<std::uint64_t>(recipe.integer("run.seed"));
    if (from != nullptr) check_checkpoint(*from, facts.at("id").text(), seed, run.stages(), !options.from.empty());
    check_epochs(then, recipe, run.stages(), from);
    if (!options.allowed_changes.empty()) {
        check_no_stage_selects_best(run.stages(), from);
        recorder.warn(fmt::format("{} changed: the run is no longer one of its recipe",
                                  fmt::join(options.allowed_changes, ", ")));
    }

    const bool is_new_course = !options.from.empty() || !options.allowed_changes.empty();
    const std::int64_t set_aside =
        is_new_course ? folder.set_aside_after(from == nullptr ? 0 : from->global_step, segment) : 0;
    if (set_aside > 0)
        recorder.warn(fmt::format("{} checkpoint{} of later steps moved to checkpoints/aside-{}", set_aside,
                                  set_aside == 1 ? "" : "s", segment));
    change_recipe(folder, facts, recipe);
    facts.set("segments", segment);
    if (const std::string device = run.runtime().backend->description(); device != facts.at("device").text())
        recorder.warn(fmt::format("the run began on {}; on {} its last digits may become others",
                                  printable(facts.at("device").text()), device));
    recorder.run_facts = without(facts, {"error", "end"});
    if (from != nullptr) {
        recorder.go_on_from(*from);
        recorder.keep_results(facts.at("results"), from->stage_index);
    }
    const Json* processes = facts.find("processes");
    recorder.begin_process(processes == nullptr ? Json() : *processes, segment);
    return finish(run, recorder, folder, from, [&] {
        const Process process{options.version, options.commit, run.runtime().backend->description()};
        recorder.write_facts("running");
        folder.cut_metrics(recorder.global_step());
        log_start(folder, facts, process);
        folder.log("resume", {{"from", from ? Json("checkpoints/" + checkpoint_name(*from)) : Json()},
                              {"step", recorder.global_step()},
                              {"dropped_bytes", folder.dropped_bytes()},
                              {"changed", changed_values(then, recipe)}});
        narrate_start(narrator, process, facts.at("recipe").text(), recipe, run, folder);
        narrator.line(from ? fmt::format("resumed from {}", checkpoint_name(*from))
                           : std::string("no checkpoint yet: from the start"));
    });
}

}
