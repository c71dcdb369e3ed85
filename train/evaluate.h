#pragma once
// Two services over a split, with the test transform (no augmentation) and without a tape: sweep, and evaluate on top
// of it.
#include "train/metrics.h"
#include "train/split.h"

#include <functional>

namespace bkd {

// Some samples of a split: the whole of it, or those of some classes with labels numbered anew in the order of the
// list.
struct Selected {
    std::vector<std::int32_t> indices{}, labels{};
    std::int64_t classes = 0;
};
Selected select(const RunSplit& split, std::span<const std::int32_t> classes = {});

struct SweepBatch {
    Tensor images;                          // [n, h, w, c]
    std::span<const std::int32_t> indices;  // [n] into the split
    std::span<const std::int32_t> labels;   // [n]
};
// Calls visit for batch after batch, in order; the last one may be smaller.
void sweep(const Context& ctx, const RunSplit& split, const Selected& selected, std::int64_t batch_size,
           const std::function<void(const SweepBatch&)>& visit);

struct Evaluation {
    Metrics metrics{};
    std::vector<float> logits{};  // [n, classes] if asked for
};
using Predict = std::function<Tensor(Context& ctx, const Tensor& images)>;  // -> logits [n, classes]
struct EvaluateOptions {
    std::int64_t batch_size = 100;
    ShotGroups groups{};
    bool keeps_logits = false;
};
Evaluation evaluate(const Context& ctx, const Predict& predict, const RunSplit& split, const Selected& selected,
                    const EvaluateOptions& options);

}
