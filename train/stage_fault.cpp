// The part of StageRun that finds out where a number that is not finite came from.
#include "train/stage_run.h"

#include <cmath>

namespace bkd {
namespace {

std::string samples_text(const FaultReport& report) {
    const FirstFault& first = *report.first;
    if (first.samples.empty()) return {};
    const std::int64_t sample = first.samples.front();
    std::string text = fmt::format(", sample {} of the batch", sample);
    if (static_cast<std::size_t>(sample) < report.indices.size())
        text += fmt::format(" (training image {})", report.indices[static_cast<std::size_t>(sample)]);
    if (first.samples.size() > 1) text += fmt::format(" and {} more", first.samples.size() - 1);
    return text;
}

}

// From the first fault on no weight has moved: with its batch the step is the same again. What forward passes moved since
// is not read by one of a training, and would look like a fault of its own.
FaultReport StageRun::find_fault(std::int64_t step) {
    recorded_.reset();
    done_ = step;
    epochs_done_ = context_.epoch = step / steps_per_epoch_;
    loss_images_.clear();
    for (const Tensor& buffer : moved_buffers()) plain_ctx_.elementwise().fill({.y = buffer, .value = 0});
    plain_ctx_.elementwise().fill({.y = losses_, .value = 0});
    for (FeedSource& feed : context_.feeds()) feed.seek(step);
    next_numbers();

    FaultReport report{.epoch = epochs_done_ + 1, .step = step % steps_per_epoch_ + 1};
    FaultSearch search(plain_ctx_, context_.feed().size());
    runtime_.stream->observer = &search;
    try {
        Step again(context_, training_ctx_,
                   {epochs_done_, step % steps_per_epoch_, step,
                    static_cast<double>(step) / static_cast<double>(total_steps_)});
        report.loss = plain_ctx_.item(compute(again));
    } catch (...) {
        runtime_.stream->observer = nullptr;
        throw;
    }
    runtime_.stream->observer = nullptr;
    report.first = std::move(search.first);
    report.shape = search.images_shape;
    report.images = std::move(search.images);
    const auto integers = [&](const Tensor& column) {
        const std::vector<double> numbers = plain_ctx_.download(column);
        return std::vector<std::int32_t>(numbers.begin(), numbers.end());
    };
    const Batch batch = context_.feed().batch(plain_ctx_);
    report.indices = integers(batch.indices);
    report.labels = integers(batch.targets.labels);
    return report;
}

void StageRun::fail_fault(std::int64_t step, double loss) {
    const FaultReport report = find_fault(step);
    if (on_fault) on_fault(report);
    InputError::Parts parts{
        .id = 901,
        .what = fmt::format("{} at stage {}, epoch {}, step {}",
                            std::isfinite(report.loss) && report.first ? "a gradient became not finite"
                                                                       : fmt::format("loss became {}", loss),
                            stage().name, report.epoch, report.step),
        .at = fmt::format("stage {}, learning rate {}", stage().name, learning_rate_),
        .try_ = "a lower optim.lr, or a longer schedule.warmup_epochs"};
    if (report.first) {
        const FirstFault& first = *report.first;
        parts.at = fmt::format("op {}{}, learning rate {}", first.op, samples_text(report), learning_rate_);
        if (first.largest_input) parts.at += fmt::format(", largest input {:.3g}", *first.largest_input);
        parts.why = fmt::format("{} of {} numbers of its result {} are not finite; no op before it has any, and no "
                                "weight was moved by it",
                                first.count, first.shape.count(), first.shape.str());
    } else {
        parts.why = "computed once more, the step has finite numbers: the device, or memory, may be at fault";
    }
    throw InputError(std::move(parts));
}

}
