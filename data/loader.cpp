#include "data/loader.h"

#include "data/draws.h"
#include "engine/rng.h"
#include "kernels/error.h"

#include <algorithm>
#include <system_error>

namespace bkd {

namespace {

void check_at_least(std::int64_t value, std::int64_t least, const char* key) {
    if (value < least)
        throw InputError({.id = 304, .what = fmt::format("{} must be at least {}, got {}", key, least, value)});
}

}

SampleReader reader_of(const ImageSet& set, Showing showing) {
    return {set.image_bytes(),
            [&set, showing](std::int32_t index, const std::function<double()>& uniform, std::span<std::uint8_t> out) {
                if (!set.source)
                    std::ranges::copy(set.image(index), out.begin());
                else if (showing == Showing::training)
                    set.source->read_changed(index, uniform, out);
                else
                    set.source->read(index, out);
            }};
}

Loader::Loader(const Dataset& set, SamplerOptions sampler, LoaderOptions options)
    : labels_(set.labels),
      options_(std::move(options)),
      sampler_(set, std::move(sampler), philox_key(options_.seed, options_.feed + "/order")),
      crop_key_(philox_key(options_.seed, options_.feed + "/crop")) {
    check_at_least(options_.batch_size, 1, "batch.size");
    check_at_least(options_.threads, 0, "train.workers");
    check_at_least(options_.augment.padding, 0, "augment padding");
    BKD_CHECK(options_.ahead >= 1, "{} batches ahead", options_.ahead);
    const std::int64_t size = options_.batch_size, length = sampler_.length();
    batches_ = (options_.last_batch == LastBatch::keep ? length + size - 1 : length) / size;
    if (batches_ < 1)
        throw InputError({.id = 304,
                          .what = fmt::format("batch.size {} leaves no batch of {} samples", size, length),
                          .why = "the last, incomplete batch is dropped",
                          .try_ = "batch.drop_last=false"});
    slots_.resize(static_cast<std::size_t>(options_.ahead + 1));
    const auto n = static_cast<std::size_t>(std::min(size, length));
    for (Slot& slot : slots_) {  // the capacity that no batch exceeds, so that none allocates
        slot.batch.indices.reserve(n);
        slot.batch.labels.reserve(n);
        if (options_.augment.padding > 0) slot.batch.offsets.reserve(2 * n);
        if (options_.augment.flip) slot.batch.flips.reserve(n);
        if (options_.reader.read) slot.batch.samples.reserve(n * static_cast<std::size_t>(options_.reader.bytes));
    }
    // ahead + 1 consecutive batches, the most that are in preparation, lie in at most this many epochs.
    orders_.resize(static_cast<std::size_t>((options_.ahead + batches_ - 1) / batches_ + 1));
    for (Order& order : orders_) order.indices.resize(static_cast<std::size_t>(length));
    try {
        for (std::int64_t i = 0; i < options_.threads; ++i)
            threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    } catch (const std::system_error& error) {
        throw InputError({.id = 701,
                          .what = fmt::format("no thread to load data: {}", error.code().message()),
                          .at = "train.workers",
                          .try_ = "train.workers=0, or more memory or processes for this user (ulimit)"});
    }
}

Loader::~Loader() {
    for (std::jthread& thread : threads_) thread.request_stop();  // all at once; each is joined as it goes
}

const HostBatch& Loader::next() {
    std::unique_lock lock(mutex_);
    const std::uint64_t number = next_++;
    Slot& slot = slot_of(number);
    if (threads_.empty()) {
        taken_ = next_;
        prepare(number, slot);
    } else {
        work_to_do_.notify_all();
        batch_ready_.wait(lock, [&] { return slot.ready == number; });
    }
    if (slot.error) std::rethrow_exception(std::exchange(slot.error, nullptr));
    return slot.batch;
}

void Loader::seek(std::uint64_t epoch, std::int64_t batch) {
    BKD_CHECK(batch >= 0 && batch < batches_, "batch {} of {}", batch, batches_);
    std::unique_lock lock(mutex_);
    is_seeking_ = true;
    batch_ready_.wait(lock, [&] { return in_flight_ == 0; });
    next_ = taken_ = epoch * static_cast<std::uint64_t>(batches_) + static_cast<std::uint64_t>(batch);
    for (Slot& slot : slots_) slot.ready.reset(), slot.error = nullptr;
    is_seeking_ = false;
    work_to_do_.notify_all();
}

void Loader::work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto may_take = [&] { return !is_seeking_ && taken_ < next_ + static_cast<std::uint64_t>(options_.ahead); };
    while (work_to_do_.wait(lock, stop, may_take) && !stop.stop_requested()) {
        const std::uint64_t number = taken_++;
        Slot& slot = slot_of(number);
        ++in_flight_;
        lock.unlock();
        prepare(number, slot);
        lock.lock();
        --in_flight_;
        slot.ready = number;
        batch_ready_.notify_all();
    }
}

void Loader::prepare(std::uint64_t number, Slot& slot) {
    slot.error = nullptr;
    try {
        fill(number, slot.batch);
    } catch (...) { slot.error = std::current_exception(); }
}

void Loader::fill(std::uint64_t number, HostBatch& batch) {
    batch.epoch = number / static_cast<std::uint64_t>(batches_);
    batch.batch = static_cast<std::int64_t>(number % static_cast<std::uint64_t>(batches_));
    batch.position = batch.batch * options_.batch_size;
    const auto n = static_cast<std::size_t>(std::min(options_.batch_size, sampler_.length() - batch.position));
    const std::span<const std::int32_t> indices =
        order_of(batch.epoch).subspan(static_cast<std::size_t>(batch.position), n);
    batch.indices.assign(indices.begin(), indices.end());
    batch.labels.resize(n);
    std::ranges::transform(indices, batch.labels.begin(), [&](std::int32_t index) {
        return sampler_.feed_label(labels_[static_cast<std::size_t>(index)]);
    });
    batch.offsets.resize(options_.augment.padding > 0 ? 2 * n : 0);
    batch.flips.resize(options_.augment.flip ? n : 0);
    draw_crops_and_flips(crop_key_, batch.epoch, batch.position, indices, options_.augment, batch.offsets, batch.flips);
    if (!options_.reader.read) return;
    const auto bytes = static_cast<std::size_t>(options_.reader.bytes);
    batch.samples.resize(n * bytes);
    for (std::size_t i = 0; i < n; ++i) {
        std::uint32_t draw = 0;  // 0 is that of draw_crops_and_flips
        const auto uniform = [&] {
            const PhiloxCounter bits =
                philox({static_cast<std::uint32_t>(indices[i]),
                        static_cast<std::uint32_t>(batch.position) + static_cast<std::uint32_t>(i),
                        static_cast<std::uint32_t>(batch.epoch), ++draw},
                       crop_key_);
            return uniform53(bits[0], bits[1]);
        };
        options_.reader.read(indices[i], std::cref(uniform), std::span(batch.samples).subspan(i * bytes, bytes));
    }
}

std::span<const std::int32_t> Loader::order_of(std::uint64_t epoch) {
    const std::lock_guard lock(order_mutex_);
    Order& order = orders_[epoch % orders_.size()];
    if (order.epoch != epoch) {
        order.epoch.reset();
        sampler_.fill(epoch, order.indices, scratch_);
        order.epoch = epoch;
    }
    return order.indices;
}

}
