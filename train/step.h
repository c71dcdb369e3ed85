#pragma once
// Step: what a method's loss has in its hands: the batches of its feeds, the networks, companions and states of its
// stage, and where in the training it is. Nothing here is allocated anew from step to step.
#include "train/stage_context.h"

namespace bkd {

struct Progress {
    std::int64_t epoch = 0;  // from 0
    std::int64_t step = 0;   // of the epoch, from 0
    std::int64_t done = 0;   // steps of the stage before this one
    double fraction = 0;     // of the stage, in [0, 1)
};

class Step {
public:
    Step(StageContext& stage, Context& context, const Progress& at) : ctx(context), progress_(at), stage_(stage) {}
    Step(const Step&) = delete;

    Context& ctx;

    // Where this step is. A loss that asks is computed anew in every step; one that does not is the same work each time,
    // which a device may replay.
    const Progress& progress() {
        reads_progress_ = true;
        return progress_;
    }
    bool reads_progress() const { return reads_progress_; }

    const Stage& stage() const { return stage_.stage(); }
    // A feed by name; the empty name is the first one.
    Batch batch(std::string_view feed = {}) { return stage_.feed(feed).batch(ctx); }
    Batch view(std::size_t i, std::string_view feed = {}) { return stage_.feed(feed).batch(ctx, i); }
    Batch mixup(double alpha, bool per_sample = false, std::string_view feed = {}) {
        return stage_.feed(feed).mixed(ctx, alpha, per_sample);
    }
    // Logits [n, classes] of the network that is trained; net() has its features, branches and heads.
    Tensor network(const Tensor& images) { return watched(stage_.network()(ctx, images)); }
    // Those of each expert of an ensemble; one entry for another network.
    std::vector<Tensor> experts(const Tensor& images) {
        std::vector<Tensor> all = stage_.network().experts(ctx, images);
        for (Tensor& logits : all) logits = watched(logits);
        return all;
    }
    // For who asks what the loss sends to the logits of a frozen network: those that network() and experts() gave, as leaves.
    std::vector<Tensor>* watched_logits = nullptr;
    Network& net() { return stage_.network(); }
    // Without a tape.
    Tensor teacher(const Tensor& images) { return companion("teacher", images); }
    Tensor companion(std::string_view name, const Tensor& images) { return stage_.companion(name)(ctx, images); }
    Tensor state(std::string_view name) { return stage_.state(name); }
    std::span<const std::int64_t> counts() const { return stage_.class_counts(); }
    const Tensor& log_prior() const { return stage_.log_prior(); }

    // A part of the loss, [1], for the log.
    void note(const char* name, const Tensor& value) {
        for (Note& note : notes_)
            if (note.name == nullptr) {
                note = {name, value};
                return;
            }
        BKD_CHECK(false, "more than {} notes a step", notes_.size());
    }
    struct Note {
        const char* name = nullptr;
        Tensor value{};
    };
    const std::array<Note, 4>& notes() const { return notes_; }
    void set_notes(const std::array<Note, 4>& notes) { notes_ = notes; }

private:
    Tensor watched(Tensor logits) {
        if (watched_logits != nullptr) {
            logits.set_takes_gradient(true);
            watched_logits->push_back(logits);
        }
        return logits;
    }

    const Progress progress_;
    bool reads_progress_ = false;
    StageContext& stage_;
    std::array<Note, 4> notes_{};
};

}
