#pragma once
// What `bkd eval` prints: models beside each other, overall, by shot group and by class; and the same as JSON.
#include "engine/json.h"
#include "train/evaluate_model.h"
#include "train/evaluation_record.h"

#include <cstdio>

namespace bkd {

struct EvaluatedModel {
    std::string path;
    ModelEvaluation result;
};

struct EvalParts {
    bool per_class = false, confusion = false, calibration = false;
};
void print_eval(std::FILE* out, const std::vector<EvaluatedModel>& models, const std::string& split,
                const EvalParts& parts);
Json eval_json(const std::vector<EvaluatedModel>& models, const std::string& split);

// Is "top1>=46.0" so? Metrics: top1, top5, balanced, in percent. InputError E0203 for another form.
bool meets(const Metrics& metrics, const std::string& expectation);

}
