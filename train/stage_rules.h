#pragma once
// The rules of a stage applied to its network. Errors are InputError E0311 (start), E0305 (train, batch_norm) that name
// stage and rule; E0413 where shapes differ.
#include "models/network.h"
#include "train/stage.h"
#include "train/weights.h"

#include <functional>

namespace bkd {

// Results by the name of a stage or the path of a file; throws where there is none.
using FindResult = std::function<const StageResult&(const std::string& from)>;

// Trained states become parameters "state.<name>", before the network has memory. `rows` is the first extent of those
// that have one.
void add_trained_states(const Stage& stage, Network& network, const std::function<Shape(const State&)>& shape_of);

// What the three below would refuse but for the tensors of `from`; the network needs no memory.
void check_rules(const Stage& stage, const Network& network);

// Where a tensor of this name starts: `fresh`, a stage or a file; empty where no rule matches.
std::string starts_from(const Stage& stage, std::string_view name);

// Fills a materialised, so fresh, network. Every tensor must be covered by a rule, and every rule cover one.
void apply_start_rules(const Context& ctx, const Stage& stage, Network& network, const FindResult& find);

// Which parameters move and how; which statistics normalise.
void apply_train_rules(const Stage& stage, Network& network);
void apply_batch_norm_rules(const Stage& stage, Network& network);

// As a companion that nothing trains: everything frozen, no statistics moved.
void freeze(Network& network, BatchNormMode mode);

}
