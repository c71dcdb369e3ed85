#include "train/resume_check.h"

#include "train/schema.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkd {
namespace {

bool is_same(const Leaf* before, const Leaf& after) { return before != nullptr && before->value == after.value; }

bool may_grow(const Leaf& leaf) { return leaf.key->resume == KeyResume::upwards; }

std::int64_t epochs_of(const Recipe& recipe, const std::string& stage) {
    return recipe.for_stage(stage).integer("train.epochs");
}

}

void check_changes(const Recipe& then, const Recipe& now, const std::vector<std::string>& allowed) {
    for (const std::string& path : allowed) {
        const Leaf *before = then.find(path), *after = now.find(path);
        if (before == nullptr && after == nullptr && find_key(path) == nullptr)
            throw InputError({.id = 201,
                              .what = fmt::format("no key \"{}\"", printable(path)),
                              .at = "option --allow",
                              .try_ = suggest_key(path)});
        if (after == nullptr || is_same(before, *after))
            throw InputError({.id = 208,
                              .what = fmt::format("--allow {} has no effect: it does not change", printable(path)),
                              .at = "option --allow",
                              .try_ = fmt::format("bkd train --resume RUN --allow {} {}=VALUE", path, path)});
    }
    for (const auto& [path, leaf] : now.leaves()) {
        const Leaf* before = then.find(path);
        if (leaf.key->effect == KeyEffect::machine || leaf.key->resume == KeyResume::free || may_grow(leaf) ||
            is_same(before, leaf))
            continue;
        if (leaf.key->effect == KeyEffect::result && std::ranges::find(allowed, path) != allowed.end()) continue;
        throw InputError({.id = 1005,
                          .what = fmt::format("{} cannot change on resume: {} was {}", path, value_text(leaf.value),
                                              before == nullptr ? "unset" : value_text(before->value)),
                          .at = leaf.provenance,
                          .why = leaf.key->effect == KeyEffect::result
                                     ? "it decides results: the run would be neither the old nor a new one"
                                     : "the run goes on in its folder",
                          .try_ = leaf.key->effect == KeyEffect::result
                                      ? fmt::format("--allow {}, where the run may end as one of its own kind", path)
                                      : ""});
    }
}

Json changed_values(const Recipe& then, const Recipe& now) {
    Json::Object changed;
    for (const auto& [path, leaf] : now.leaves()) {
        const Leaf* before = then.find(path);
        if (!is_same(before, leaf))
            changed.emplace_back(path, Json::Array{before == nullptr ? Json() : Json(value_text(before->value)),
                                                   Json(value_text(leaf.value))});
    }
    return changed;
}

void check_no_stage_selects_best(std::span<const Stage> stages, const Checkpoint* from) {
    for (auto i = static_cast<std::size_t>(from == nullptr ? 0 : from->stage_index); i < stages.size(); ++i)
        if (stages[i].select.kind == Selection::Kind::best)
            throw InputError(
                {.id = 1005,
                 .what = fmt::format("stage {} gives its best epoch, and --allow changes what it is trained by",
                                     stages[i].name),
                 .at = "option --allow",
                 .why = "the best model on the disk may be of epochs that are trained anew",
                 .try_ = "a new run"});
}

void check_epochs(const Recipe& then, const Recipe& now, std::span<const Stage> stages, const Checkpoint* from) {
    for (std::size_t i = 0; i < stages.size(); ++i) {
        const Stage& stage = stages[i];
        const std::int64_t had = epochs_of(then, stage.name), has = epochs_of(now, stage.name);
        if (has == had || stage.epochs != has) continue;  // or the method decides them
        InputError::Parts parts{
            .id = 1005,
            .what = fmt::format("stage {} cannot have {} epochs on resume: it had {}", stage.name, has, had),
            .at = now.for_stage(stage.name).at("train.epochs")};
        const auto kind = stage.schedule ? stage.schedule->kind : Schedule::Kind::constant;
        const bool has_begun = from != nullptr && static_cast<std::size_t>(from->stage_index) >= i;
        if (has < had || has == 0 || had == 0) {
            parts.why = "epochs may only become more";
        } else if (has_begun && (kind == Schedule::Kind::cosine || kind == Schedule::Kind::cosine_step)) {
            parts.why = "a cosine schedule depends on the number of epochs: those done had other learning rates";
            parts.try_ = fmt::format("a new run: bkd train {} with these epochs", now.name());
        } else if (from != nullptr && static_cast<std::size_t>(from->stage_index) > i) {
            parts.why = "it is finished, and later stages started from its result";
            parts.try_ =
                fmt::format("stages.{}.epochs={}", stages[static_cast<std::size_t>(from->stage_index)].name, has);
        } else {
            continue;
        }
        throw InputError(std::move(parts));
    }
}

void check_checkpoint(const Checkpoint& checkpoint, const std::string& run, std::uint64_t seed,
                      std::span<const Stage> stages, bool is_chosen) {
    const auto count = static_cast<std::int64_t>(stages.size());
    const bool has_index = checkpoint.stage_index >= 0 && checkpoint.stage_index < count;
    const std::string here = has_index ? stages[static_cast<std::size_t>(checkpoint.stage_index)].name : std::string();
    std::string differs;
    if (!checkpoint.run.empty() && checkpoint.run != run)
        differs = fmt::format("run {}, this run is {}", printable(checkpoint.run), printable(run));
    else if (checkpoint.seed != seed)
        differs = fmt::format("seed {}, this run has {}", checkpoint.seed, seed);
    else if (!has_index)
        differs = fmt::format("stage number {}, this run has {} stages", checkpoint.stage_index + 1, count);
    else if (checkpoint.stage != here)
        differs = fmt::format("stage {} as number {}, in this run that is {}", printable(checkpoint.stage),
                              checkpoint.stage_index + 1, here);
    if (differs.empty()) return;
    throw InputError(
        {.id = 1005,
         .what = fmt::format("checkpoint {} is of {}", printable(checkpoint.file.filename().string()), differs),
         .at = printable(checkpoint.file.string()),
         .why = "training would go on from another run's weights",
         .try_ = is_chosen ? "--from a checkpoint of this run, or without --from the newest"
                           : "move it out of checkpoints/; the one before it then serves"});
}

}
