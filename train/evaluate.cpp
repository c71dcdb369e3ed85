#include "train/evaluate.h"

#include "data/loader.h"

#include <algorithm>
#include <numeric>

namespace bkd {

Selected select(const RunSplit& split, std::span<const std::int32_t> classes) {
    const ImageSet& set = split.set();
    Selected selected;
    std::vector<std::int32_t> number(static_cast<std::size_t>(set.classes()), -1);
    if (classes.empty()) std::iota(number.begin(), number.end(), 0);
    for (std::size_t i = 0; i < classes.size(); ++i)
        number.at(static_cast<std::size_t>(classes[i])) = static_cast<std::int32_t>(i);
    selected.classes = classes.empty() ? set.classes() : static_cast<std::int64_t>(classes.size());
    for (std::size_t i = 0; i < set.labels.size(); ++i) {
        const std::int32_t label = number[static_cast<std::size_t>(set.labels[i])];
        if (label < 0) continue;
        selected.indices.push_back(static_cast<std::int32_t>(i));
        selected.labels.push_back(label);
    }
    return selected;
}

void sweep(const Context& ctx, const RunSplit& split, const Selected& selected, std::int64_t batch_size,
           const std::function<void(const SweepBatch&)>& visit) {
    const ImageSet& set = split.set();
    const auto size = static_cast<std::size_t>(batch_size);
    // The batch from sample `first` of the selection on, which lies in `from` at `index`.
    const auto show = [&](std::size_t first, const Tensor& from, std::span<const std::int32_t> index) {
        const auto n = static_cast<std::int64_t>(index.size());
        const Tensor images = ctx.empty({n, set.height, set.width, set.channels}, ctx.storage());
        const Tensor place = ctx.upload({n}, index);
        ctx.image().load_images(
            {.images = from, .index = place, .mean = split.mean(), .std = split.deviation(), .y = images});
        visit({images, std::span(selected.indices).subspan(first, index.size()),
               std::span(selected.labels).subspan(first, index.size())});
    };
    if (!set.source) {
        const auto indices = std::span(selected.indices);
        for (std::size_t first = 0; first < indices.size(); first += size)
            show(first, split.images(), indices.subspan(first, std::min(size, indices.size() - first)));
        return;
    }
    if (selected.indices.empty()) return;
    Loader loader(set, {.rule = InOrder{selected.indices}},
                  {.batch_size = batch_size,
                   .reader = reader_of(set, Showing::evaluation),
                   .threads = split.workers(),
                   .ahead = 2});
    std::vector<std::int32_t> places(size);
    std::iota(places.begin(), places.end(), 0);
    for (std::int64_t b = 0; b < loader.batches_per_epoch(); ++b) {
        const HostBatch& batch = loader.next();
        const Tensor samples = ctx.upload({batch.size(), set.height, set.width, set.channels},
                                          std::span<const std::uint8_t>(batch.samples));
        show(static_cast<std::size_t>(batch.position), samples,
             std::span<const std::int32_t>(places).first(static_cast<std::size_t>(batch.size())));
    }
}

Evaluation evaluate(const Context& ctx, const Predict& predict, const RunSplit& split, const Selected& selected,
                    const EvaluateOptions& options) {
    Evaluation result;
    MetricCounter counter(selected.classes);
    sweep(ctx, split, selected, options.batch_size, [&](const SweepBatch& batch) {
        Context inference = ctx.inference();
        const std::vector<float> logits = ctx.download_f32(predict(inference, batch.images));
        counter.add(logits, batch.labels);
        if (options.keeps_logits) result.logits.insert(result.logits.end(), logits.begin(), logits.end());
    });
    result.metrics = counter.metrics(options.groups);
    return result;
}

}
