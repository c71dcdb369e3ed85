#pragma once
// An evaluation of one model with the counts behind it, as `bkd eval --json` prints it and a run keeps it in
// eval/<model>.<split>.json: {"schema": "bkd.eval/1", "models": [...]}.
#include "engine/json.h"
#include "train/metrics.h"

namespace bkd {

struct EvaluationRecord {
    std::string model{}, network{}, data{}, split{};
    std::optional<std::int64_t> epoch{};  // of the stage that trained the model, from 1
    ShotThresholds groups{};
    std::vector<std::string> class_names{};
    std::vector<std::int64_t> class_counts{};  // training samples; empty: not known
    Metrics metrics{};
};

// {"ece": in percent, "samples": [...], "hits": [...], "confidence": [...]} of the bins in their order.
Json calibration_json(std::span<const ConfidenceBin> bins);

Json evaluation_document(std::span<const EvaluationRecord> records);

// The only model of a document. InputError E0404 for another form, counts that are negative or that contradict each
// other, E1006 for another schema; `where` names the text.
EvaluationRecord parse_evaluation(const Json& document, const std::string& where);

}
