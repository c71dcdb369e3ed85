// The life of a run: opened from its recipe, trained, its end written down.
#include "train/train_run.h"

#include "data/dataset.h"
#include "train/recipe_check.h"
#include "train/run_recorder.h"
#include "train/stage_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace bkd {
namespace {

std::string random_id() {
    std::random_device device;
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

NetworkOptions network_options(const Recipe& r, const RunData& data) {
    NetworkOptions options{.name = r.text("model.name"),
                           .classes = data.train.classes(),
                           .channels = data.train.channels,
                           .classifier = r.text("model.classifier")};
    if (options.classifier == "cosine") options.cosine_scale = r.number("model.cosine_scale");
    r.text("model.init");
    if (const std::string shortcut = r.text("model.shortcut"); shortcut != "a")
        throw InputError({.id = 308,
                          .what = fmt::format("model.shortcut = \"{}\" is not in this version", shortcut),
                          .at = r.at("model.shortcut"),
                          .try_ = "a"});
    return options;
}

ShotThresholds thresholds(const Recipe& r) {
    const std::vector<std::int64_t> groups = r.integers("eval.groups");
    return {.many = groups.at(0), .few = groups.at(1)};
}

// Everything of a run but its folder: what is opened the same way at the start and on resume.
class OpenRun {
public:
    OpenRun(const Recipe& recipe, const RunOptions& options)
        : recipe_(recipe),
          data_(open_run_data(recipe)),
          method_(make_method(recipe.text("method.name"), {recipe, data_.counts()})),
          stages_(complete_stages()),
          make_network_(network_factory(network_options(recipe, data_))),
          runtime_(options.device, {.threads = options.threads}),
          training_{.runtime = runtime_, .splits = splits_, .make_network = make_network_} {
        fill_training();
        recipe_.refuse_unused_keys();
        const Context ctx(runtime_);
        splits_.add(ctx, "train", data_.train, data_.mean, data_.deviation);
        splits_.add(ctx, "test", data_.test, data_.mean, data_.deviation);
        if (data_.validation) splits_.add(ctx, "validation", *data_.validation, data_.mean, data_.deviation);
        splits_.at(training_.eval_split);  // there is one of that name
    }

    RecordedRun recorded() const { return {recipe_, data_, stages_, recipe_.text("method.name"), recipe_.hash()}; }
    const RunData& data() const { return data_; }
    const std::vector<Stage>& stages() const { return stages_; }
    const Runtime& runtime() const { return runtime_; }

    bool train(RunRecorder& recorder, const RunFolder& folder, const Checkpoint* from) {
        Trainer trainer(training_, stages_, *method_, recorder, [&](const Stage& stage) {
            return make_method(stage.method, {recipe_, data_.counts(), stage.name});
        });
        trainer.read_file = [&](const std::string& path) {
            return read_stage_result(path, make_network_(data_.train.classes(), {}).get(), path);
        };
        trainer.read_best = [&](const Stage& stage) { return best_of(stage, folder); };
        for (std::int64_t i = 0; from != nullptr && i < from->stage_index; ++i) {
            const Stage& stage = stages_[static_cast<std::size_t>(i)];
            const char* which = stage.select.kind == Selection::Kind::best ? "best" : "last";
            StageResult result = read_stage_result(folder.model_path(stage.name, which), nullptr, {});
            result.name = stage.name;
            trainer.give(std::move(result));
        }
        return trainer.run(from);
    }

private:
    std::vector<Stage> complete_stages() const {
        std::vector<Stage> stages = method_->stages();
        std::vector<std::string> names;
        for (Stage& stage : stages) {
            complete_from_recipe(stage, recipe_);
            names.push_back(stage.name);
        }
        // A companion that comes from a file is a stage that was left out.
        for (const Stage& stage : stages)
            for (const Companion& companion : stage.companions)
                if (std::ranges::find(names, companion.name) == names.end())
                    names.insert(names.begin(), companion.name);
        check_stages(recipe_, names);
        return stages;
    }

    void fill_training() {
        training_.seed = static_cast<std::uint64_t>(recipe_.integer("run.seed"));
        recipe_.text("run.deterministic");
        recipe_.text("compute.dtype");
        training_.loader_threads = recipe_.integer("train.workers");
        training_.log_every = recipe_.integer("log.every");
        training_.eval_every = recipe_.integer("eval.every");
        training_.eval_batch = recipe_.integer("eval.batch");
        training_.eval_split = recipe_.text("eval.split");
        training_.groups = thresholds(recipe_);
        training_.skips_nonfinite = recipe_.text("train.nonfinite") == "skip";
        training_.divergence_steps = recipe_.integer("train.divergence.for_steps");
        if (recipe_.is_set("train.divergence.loss_above"))
            training_.divergence_above = recipe_.number("train.divergence.loss_above");
    }

    std::optional<StageResult> best_of(const Stage& stage, const RunFolder& folder) const {
        const std::filesystem::path path = folder.model_path(stage.name, "best");
        if (!std::filesystem::exists(path)) return std::nullopt;
        StageResult result = read_stage_result(path, nullptr, {});
        result.name = stage.name;
        return result;
    }

    const Recipe& recipe_;
    RunData data_;
    std::unique_ptr<Method> method_;
    std::vector<Stage> stages_;
    NetworkFactory make_network_;
    Runtime runtime_;
    Splits splits_;
    Training training_;
};

RunResult finish(OpenRun& run, RunRecorder& recorder, RunFolder& folder, const Checkpoint* from) {
    try {
        const bool is_done = run.train(recorder, folder, from);
        const char* state = is_done ? "done" : "stopped";
        recorder.write_facts(state);
        folder.log("end", {{"state", state}, {"step", recorder.global_step()}});
        folder.sync_log();
        return {folder.path(), is_done ? RunResult::State::done : RunResult::State::stopped, recorder.summaries()};
    } catch (const InputError& error) {
        if (error.exit_code() != 6) {  // else nothing can be written
            recorder.write_facts("failed", &error);
            folder.log("end", {{"state", "failed"}, {"id", error.id()}, {"step", recorder.global_step()}});
        }
        throw;
    }
}

Json first_facts(const Recipe& recipe, const OpenRun& run, const RunFolder& folder, const RunOptions& options) {
    return Json::Object{{"schema", "bkd.run/1"},
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
                        {"device", run.runtime().backend->description()},
                        {"data", run.data().facts()},
                        {"start", time_text(std::chrono::system_clock::now())},
                        {"segments", std::int64_t{1}}};
}

void log_start(RunFolder& folder, const Json& facts, bool is_new) {
    folder.log("run", {{"schema", "bkd.log/1"},
                       {"id", facts.at("id")},
                       {"config_hash", facts.at("config_hash")},
                       {"seed", facts.at("seed")},
                       {"version", facts.at("version")},
                       {"commit", facts.at("commit")},
                       {"device", facts.at("device")}});
    if (is_new) folder.log("data", facts.at("data").members());
}

void narrate_start(Narrator& narrator, const Json& facts, const Recipe& recipe, const OpenRun& run,
                   const RunFolder& folder) {
    narrator.line(fmt::format("bkd {} ({})  {}  seed {}  deterministic={}", facts.at("version").text(),
                              facts.at("commit").text(), facts.at("device").text(), facts.at("seed").integer(),
                              facts.at("deterministic").text()));
    narrator.line(fmt::format("recipe   {}  -> {}", recipe.name(), folder.path().string()));
    narrator.line("data     " + run.data().description);
    for (const std::string& warning : recipe.warnings) narrator.warning(warning);
}

// What --resume may change: nothing that decides results, but for more epochs.
void check_changes(const Recipe& then, const Recipe& now) {
    for (const auto& [path, leaf] : now.leaves()) {
        const Leaf* before = then.find(path);
        if (leaf.key->effect != KeyEffect::result || (before != nullptr && before->value == leaf.value)) continue;
        const auto* more = std::get_if<std::int64_t>(&leaf.value);
        const auto* had = before == nullptr ? nullptr : std::get_if<std::int64_t>(&before->value);
        if (leaf.key->resume == KeyResume::free) continue;
        if (leaf.key->resume == KeyResume::upwards && more != nullptr && had != nullptr && *more > *had) continue;
        throw InputError({.id = 1005,
                          .what = fmt::format("{} cannot change on resume: {} was {}", path, value_text(leaf.value),
                                              before == nullptr ? "unset" : value_text(before->value)),
                          .at = leaf.provenance,
                          .why = "it decides results: the run would be neither the old nor a new one"});
    }
}

}

RunResult train_run(const Recipe& recipe, const RunOptions& options, Narrator& narrator) {
    OpenRun run(recipe, options);
    const bool is_named = recipe.is_set("run.name");
    const std::string name =
        is_named ? recipe.text("run.name") : fmt::format("{}-s{}", recipe.name(), recipe.integer("run.seed"));
    RunFolder folder = RunFolder::create(recipe.text("run.dir"), name, is_named, options.system);
    folder.write_recipe(recipe.print());
    const RecordedRun recorded = run.recorded();
    RunRecorder recorder(recorded, folder, options, narrator);
    recorder.run_facts = first_facts(recipe, run, folder, options);
    recorder.write_facts("created");
    log_start(folder, recorder.run_facts, true);
    narrate_start(narrator, recorder.run_facts, recipe, run, folder);
    return finish(run, recorder, folder, nullptr);
}

RunResult resume_run(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                     const RunOptions& options, Narrator& narrator) {
    RunFolder folder = RunFolder::open(path, options.system);
    Json facts = folder.read_facts();
    const std::string recipe_path = std::filesystem::absolute(path / "recipe.toml").string();
    const Recipe then = load_recipe(recipe_path, {}, options.recipes);
    if (then.hash() != facts.at("config_hash").text())
        throw InputError({.id = 1005,
                          .what = "recipe.toml is not the one the run was started with",
                          .at = recipe_path,
                          .why = "its hash differs from that in run.json"});
    const Recipe recipe = load_recipe(recipe_path, overrides, options.recipes);
    check_changes(then, recipe);
    if (facts.at("state").text() == "done" && recipe.hash() == then.hash()) {
        narrator.line(fmt::format("{} is finished: nothing to do", path.string()));
        return {path, RunResult::State::nothing_to_do, {}};
    }
    OpenRun run(recipe, options);
    if (run.data().fingerprint != facts.at("data").at("sha256").text())
        throw InputError({.id = 1005,
                          .what = "the training data are not those of the run",
                          .at = path.string(),
                          .why = "the SHA-256 over labels and pixels differs from that in run.json"});

    const RecordedRun recorded = run.recorded();
    RunRecorder recorder(recorded, folder, options, narrator);
    const std::int64_t segment = facts.at("segments").integer() + 1;
    facts.set("segments", segment);
    facts.set("config_hash", recipe.hash());
    folder.set_segment(segment);
    if (recipe.hash() != then.hash()) folder.write_recipe(recipe.print());
    const std::optional<Checkpoint> from =
        folder.newest_checkpoint([&](const std::string& text) { recorder.warn(text); });
    if (from) {
        recorder.go_on_from(*from);
        recorder.keep_results(facts.at("results"), from->stage_index);
    }
    folder.cut_metrics(from ? from->global_step : 0);
    recorder.run_facts = facts;
    recorder.write_facts("running");
    log_start(folder, facts, false);
    folder.log("resume", {{"from", from ? Json("checkpoints/" + checkpoint_name(*from)) : Json()},
                          {"step", recorder.global_step()},
                          {"dropped_bytes", folder.dropped_bytes()}});
    narrate_start(narrator, facts, recipe, run, folder);
    narrator.line(from ? fmt::format("resumed from {}", checkpoint_name(*from))
                       : std::string("no checkpoint yet: from the start"));
    return finish(run, recorder, folder, from ? &*from : nullptr);
}

}
