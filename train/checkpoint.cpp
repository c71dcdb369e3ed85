#include "train/checkpoint.h"

#include "engine/json.h"

#include <fmt/format.h>

namespace bkd {
namespace {

constexpr const char* schema = "bkd.ckpt/1";

Json state_of(const Checkpoint& c) {
    Json::Object state{{"batches_tracked", c.batches_tracked},
                       {"config_hash", c.config_hash},
                       {"dtype", "f32"},
                       {"epochs_done", c.epochs_done},
                       {"global_step", c.global_step},
                       {"images", c.images},
                       {"loss_sum", c.loss_sum},
                       {"run", c.run},
                       {"seed", static_cast<std::int64_t>(c.seed)},
                       {"skipped", c.skipped},
                       {"skipped_in_a_row", c.skipped_in_a_row},
                       {"stage", c.stage},
                       {"stage_index", c.stage_index},
                       {"steps_above", c.steps_above},
                       {"steps_done", c.steps_done}};
    if (c.best) state.emplace_back("best", Json::Object{{"epoch", c.best->epoch}, {"value", c.best->value}});
    return state;
}

Checkpoint from_state(const Json& state) {
    Checkpoint c;
    c.batches_tracked = state.at("batches_tracked").integer();
    c.config_hash = state.at("config_hash").text();
    c.epochs_done = state.at("epochs_done").integer();
    c.global_step = state.at("global_step").integer();
    c.seed = static_cast<std::uint64_t>(state.at("seed").integer());
    c.skipped = state.at("skipped").integer();
    c.stage = state.at("stage").text();
    c.stage_index = state.at("stage_index").integer();
    c.steps_above = state.at("steps_above").integer();
    c.steps_done = state.at("steps_done").integer();
    // A checkpoint of an epoch's end needs none of these.
    if (const Json* run = state.find("run")) c.run = run->text();
    if (const Json* images = state.find("images")) c.images = images->integer();
    if (const Json* sum = state.find("loss_sum")) c.loss_sum = sum->number();
    if (const Json* skipped = state.find("skipped_in_a_row")) c.skipped_in_a_row = skipped->integer();
    if (const Json* best = state.find("best"))
        c.best = BestEpoch{best->at("epoch").integer(), best->at("value").number()};
    return c;
}

}

std::vector<std::byte> checkpoint_bytes(const Checkpoint& checkpoint) {
    std::vector<TensorToStore> tensors;
    for (const auto& [name, weight] : checkpoint.tensors)
        tensors.push_back({name, ElementType::f32, weight.shape, std::as_bytes(std::span(weight.numbers))});
    return safetensors_bytes(std::move(tensors),
                             {{"bkd.schema", schema}, {"bkd.state", state_of(checkpoint).canonical()}}, Checksums::yes);
}

Checkpoint read_checkpoint(const std::filesystem::path& path, const FileSystem& system) {
    const SafeTensors file = read_safetensors(path, {.require_checksums = true}, {}, system);
    const auto text = [&](const char* key) -> const std::string& {
        const auto found = file.metadata.find(key);
        if (found == file.metadata.end())
            throw InputError(
                {.id = 404, .what = fmt::format("no checkpoint: metadata {} is missing", key), .at = path.string()});
        return found->second;
    };
    if (text("bkd.schema") != schema)
        throw InputError({.id = 1006,
                          .what = fmt::format("checkpoint of schema \"{}\"", printable(text("bkd.schema"))),
                          .at = path.string(),
                          .why = fmt::format("this program reads {}", schema)});
    Checkpoint checkpoint = from_state(Json::parse(text("bkd.state"), path.string() + ": bkd.state"));
    checkpoint.file = path;
    for (const StoredTensor& tensor : file.tensors)
        checkpoint.tensors[tensor.name] = {tensor.shape, file.values<float>(tensor)};
    return checkpoint;
}

std::string checkpoint_name(const Checkpoint& c) {
    return fmt::format("{}-e{:04}-s{:07}.ckpt", c.stage, c.epochs_done, c.global_step);
}

}
