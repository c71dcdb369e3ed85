#pragma once
// Batch: what a method sees of one batch of a feed. FeedSource: a feed opened, with its batches in device memory that
// is the same in every step.
#include "engine/ops/loss.h"
#include "train/split.h"
#include "train/stage.h"

namespace bkd {

struct Batch {
    Tensor images{};          // [n, h, w, c], normalised
    TargetTensors targets{};  // labels; of a mixed batch also the partners' and lambda
    Tensor indices{};         // [n] i32 into the split
    Tensor partner{};         // [n] i32 into the batch, of a mixed batch; else empty

    bool is_mixed() const { return static_cast<bool>(partner); }
    std::int64_t size() const { return indices.dim(0); }
};

struct FeedSettings {
    std::uint64_t seed = 0;
    std::string scope{};  // "student/main": keys are (seed, scope + "/order"), "/crop", "/mixup"
    std::int64_t batch_size = 128;
    LastBatch last_batch = LastBatch::keep;
    CropFlip augment{};
    std::int64_t threads = 1;
};

class FeedSource {
public:
    FeedSource(const Context& ctx, const Feed& feed, const RunSplit& split, const FeedSettings& settings);

    const std::string& name() const { return feed_.name; }
    std::int64_t batches_per_epoch() const { return loader_.batches_per_epoch(); }
    std::int64_t samples_per_epoch() const;  // that the batches of an epoch hold
    const Sampler& sampler() const { return loader_.sampler(); }
    std::size_t views() const { return views_.size(); }

    void seek(std::int64_t step);                        // next() gives this batch, counted from the start of the stage
    void next(const Context& ctx);                       // the next batch's numbers to the device
    std::int64_t size() const { return host_->size(); }  // of the batch that next() gave
    std::span<const std::int32_t> labels() const { return host_->labels; }  // likewise, on the host
    Batch batch(const Context& ctx, std::size_t view = 0);
    // Mixed with a permutation of itself: lambda ~ Beta(alpha, alpha), one for the batch or one for each sample. alpha
    // <= 0 mixes nothing: the plain batch.       paper: Algorithm 1, line 9
    Batch mixed(const Context& ctx, double alpha, bool per_sample);

private:
    struct View {
        CropFlip augment;
        PhiloxKey key;
        Tensor offsets, flips;
    };
    struct Mix {
        double alpha = 0;
        bool per_sample = false;
        bool operator==(const Mix&) const = default;
    };
    void open_views(const Context& ctx, std::int64_t n);
    void upload_mix(const Context& ctx);
    Tensor load(const Context& ctx, const View& view, const Tensor& partner, const Tensor& mix_lambda);
    void upload_view(const Context& ctx, std::size_t i);

    Feed feed_;
    const RunSplit& split_;
    FeedSettings settings_;
    Loader loader_;
    const HostBatch* host_ = nullptr;
    PhiloxKey mix_key_;
    std::optional<Mix> mix_{};  // what mixed() was last asked for: next() brings its numbers along
    std::vector<View> views_;
    Tensor indices_, labels_, partner_, partner_labels_, mix_lambda_;  // [batch size]
    Tensor samples_, places_;  // of a set with a source: [batch size, h, w, c] u8 and 0..batch size - 1; else empty
    std::vector<std::int32_t> host_partner_, host_partner_labels_, host_offsets_;
    std::vector<std::uint8_t> host_flips_;
    std::vector<float> host_lambda_;
};

}
