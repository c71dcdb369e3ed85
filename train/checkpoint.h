#pragma once
// Checkpoint: all that is needed to go on after a step, as a safetensors file with CRCs. Its bytes are a pure
// function of the state. Tensors, in the names and layout of model files: model/<name>, buffer/<name>,
// optim/momentum/<name>, ema/<companion>/<name>, state/<name>; metadata bkd.state: where in the training it was
// written.
#include "engine/safetensors.h"
#include "train/weights.h"

#include <optional>

namespace bkd {

struct BestEpoch {
    std::int64_t epoch = 0;  // done, from 1
    double value = 0;        // of the selection's metric, percent
};

struct Checkpoint {
    std::int64_t stage_index = 0;
    std::string stage{};
    std::int64_t epochs_done = 0;  // of the stage
    std::int64_t steps_done = 0;   // of the stage
    std::int64_t global_step = 0;  // of the run
    std::int64_t batches_tracked = 0;
    std::int64_t steps_above = 0;  // train.divergence: in a row
    std::int64_t skipped = 0;      // steps left out as not finite, in the stage
    std::int64_t skipped_in_a_row = 0;
    double loss_sum = 0;      // within an epoch: over its images so far
    std::int64_t images = 0;  // within an epoch: behind loss_sum
    std::optional<BestEpoch> best{};
    std::uint64_t seed = 0;
    std::string run{};  // id of the run
    std::string config_hash{};
    Weights tensors{};             // by their names in the file
    std::filesystem::path file{};  // that it was read from; not stored
};

std::vector<std::byte> checkpoint_bytes(const Checkpoint& checkpoint);
// InputError E04nn, E0421 where a CRC is wrong or absent, E1006 for a newer schema.
Checkpoint read_checkpoint(const std::filesystem::path& path, const FileSystem& system = {});

std::string checkpoint_name(const Checkpoint& checkpoint);  // "student-e0012-s0001020.ckpt"

}
