// Sets whose samples are made when a batch asks for them, beside the same sets in memory.
#include "data/imbalance.h"
#include "tests/train/sketch_network.h"
#include "tests/train/toy_run.h"
#include "train/evaluate.h"
#include "train/memory_plan.h"

#include <doctest/doctest.h>

#include <atomic>

namespace bkd::test {
namespace {

// The images of a set, one by one; training may see them dimmed, each showing by another factor.
class Copies final : public SampleSource {
public:
    Copies(ImageSet set, bool dims) : set_(std::move(set)), dims_(dims) {}
    void read(std::int32_t index, std::span<std::uint8_t> out) const override {
        ++reads;
        if (index == refused) throw InputError({.id = 433, .what = "image is cut off", .at = name(index)});
        std::ranges::copy(set_.image(index), out.begin());
    }
    void read_changed(std::int32_t index, const std::function<double()>& uniform,
                      std::span<std::uint8_t> out) const override {
        read(index, out);
        if (!dims_) return;
        const double factor = 0.5 + uniform() / 2;
        for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(byte * factor);
    }
    std::string name(std::int32_t index) const override { return "image " + std::to_string(index); }

    mutable std::atomic<int> reads = 0;
    std::int32_t refused = -1;

private:
    ImageSet set_;
    bool dims_;
};

ImageSet from_source(const ImageSet& set, bool dims = false) {
    ImageSet made = take(set, {});
    made.labels = set.labels;
    made.source = std::make_shared<Copies>(set, dims);
    return made;
}

struct Trained {
    Weights weights;
    std::vector<float> logits;
    bool operator==(const Trained&) const = default;
};

enum class Kept { in_memory, made, dimmed };

// Two epochs, plain or on mixup batches, and the logits of the test set.
Trained train_toy(Kept kept, std::int64_t workers, bool mixes, std::int64_t stop_after = -1) {
    Toy toy;
    const bool is_made = kept != Kept::in_memory;
    const ImageSet train = is_made ? from_source(toy.train, kept == Kept::dimmed) : toy.train;
    const ImageSet test = is_made ? from_source(toy.test) : toy.test;
    Splits splits;
    const Context ctx(toy.runtime);
    splits.add(ctx, "train", train, train.mean, train.deviation, workers);
    splits.add(ctx, "test", test, test.mean, test.deviation, workers);
    Training training{.runtime = toy.runtime,
                      .splits = splits,
                      .make_network = network_factory(toy_network()),
                      .loader_threads = workers,
                      .eval_batch = 10};
    SketchMethod method;
    method.on_loss = [&](Step& s) {
        const Batch batch = mixes ? s.mixup(1.0) : s.batch();
        return cross_entropy(s.ctx, s.network(batch.images), batch.targets);
    };
    Stage stage = Toy::stage("train", 2);
    stage.augment = CropFlip{};
    StageRun run(training, stage, method, nothing_before);
    for (std::int64_t steps = 0; !run.is_done();) {
        run.begin_epoch();
        for (; !run.is_epoch_done() && steps != stop_after; ++steps) run.step();
        if (steps == stop_after) break;
        run.end_epoch();
    }
    return {run.result().weights, run.evaluate("test", true).logits};
}

}

TEST_CASE("what a source makes trains to the bits of the same images in memory, for any number of workers") {
    for (const bool mixes : {false, true}) {
        const Trained expected = train_toy(Kept::in_memory, 1, mixes);
        for (const std::int64_t workers : {0, 1, 3}) CHECK(train_toy(Kept::made, workers, mixes) == expected);
    }
}

TEST_CASE("changes drawn for each showing are the same for any number of workers, and are seen in training alone") {
    const Trained expected = train_toy(Kept::dimmed, 0, true);
    CHECK(train_toy(Kept::dimmed, 3, true) == expected);
    CHECK_FALSE(train_toy(Kept::made, 0, true).weights == expected.weights);
    const Trained before = train_toy(Kept::dimmed, 1, false, 0), plain = train_toy(Kept::in_memory, 1, false, 0);
    CHECK(before.logits == plain.logits);  // of the first weights, on images that evaluation sees as they are
}

TEST_CASE("a part of a made set is made from the whole, and told apart by names and labels") {
    const Toy toy;
    const ImageSet whole = from_source(toy.train);
    const std::vector<std::int32_t> indices{7, 0, 7, 30};
    const ImageSet part = take(whole, indices);
    CHECK(part.labels == take(toy.train, indices).labels);
    std::vector<std::uint8_t> made(static_cast<std::size_t>(part.image_bytes()));
    part.source->read(3, made);
    CHECK(std::ranges::equal(made, toy.train.image(30)));
    CHECK(part.source->name(2) == "image 7");
    CHECK(byte_fingerprint(whole, indices) != byte_fingerprint(whole, std::vector<std::int32_t>{7, 0, 8, 30}));
}

TEST_CASE("planning makes no sample; what cannot be made ends a training with the sample's own message") {
    Toy toy;
    const ImageSet made = from_source(toy.train);
    auto& copies = const_cast<Copies&>(dynamic_cast<const Copies&>(*made.source));
    SketchMethod method;
    method.on_loss = plain_cross_entropy;
    const std::vector<Stage> stages{Toy::stage()};
    const std::vector<StageMemory> plan = plan_memory({toy.training,
                                                       {{"train", &made}, {"test", &toy.test}},
                                                       stages,
                                                       [&](const Stage&) {
                                                           auto planned = std::make_unique<SketchMethod>();
                                                           planned->on_loss = plain_cross_entropy;
                                                           return planned;
                                                       },
                                                       nothing_before});
    CHECK(plan.front().bytes > 0);
    CHECK(copies.reads == 0);
    copies.refused = 17;
    Splits splits;
    splits.add(Context(toy.runtime), "train", made, made.mean, made.deviation, 2);
    splits.add(Context(toy.runtime), "test", toy.test, toy.test.mean, toy.test.deviation);
    const Training training{
        .runtime = toy.runtime, .splits = splits, .make_network = network_factory(toy_network()), .loader_threads = 2};
    Watch watch;
    CHECK(bkd_test::id_of([&] { Trainer(training, stages, method, watch).run(); }) == "E0433");
}

}
