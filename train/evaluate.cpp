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

namespace {

// Like sweep, of a set whose samples its source makes: ahead of time, by the split's workers.
void sweep_source(const Context& ctx, const RunSplit& split, const Selected& selected, std::int64_t batch_size,
                  const std::function<void(const SweepBatch&)>& visit) {
    const ImageSet& set = split.set();
    Loader loader(set, {.rule = InOrder{selected.indices}},
                  {.batch_size = batch_size,
                   .reader = reader_of(set, Showing::evaluation),
                   .threads = split.workers(),
                   .ahead = 2});
    std::vector<std::int32_t> places(static_cast<std::size_t>(batch_size));
    std::iota(places.begin(), places.end(), 0);
    for (std::int64_t b = 0; b < loader.batches_per_epoch(); ++b) {
        const HostBatch& batch = loader.next();
        const std::int64_t n = batch.size();
        const auto first = static_cast<std::size_t>(batch.position), count = static_cast<std::size_t>(n);
        const Tensor images = ctx.empty({n, set.height, set.width, set.channels}, ctx.storage());
        const Tensor samples = ctx.upload(images.shape(), std::span<const std::uint8_t>(batch.samples));
        const Tensor index = ctx.upload({n}, std::span<const std::int32_t>(places).first(count));
        ctx.image().load_images(
            {.images = samples, .index = index, .mean = split.mean(), .std = split.deviation(), .y = images});
        visit({images, std::span(selected.indices).subspan(first, count),
               std::span(selected.labels).subspan(first, count)});
    }
}

}

void sweep(const Context& ctx, const RunSplit& split, const Selected& selected, std::int64_t batch_size,
           const std::function<void(const SweepBatch&)>& visit) {
    const ImageSet& set = split.set();
    if (set.source && !selected.indices.empty()) return sweep_source(ctx, split, selected, batch_size, visit);
    const auto size = static_cast<std::size_t>(batch_size);
    for (std::size_t first = 0; first < selected.indices.size(); first += size) {
        const std::size_t n = std::min(size, selected.indices.size() - first);
        const auto indices = std::span(selected.indices).subspan(first, n);
        const auto rows = static_cast<std::int64_t>(n);
        const Tensor images = ctx.empty({rows, set.height, set.width, set.channels}, ctx.storage());
        const Tensor index = ctx.upload({rows}, indices);
        ctx.image().load_images(
            {.images = split.images(), .index = index, .mean = split.mean(), .std = split.deviation(), .y = images});
        visit({images, indices, std::span(selected.labels).subspan(first, n)});
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
