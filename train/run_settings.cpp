#include "train/run_settings.h"

#include "train/run_data.h"
#include "train/stage_recipe.h"

namespace bkd {
namespace {

NetworkOptions network_options(const Recipe& r) {
    NetworkOptions options{.name = r.text("model.name"), .classifier = r.text("model.classifier")};
    if (options.classifier == "cosine") options.cosine_scale = r.number("model.cosine_scale");
    if (r.is_set("model.stem")) options.stem = r.text("model.stem");
    if (r.is_set("model.experts")) options.experts = r.integer("model.experts");
    if (r.is_set("model.reduce_dimension")) options.reduces_width = r.boolean("model.reduce_dimension");
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

}

RunSettings read_run_settings(const Recipe& r) {
    RunSettings s{.network = network_options(r),
                  .storage = r.text("compute.dtype") == "bf16" ? DType::bf16 : DType::f32,
                  .is_strict = r.text("run.deterministic") == "strict",
                  .winograd = r.boolean("compute.winograd"),
                  .tf32 = r.boolean("compute.tf32"),
                  .cadence = parse_cadence(r.text("checkpoint.every"), r.at("checkpoint.every")),
                  .seed = static_cast<std::uint64_t>(r.integer("run.seed")),
                  .loader_threads = r.integer("train.workers"),
                  .log_every = r.integer("log.every"),
                  .eval_every = r.integer("eval.every"),
                  .eval_batch = r.integer("eval.batch"),
                  .eval_split = r.text("eval.split"),
                  .groups = thresholds(r),
                  .skips_nonfinite = r.text("train.nonfinite") == "skip",
                  .divergence_steps = r.integer("train.divergence.for_steps")};
    if (r.is_set("train.divergence.loss_above")) s.divergence_above = r.number("train.divergence.loss_above");
    return s;
}

NetworkOptions RunSettings::network_for(const ImageSet& set) const {
    NetworkOptions options = network;
    options.classes = set.classes();
    options.channels = set.channels;
    return options;
}

void RunSettings::apply(Training& training) const {
    training.seed = seed;
    training.loader_threads = loader_threads;
    training.log_every = log_every;
    training.eval_every = eval_every;
    training.eval_batch = eval_batch;
    training.eval_split = eval_split;
    training.groups = groups;
    training.skips_nonfinite = skips_nonfinite;
    training.divergence_above = divergence_above;
    training.divergence_steps = divergence_steps;
}

std::vector<Stage> check_recipe(const Recipe& recipe) {
    read_data_settings(recipe);
    std::vector<Stage> stages = complete_stages(*make_method(recipe.text("method.name"), {.recipe = recipe}), recipe);
    read_run_settings(recipe);
    recipe.refuse_unused_keys();
    return stages;
}

}
