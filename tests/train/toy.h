#pragma once
// Small things to train: images of 8 x 8 that a tiny network can tell apart, and a training with everything around it.
#include "engine/ops/convolution.h"
#include "engine/rng.h"
#include "models/network.h"
#include "train/trainer.h"

namespace bkd::test {

// counts[c] images of class c: noise around a level that tells the class.
inline ImageSet toy_set(std::span<const std::int64_t> counts, std::uint64_t seed, Split split = Split::train) {
    ImageSet set;
    set.name = "toy", set.split = split;
    set.height = set.width = 8, set.channels = 3;
    set.mean = {0.5F, 0.5F, 0.5F}, set.deviation = {0.25F, 0.25F, 0.25F};
    for (std::size_t c = 0; c < counts.size(); ++c) {
        set.class_names.push_back("class" + std::to_string(c));
        for (std::int64_t i = 0; i < counts[c]; ++i) set.labels.push_back(static_cast<std::int32_t>(c));
    }
    const PhiloxKey key = philox_key(seed, "toy");
    const auto classes = static_cast<std::uint32_t>(counts.size());
    for (std::size_t n = 0; n < set.labels.size(); ++n)
        for (std::int64_t i = 0; i < set.image_bytes(); ++i) {
            const auto noise = philox_draw(key, n * 1000 + static_cast<std::size_t>(i))[0] % 64;
            const auto level = static_cast<std::uint32_t>(set.labels[n]) * 190 / classes;
            set.images.push_back(static_cast<std::uint8_t>(level + (i % 3 == set.labels[n] % 3 ? noise : noise / 2)));
        }
    return set;
}

inline NetworkOptions toy_network() { return {.name = "resnet8", .classes = 4, .channels = 3, .width = 4}; }

// A runtime with the toy sets, and stages that fit them.
struct Toy {
    explicit Toy(const char* device = "cpu", std::vector<std::int64_t> counts = {20, 12, 8, 4},
                 DType storage = DType::f32)
        : train(toy_set(counts, 1)),
          test(toy_set(std::vector<std::int64_t>(counts.size(), 6), 2, Split::test)),
          runtime(Device::parse(device), {}, storage),
          training{.runtime = runtime,
                   .splits = splits,
                   .make_network = network_factory(toy_network()),
                   .loader_threads = 1,
                   .log_every = 4,
                   .eval_batch = 10} {
        const Context ctx(runtime);
        splits.add(ctx, "train", train, train.mean, train.deviation);
        splits.add(ctx, "test", test, test.mean, test.deviation);
    }
    static Stage stage(const std::string& name = "train", std::int64_t epochs = 1) {
        Stage s;
        s.name = name;
        s.optimizer = SgdOptions{.momentum = 0.9, .weight_decay = 2e-4};
        s.schedule = Schedule{.base = 0.05};
        s.epochs = epochs;
        s.batch_size = 8;
        s.augment = CropFlip{.padding = 1, .flip = true};
        return s;
    }

    ImageSet train, test;
    Runtime runtime;
    Splits splits;
    Training training;
};

// A method from lambdas, for sketches.
struct SketchMethod : Method {
    std::vector<Stage> list;
    std::function<Tensor(Step&)> on_loss;
    std::function<void(StageContext&)> on_begin{};
    std::function<void(Step&)> on_after_step{};
    std::function<void(StageContext&, const Metrics&)> on_after_epoch{};
    std::function<void(FinishContext&)> on_finish{};

    std::vector<Stage> stages() const override { return list; }
    Tensor loss(Step& s) override { return on_loss(s); }
    void begin(StageContext& c) override {
        if (on_begin) on_begin(c);
    }
    void after_step(Step& s) override {
        if (on_after_step) on_after_step(s);
    }
    void after_epoch(StageContext& c, const Metrics& m) override {
        if (on_after_epoch) on_after_epoch(c, m);
    }
    void finish(FinishContext& f) override {
        if (on_finish) on_finish(f);
    }
};

inline Tensor plain_cross_entropy(Step& s) {
    const Batch batch = s.batch();
    return cross_entropy(s.ctx, s.network(batch.images), batch.targets);
}

// Looks into the stage at its end.
struct Watch : TrainObserver {
    std::function<void(StageRun&)> at_start{}, at_end{};
    std::function<void(StageRun&)> after_epoch{};
    std::function<bool()> stop{};
    void stage_started(StageRun& run) override {
        if (at_start) at_start(run);
    }
    void epoch_ended(StageRun& run, const EpochReport&) override {
        if (after_epoch) after_epoch(run);
    }
    void stage_ended(StageRun& run, const StageResult&) override {
        if (at_end) at_end(run);
    }
    bool should_stop() override { return stop && stop(); }
};

// For stages without results of others.
inline const FindResult nothing_before = [](const std::string& from) -> const StageResult& {
    throw InputError({.id = 311, .what = "no stage " + from});
};

}
