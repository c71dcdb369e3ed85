#include "train/stage_recipe.h"

#include "train/recipe_check.h"

#include <algorithm>

namespace bkd {
namespace {

Schedule schedule_of(const Recipe& r) {
    const std::string kind = r.text("schedule.kind");
    Schedule schedule{.base = r.number("optim.lr"), .warmup_epochs = r.number("schedule.warmup_epochs")};
    if (kind == "step") {
        schedule.kind = Schedule::Kind::step;
        schedule.step_epochs = static_cast<double>(r.integer("schedule.step"));
        schedule.gamma = r.number("schedule.gamma");
    } else if (kind == "multistep") {
        schedule.kind = Schedule::Kind::multistep;
        for (const std::int64_t epoch : r.integers("schedule.milestones"))
            schedule.milestones.push_back(static_cast<double>(epoch));
        schedule.gamma = r.number("schedule.gamma");
    } else {
        schedule.kind = kind == "cosine" ? Schedule::Kind::cosine : Schedule::Kind::cosine_step;
        schedule.minimum = r.number("schedule.lr_min");
        if (kind == "cosine") schedule.cosine_offset = static_cast<double>(r.integer("schedule.cosine_offset"));
    }
    return schedule;
}

SgdOptions optimizer_of(const Recipe& r) {
    r.text("optim.name");
    return {.momentum = r.number("optim.momentum"),
            .nesterov = r.boolean("optim.nesterov"),
            .weight_decay = r.number("optim.weight_decay")};
}

// A value the method has set gives way only to one that somebody wrote for this very stage.
template <class T, class Make>
void complete(std::optional<T>& value, bool is_explicit, Make make) {
    if (!value || is_explicit) value = make();
}

}

void complete_from_recipe(Stage& stage, const Recipe& recipe) {
    const Recipe r = recipe.for_stage(stage.name);
    const auto own = [&](const char* key) {
        return recipe.find(fmt::format("stages.{}.{}", stage.name, key)) != nullptr;
    };
    complete(stage.epochs, own("epochs") || own("train.epochs"), [&] { return r.integer("train.epochs"); });
    complete(stage.schedule, own("schedule.kind") || own("optim.lr"), [&] { return schedule_of(r); });
    complete(stage.optimizer, own("optim.momentum") || own("optim.weight_decay"), [&] { return optimizer_of(r); });
    complete(stage.batch_size, own("batch.size"), [&] { return r.integer("batch.size"); });
    complete(stage.last_batch, own("batch.drop_last"),
             [&] { return r.boolean("batch.drop_last") ? LastBatch::drop : LastBatch::keep; });
    complete(stage.augment, own("data.augment"), [&] {
        const std::string augment = r.text("data.augment");
        return CropFlip{.padding = augment.starts_with("crop") ? 4 : 0, .flip = augment != "none"};
    });
    if (stage.steps == 0) stage.steps = r.integer("train.max_steps");
    stage.decays_vectors = r.boolean("optim.decay_bn_bias");
    if (own("init_from"))
        stage.start = {{.from = r.text("init_from")}};
    else if (r.is_set("model.init_from") && stage.start.size() == 1 && stage.start.front().from == fresh)
        stage.start = {{.from = r.text("model.init_from")}};
    // Of a file alone: what an earlier stage trained fits, and is meant to go on.
    if (is_model_file(stage.start.front().from) && r.is_set("model.init_fresh"))
        for (const std::string& names : r.texts("model.init_fresh"))
            stage.start.push_back({.from = fresh, .take = names});
    if (own("freeze"))
        for (const std::string& prefix : r.texts("freeze"))
            stage.train.push_back({.take = prefix + "*", .frozen = true});
}

std::vector<Stage> complete_stages(const Method& method, const Recipe& recipe) {
    std::vector<Stage> stages = method.stages();
    std::vector<std::string> names;
    for (Stage& stage : stages) {
        complete_from_recipe(stage, recipe);
        names.push_back(stage.name);
    }
    // A companion that comes from a file is a stage that was left out.
    for (const Stage& stage : stages)
        for (const Companion& companion : stage.companions)
            if (std::ranges::find(names, companion.name) == names.end()) names.insert(names.begin(), companion.name);
    check_stages(recipe, names);
    return stages;
}

}
