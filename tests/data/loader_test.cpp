#include "data/loader.h"

#include "engine/rng.h"
#include "tests/allocations.h"
#include "tests/data/fixtures.h"

#include <atomic>
#include <chrono>
#include <stdexcept>

using namespace bkd;
using namespace bkd::test;

namespace {

ImageSet small_set() {
    ImageSet set;
    static_cast<Dataset&>(set) = with_counts({60, 30, 11});
    set.height = 2, set.width = 2, set.channels = 1;
    for (std::int32_t i = 0; i < 101; ++i)
        for (int k = 0; k < 4; ++k) set.images.push_back(static_cast<std::uint8_t>(i));
    return set;
}

LoaderOptions options_with(std::int64_t threads, LastBatch last = LastBatch::keep) {
    return {.seed = 3,
            .feed = "student/main",
            .batch_size = 16,
            .last_batch = last,
            .augment = {.padding = 4, .flip = true},
            .threads = threads,
            .ahead = 3};
}

struct Record {
    std::uint64_t epoch;
    std::int64_t batch, position;
    std::vector<std::int32_t> indices, labels, offsets;
    std::vector<std::uint8_t> flips, samples;
    bool operator==(const Record&) const = default;
};
Record record_of(const HostBatch& b) {
    return {b.epoch, b.batch, b.position, b.indices, b.labels, b.offsets, b.flips, b.samples};
}
std::vector<Record> records_of(Loader& loader, int count) {
    std::vector<Record> records;
    for (int i = 0; i < count; ++i) records.push_back(record_of(loader.next()));
    return records;
}

const SamplerOptions cycle{.rule = ByClass{.classes = Take::cycle, .samples = Take::cycle, .in_a_row = 4}};

}

TEST_CASE("the batches are the same for 0, 1, 2 and 4 threads") {
    const ImageSet set = small_set();
    for (const SamplerOptions& sampler : {SamplerOptions{}, SamplerOptions{.rule = ByClass{}}, cycle}) {
        std::vector<Record> expected;
        for (const std::int64_t threads : {0, 1, 2, 4}) {
            LoaderOptions options = options_with(threads);
            options.reader = reader_of(set, Showing::training);
            Loader loader(set, sampler, options);
            const std::vector<Record> records = records_of(loader, 40);  // more than five epochs
            if (threads == 0) expected = records;
            CHECK(records == expected);
        }
    }
}

TEST_CASE("a batch holds what the sampler and the draws say, and the gathered samples") {
    const ImageSet set = small_set();
    LoaderOptions options = options_with(2);
    options.reader = reader_of(set, Showing::training);
    Loader loader(set, {.classes = {2, 0}}, options);
    const Sampler sampler(set, {.classes = {2, 0}}, philox_key(3, "student/main/order"));
    std::vector<std::int32_t> order(71);
    Sampler::Scratch scratch;
    sampler.fill(0, order, scratch);
    for (std::int64_t b = 0; b < loader.batches_per_epoch(); ++b) {
        const HostBatch& batch = loader.next();
        CHECK(batch.batch == b);
        CHECK(batch.position == 16 * b);
        CHECK(batch.size() == (b == 4 ? 7 : 16));
        for (std::size_t i = 0; i < batch.indices.size(); ++i) {
            CHECK(batch.indices[i] == order[static_cast<std::size_t>(batch.position) + i]);
            CHECK(batch.labels[i] == (set.labels[static_cast<std::size_t>(batch.indices[i])] == 2 ? 0 : 1));
            CHECK(batch.samples[4 * i + 3] == batch.indices[i]);
        }
        std::vector<std::int32_t> offsets(2 * batch.indices.size());
        std::vector<std::uint8_t> flips(batch.indices.size());
        draw_crops_and_flips(philox_key(3, "student/main/crop"), 0, batch.position, batch.indices,
                             {.padding = 4, .flip = true}, offsets, flips);
        CHECK(batch.offsets == offsets);
        CHECK(batch.flips == flips);
    }
    CHECK(loader.next().epoch == 1);
}

TEST_CASE("the last batch is smaller or left out") {
    const ImageSet set = small_set();
    Loader keep(set, {}, options_with(0)), drop(set, {}, options_with(0, LastBatch::drop));
    CHECK(keep.batches_per_epoch() == 7);
    CHECK(drop.batches_per_epoch() == 6);
    CHECK(records_of(keep, 7).back().indices.size() == 5);
    CHECK(records_of(drop, 7).back().epoch == 1);
}

TEST_CASE("seeking to a batch goes on as if the batches before had been taken") {
    const ImageSet set = small_set();
    for (const std::int64_t threads : {0, 1, 3}) {
        Loader loader(set, {}, options_with(threads));
        const std::vector<Record> all = records_of(loader, 30);
        for (const int target : {0, 29, 8, 7, 22}) {
            loader.seek(static_cast<std::uint64_t>(target / 7), target % 7);
            CHECK(record_of(loader.next()) == all[static_cast<std::size_t>(target)]);
        }
        Loader resumed(set, {}, options_with(threads));
        resumed.seek(2, 3);
        CHECK(records_of(resumed, 10) == std::vector<Record>(all.begin() + 17, all.begin() + 27));
    }
}

TEST_CASE("epochs shorter than what is prepared ahead keep their own orders") {
    const Dataset set = with_counts({5});
    std::vector<Record> expected;
    for (const std::int64_t threads : {0, 4}) {
        LoaderOptions options = options_with(threads);
        options.ahead = 7;
        Loader loader(set, {}, options);  // one batch an epoch
        const std::vector<Record> records = records_of(loader, 50);
        if (threads == 0) expected = records;
        CHECK(records == expected);
    }
}

TEST_CASE("an error in a thread reaches the caller at its place in the order, and the batches after it follow") {
    const ImageSet set = small_set();
    for (const std::int64_t threads : {0, 1, 4}) {
        LoaderOptions options = options_with(threads);
        Loader clean(set, {}, options);
        const std::vector<Record> all = records_of(clean, 7);
        const std::int32_t bad = all[2].indices[5];
        options.reader = {1, [=](std::int32_t index, const std::function<double()>&, std::span<std::uint8_t> out) {
                              if (index == bad) throw InputError({.id = 433, .what = "image is cut off"});
                              out[0] = 0;
                          }};
        Loader loader(set, {}, options);
        for (std::size_t b = 0; b < 7; ++b) {
            if (b == 2)
                CHECK(contains(error_of([&] { loader.next(); }), "E0433 "));
            else
                CHECK(loader.next().indices == all[b].indices);
        }
    }
}

TEST_CASE("a loader stops at once, whatever its threads are doing") {
    const ImageSet set = small_set();
    for (int taken = 0; taken < 12; ++taken) {
        Loader loader(set, {}, options_with(4));
        records_of(loader, taken);
    }
    CHECK(true);
}

TEST_CASE("threads prepare no further ahead than they may") {
    const ImageSet set = small_set();
    std::atomic<int> read = 0;
    LoaderOptions options = options_with(2);
    options.reader = {
        1, [&](std::int32_t, const std::function<double()>&, std::span<std::uint8_t> out) { out[0] = 0, ++read; }};
    Loader loader(set, {}, options);
    for (int b = 1; b <= 6; ++b) {
        loader.next();
        CHECK(read <= 16 * (b + 3));
        CHECK(read >= 16 * b);
    }
}

TEST_CASE("in the steady state no batch allocates") {
    const ImageSet set = small_set();
    for (const std::int64_t threads : {0, 2}) {
        LoaderOptions options = options_with(threads);
        options.reader = reader_of(set, Showing::training);
        Loader loader(set, cycle, options);
        for (int b = 0; b < 21; ++b) loader.next();
        const std::int64_t before = allocations();
        std::int64_t samples = 0;
        for (int b = 0; b < 70; ++b) samples += loader.next().size();
        const std::int64_t made = allocations() - before;
        CHECK(made == 0);
        CHECK(samples == 1010);
    }
}

TEST_CASE("sizes that leave no batch are refused") {
    const ImageSet set = small_set();
    LoaderOptions options = options_with(1, LastBatch::drop);
    options.batch_size = 102;
    CHECK(contains(error_of([&] { Loader(set, {}, options); }), "batch.size 102 leaves no batch of 101 samples"));
    options.batch_size = 0;
    CHECK(contains(error_of([&] { Loader(set, {}, options); }), "E0304 "));
}
