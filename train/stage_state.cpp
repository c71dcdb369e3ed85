// The part of StageRun that is saved and restored: which tensors, under which names.
#include "train/stage_run.h"

namespace bkd {

void StageRun::visit_tensors(const VisitTensor& visit) {
    Parameters& parameters = context_.network().parameters();
    const auto* first = static_cast<const std::byte*>(parameters.values().view().data);
    for (const Parameter& p : parameters.all()) {
        visit((p.is_buffer ? "buffer/" : "model/") + p.name, p, p.value);
        if (p.is_buffer || p.frozen || !optimizer_.velocity()) continue;
        const auto offset = (static_cast<const std::byte*>(p.value.view().data) - first) /
                            static_cast<std::ptrdiff_t>(size_of(p.value.dtype()));
        visit("optim/momentum/" + p.name, p, runtime_.tensors.slice(optimizer_.velocity(), offset, p.shape));
    }
    for (OpenCompanion& companion : context_.companions())
        if (companion.spec().kind == Companion::Kind::moving_average)
            for (const Parameter& p : companion.network().parameters().all())
                visit(fmt::format("ema/{}/{}", companion.name(), p.name), p, p.value);
    for (const StageContext::OpenState& state : context_.states())
        visit("state/" + state.spec.name, {.name = state.spec.name, .shape = state.memory.shape()}, state.memory);
}

void StageRun::save(Checkpoint& checkpoint) {
    check_losses();
    checkpoint.stage = stage().name;
    checkpoint.epochs_done = epochs_done_;
    checkpoint.steps_done = done_;
    checkpoint.batches_tracked = context_.network().parameters().batches_tracked;
    checkpoint.steps_above = steps_above_;
    checkpoint.skipped = skipped_;
    checkpoint.skipped_in_a_row = skipped_in_a_row_;
    if (is_within_epoch()) checkpoint.loss_sum = loss_sum_, checkpoint.images = images_;
    checkpoint.best = best_;
    checkpoint.seed = training_.seed;
    visit_tensors([&](const std::string& name, const Parameter& as, const Tensor& memory) {
        checkpoint.tensors[name] = to_file(as, plain_ctx_.download_f32(memory));
    });
}

void StageRun::restore(const Checkpoint& checkpoint) {
    const std::int64_t first = checkpoint.epochs_done * steps_per_epoch_, steps = checkpoint.steps_done;
    // A stage of few steps ends within its last epoch; one of more epochs than before goes on from its old end.
    if (checkpoint.epochs_done < 0 || checkpoint.epochs_done > epochs_ || steps > total_steps_ ||
        steps < std::min(first, total_steps_) || steps > first + steps_per_epoch_)
        throw InputError(
            {.id = 1005,
             .what = fmt::format("checkpoint of stage {} has {} epochs and {} steps done, of {} epochs of "
                                 "{} steps",
                                 checkpoint.stage, checkpoint.epochs_done, steps, epochs_, steps_per_epoch_),
             .why = "it belongs to another training"});
    visit_tensors([&](const std::string& name, const Parameter& as, const Tensor& memory) {
        const auto found = checkpoint.tensors.find(name);
        if (found == checkpoint.tensors.end() || !fits(as, found->second))
            throw InputError({.id = 1005,
                              .what = fmt::format("checkpoint of stage {} has no tensor \"{}\" of shape {}",
                                                  checkpoint.stage, name, as.file_shape().str()),
                              .why = "it belongs to another training"});
        plain_ctx_.assign(memory, std::span<const float>(to_memory(as, found->second)));
    });
    epochs_done_ = checkpoint.epochs_done;
    done_ = checkpoint.steps_done;
    context_.epoch = epochs_done_;
    context_.network().parameters().batches_tracked = checkpoint.batches_tracked;
    steps_above_ = checkpoint.steps_above;
    skipped_ = checkpoint.skipped;
    skipped_in_a_row_ = checkpoint.skipped_in_a_row;
    loss_sum_ = checkpoint.loss_sum, images_ = checkpoint.images;
    if (done_ > 0) learning_rate_ = schedule_.at((done_ - 1) / steps_per_epoch_ + stage().index_base, done_ - 1);
    best_ = checkpoint.best;
    for (FeedSource& feed : context_.feeds()) feed.seek(done_);
}

}
