#pragma once
// One training step on a batch of random images, as `bkd bench step` times it and tests count it: batch from bytes,
// network, loss, backward, SGD.
#include "engine/optimizer/sgd.h"
#include "models/network.h"

#include <memory>
#include <optional>
#include <string>

namespace bkd {

struct TrainingStepOptions {
    std::string network = "resnet32";
    bool distils = false;  // with a teacher's forward and the BKD loss
    std::int64_t batch = 128, size = 32, channels = 3, classes = 100;
    DType dtype = DType::f32;  // of activations: or bf16
    Device device{};
    BackendOptions backend{};
};

// Random images, in bytes, and what a batch of them is made from: the same for two programs.
class BenchImages {
public:
    BenchImages(const Context& ctx, const TrainingStepOptions& options);
    Tensor load(Context& ctx) const;  // [batch, size, size, channels], stored as activations are

private:
    Tensor images_, index_, mean_, deviation_;
};

// What a step needs is made once, from fixed random numbers: two programs that do the same work agree on its losses.
class TrainingStep {
public:
    explicit TrainingStep(const TrainingStepOptions& options);

    // Queues a step; the loss stays on the device.
    Tensor run();
    // A step noted instead of run, where the device records.
    std::unique_ptr<Recording> record();

    Runtime& runtime() { return runtime_; }

private:
    NetworkOptions network_options() const;

    TrainingStepOptions options_;
    Runtime runtime_;
    Context setup_;
    std::unique_ptr<Network> network_, teacher_;
    std::optional<Sgd> sgd_;
    Tape tape_;
    BenchImages images_;
    Tensor labels_, learning_rate_, log_omega_;
    Tensor fault_, losses_, place_;  // as the trainer keeps them
};

}
