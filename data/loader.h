#pragma once
// Loader: the batches of one feed, prepared ahead by threads of its own. They are a pure function of (seed, feed,
// epoch, batch): the same for any number of threads, none included, and after a resume.
//
// A batch names its samples and what was drawn for them; the kernel load_images does the rest in one pass. Of a set
// that is not resident on the device the loader also makes the samples themselves, through a SampleReader: memory holds
// ahead + 1 batches of them.
#include "data/augment.h"
#include "data/sampler.h"

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace bkd {

enum class LastBatch { keep, drop };  // batch.drop_last: one smaller batch at the end of an epoch, or none

// n samples. Its arrays live in the loader and are used again.
struct HostBatch {
    std::uint64_t epoch = 0;
    std::int64_t batch = 0;               // of the epoch, from 0
    std::int64_t position = 0;            // of the first sample in the epoch's order
    std::vector<std::int32_t> indices{};  // [n] into the set
    std::vector<std::int32_t> labels{};   // [n] in the feed's numbering
    std::vector<std::int32_t> offsets{};  // [n, 2] top, left; empty without padding
    std::vector<std::uint8_t> flips{};    // [n]; empty without flips
    std::vector<std::uint8_t> samples{};  // [n, bytes] of a SampleReader; else empty

    std::int64_t size() const { return static_cast<std::int64_t>(indices.size()); }
};

// Writes one sample's bytes; `uniform` gives the numbers in [0, 1) of this showing: of (key, sample, position, epoch).
// Called from several threads at once; what it throws reaches the caller of next().
struct SampleReader {
    std::int64_t bytes = 0;  // of one sample
    std::function<void(std::int32_t index, const std::function<double()>& uniform, std::span<std::uint8_t> out)> read{};
};
enum class Showing : std::uint8_t { training, evaluation };    // the former changed, where a set's source does that
SampleReader reader_of(const ImageSet& set, Showing showing);  // `set` must outlive it

struct LoaderOptions {
    std::uint64_t seed = 0;
    std::string feed{};  // "student/main": stage and feed; keys are (seed, feed + "/order") and (seed, feed + "/crop")
    std::int64_t batch_size = 128;
    LastBatch last_batch = LastBatch::keep;
    CropFlip augment{};
    SampleReader reader{};
    std::int64_t threads = 1;  // 0: next() prepares in line
    std::int64_t ahead = 4;    // batches prepared beyond the one in use
};

class Loader {
public:
    // `set` must outlive the loader; it starts at epoch 0, batch 0. E0304 if an epoch has no batch, or a size is
    // below 1.
    Loader(const Dataset& set, SamplerOptions sampler, LoaderOptions options);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    std::int64_t batches_per_epoch() const { return batches_; }
    const Sampler& sampler() const { return sampler_; }

    // The next batch, epoch after epoch; valid until the next call of next() or seek(). An error in preparing it is
    // thrown here, at its place in the order; the call after goes on with the batch after. One caller at a time.
    const HostBatch& next();
    // The next call of next() gives this batch.
    void seek(std::uint64_t epoch, std::int64_t batch);

private:
    // Batches are numbered through all epochs: number = epoch batches_ + batch. Number k lies in slot k mod (ahead +
    // 1).
    struct Slot {
        HostBatch batch{};
        std::optional<std::uint64_t> ready{};  // the number it holds
        std::exception_ptr error{};
    };
    struct Order {
        std::optional<std::uint64_t> epoch{};
        std::vector<std::int32_t> indices{};
    };
    void work(const std::stop_token& stop);
    void prepare(std::uint64_t number, Slot& slot);
    void fill(std::uint64_t number, HostBatch& batch);
    std::span<const std::int32_t> order_of(std::uint64_t epoch);
    Slot& slot_of(std::uint64_t number) { return slots_[number % slots_.size()]; }

    std::span<const std::int32_t> labels_;
    LoaderOptions options_;
    Sampler sampler_;
    PhiloxKey crop_key_;
    std::int64_t batches_ = 0;
    std::vector<Slot> slots_{};

    std::mutex order_mutex_{};  // guards orders_ and scratch_ while an order is made; made, it is only read
    std::vector<Order> orders_{};
    Sampler::Scratch scratch_{};

    std::mutex mutex_{};  // guards all below, and ready and error of the slots
    std::condition_variable_any work_to_do_{}, batch_ready_{};
    std::uint64_t next_ = 0;      // number that next() gives
    std::uint64_t taken_ = 0;     // number that the next free thread prepares
    std::int64_t in_flight_ = 0;  // batches being prepared
    bool is_seeking_ = false;

    std::vector<std::jthread> threads_{};  // last member: joined before the rest goes
};

}
