#include "train/batch.h"

#include <algorithm>
#include <numeric>

namespace bkd {
namespace {

// The first n rows of a column, in its memory.
Tensor rows(const Context& ctx, const Tensor& column, std::int64_t n) {
    if (column.dim(0) == n) return column;
    Shape shape = column.shape();
    shape.set(0, n);
    return ctx.runtime().tensors.slice(column, 0, shape);
}

std::vector<CropFlip> views_of(const Feed& feed, const CropFlip& standard) {
    return feed.views.empty() ? std::vector{standard} : feed.views;
}

}

FeedSource::FeedSource(const Context& ctx, const Feed& feed, const RunSplit& split, const FeedSettings& settings)
    : feed_(feed),
      split_(split),
      settings_(settings),
      loader_(split.set(), feed.sampler,
              {.seed = settings.seed,
               .feed = settings.scope,
               .batch_size = settings.batch_size,
               .last_batch = settings.last_batch,
               .augment = split.set().source ? CropFlip{} : views_of(feed, settings.augment).front(),
               .reader = split.set().source ? reader_of(split.set(), Showing::training) : SampleReader{},
               .threads = settings.threads}),
      mix_key_(philox_key(settings.seed, settings.scope + "/mixup")) {
    const std::int64_t n = std::min(settings.batch_size, sampler().length());
    for (Tensor* column : {&indices_, &labels_, &partner_, &partner_labels_}) *column = ctx.empty({n}, DType::i32);
    mix_lambda_ = ctx.empty({n});
    if (const ImageSet& set = split.set(); set.source) {
        BKD_CHECK(feed.views.empty(), "{} views of a set that is made sample by sample", feed.views.size());
        samples_ = ctx.empty({n, set.height, set.width, set.channels}, DType::u8);
        std::vector<std::int32_t> places(static_cast<std::size_t>(n));
        std::iota(places.begin(), places.end(), 0);
        places_ = ctx.upload({n}, std::span<const std::int32_t>(places));
        views_.push_back({{}, {}, {}, {}});
    } else
        open_views(ctx, n);
    const auto count = static_cast<std::size_t>(n);
    for (auto* numbers : {&host_partner_, &host_partner_labels_}) numbers->reserve(count);
    host_offsets_.reserve(2 * count), host_flips_.reserve(count), host_lambda_.reserve(count);
}

void FeedSource::open_views(const Context& ctx, std::int64_t n) {
    for (const CropFlip& augment : views_of(feed_, settings_.augment)) {
        const std::string suffix = views_.empty() ? "/crop" : fmt::format("/crop/{}", views_.size());
        views_.push_back({augment, philox_key(settings_.seed, settings_.scope + suffix),
                          augment.padding > 0 ? ctx.empty({n, 2}, DType::i32) : Tensor(),
                          augment.flip ? ctx.empty({n}, DType::u8) : Tensor()});
    }
}

std::int64_t FeedSource::samples_per_epoch() const {
    return std::min(sampler().length(), batches_per_epoch() * settings_.batch_size);
}

void FeedSource::seek(std::int64_t step) {
    const std::int64_t batches = batches_per_epoch();
    loader_.seek(static_cast<std::uint64_t>(step / batches), step % batches);
}

void FeedSource::next(const Context& ctx) {
    host_ = &loader_.next();
    ctx.assign(rows(ctx, indices_, size()), std::span<const std::int32_t>(host_->indices));
    ctx.assign(rows(ctx, labels_, size()), std::span<const std::int32_t>(host_->labels));
    if (samples_) ctx.assign(rows(ctx, samples_, size()), std::span<const std::uint8_t>(host_->samples));
    for (std::size_t i = 0; i < views_.size(); ++i) upload_view(ctx, i);
    if (mix_) upload_mix(ctx);
}

// The loader draws the first view; the others have keys of their own.
void FeedSource::upload_view(const Context& ctx, std::size_t i) {
    const View& view = views_[i];
    std::span<const std::int32_t> offsets = host_->offsets;
    std::span<const std::uint8_t> flips = host_->flips;
    if (i > 0) {
        const auto n = static_cast<std::size_t>(size());
        host_offsets_.resize(view.offsets ? 2 * n : 0);
        host_flips_.resize(view.flips ? n : 0);
        draw_crops_and_flips(view.key, host_->epoch, host_->position, host_->indices, view.augment, host_offsets_,
                             host_flips_);
        offsets = host_offsets_, flips = host_flips_;
    }
    if (view.offsets) ctx.assign(rows(ctx, view.offsets, size()), offsets);
    if (view.flips) ctx.assign(rows(ctx, view.flips, size()), flips);
}

Tensor FeedSource::load(const Context& ctx, const View& view, const Tensor& partner, const Tensor& mix_lambda) {
    const ImageSet& set = split_.set();
    Tensor images = ctx.empty({size(), set.height, set.width, set.channels}, ctx.storage());
    const Tensor index = rows(ctx, samples_ ? places_ : indices_, size());
    const Tensor offsets = view.offsets ? rows(ctx, view.offsets, size()) : Tensor();
    const Tensor flips = view.flips ? rows(ctx, view.flips, size()) : Tensor();
    ctx.image().load_images({.images = samples_ ? rows(ctx, samples_, size()) : split_.images(),
                             .index = index,
                             .offset = offsets,
                             .flip = flips,
                             .partner = partner,
                             .mix_lambda = mix_lambda,
                             .mean = split_.mean(),
                             .std = split_.deviation(),
                             .y = images,
                             .padding = view.augment.padding});
    return images;
}

Batch FeedSource::batch(const Context& ctx, std::size_t view) {
    BKD_CHECK(view < views_.size(), "view {} of {}", view, views_.size());
    return {.images = load(ctx, views_[view], {}, {}),
            .targets = {.labels = rows(ctx, labels_, size())},
            .indices = rows(ctx, indices_, size())};
}

// Partners, their labels and lambda of this batch to the device.
void FeedSource::upload_mix(const Context& ctx) {
    const auto n = static_cast<std::size_t>(size());
    host_partner_.resize(n), host_partner_labels_.resize(n), host_lambda_.resize(mix_->per_sample ? n : 1);
    draw_mix_partner(mix_key_, host_->epoch, host_->batch, host_partner_);
    if (mix_->per_sample)
        draw_mix_lambdas(mix_key_, host_->epoch, host_->batch, mix_->alpha, host_lambda_);
    else
        host_lambda_[0] = static_cast<float>(draw_mix_lambda(mix_key_, host_->epoch, host_->batch, mix_->alpha));
    for (std::size_t i = 0; i < n; ++i)
        host_partner_labels_[i] = host_->labels[static_cast<std::size_t>(host_partner_[i])];
    ctx.assign(rows(ctx, partner_, size()), std::span<const std::int32_t>(host_partner_));
    ctx.assign(rows(ctx, partner_labels_, size()), std::span<const std::int32_t>(host_partner_labels_));
    ctx.assign(rows(ctx, mix_lambda_, mix_->per_sample ? size() : 1), std::span<const float>(host_lambda_));
}

Batch FeedSource::mixed(const Context& ctx, double alpha, bool per_sample) {
    if (alpha <= 0) return batch(ctx);
    if (const Mix asked{alpha, per_sample}; mix_ != asked) {
        mix_ = asked;
        upload_mix(ctx);
    }
    const Tensor partner = rows(ctx, partner_, size()), partner_labels = rows(ctx, partner_labels_, size());
    const Tensor mix_lambda = rows(ctx, mix_lambda_, per_sample ? size() : 1);
    return {
        .images = load(ctx, views_.front(), partner, mix_lambda),
        .targets = {.labels = rows(ctx, labels_, size()), .partner_labels = partner_labels, .mix_lambda = mix_lambda},
        .indices = rows(ctx, indices_, size()),
        .partner = partner};
}

}
