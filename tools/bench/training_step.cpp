#include "tools/bench/training_step.h"

#include "engine/ops/loss.h"

#include <numeric>

namespace bkd {

BenchImages::BenchImages(const Context& ctx, const TrainingStepOptions& o) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(o.batch * o.size * o.size * o.channels));
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(philox_draw({1, 2}, i)[0]);
    std::vector<std::int32_t> index(static_cast<std::size_t>(o.batch));
    std::iota(index.begin(), index.end(), 0);
    images_ = ctx.upload({o.batch, o.size, o.size, o.channels}, std::span<const std::uint8_t>(pixels));
    index_ = ctx.upload({o.batch}, std::span<const std::int32_t>(index));
    mean_ = ctx.full({o.channels}, 0.5);
    deviation_ = ctx.full({o.channels}, 0.25);
}

Tensor BenchImages::load(Context& ctx) const {
    Tensor x = ctx.empty(images_.shape(), ctx.storage());
    ctx.image().load_images({.images = images_, .index = index_, .mean = mean_, .std = deviation_, .y = x});
    return x;
}

TrainingStep::TrainingStep(const TrainingStepOptions& o)
    : options_(o),
      runtime_(o.device, o.backend, o.dtype),
      setup_(runtime_),
      network_(make_network(network_options())),
      teacher_(make_network(network_options())),
      images_(setup_, o) {
    network_->parameters().materialise(setup_, 1, "student");
    teacher_->parameters().materialise(setup_, 1, "teacher");
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < o.batch; ++i) labels.push_back(static_cast<std::int32_t>(i % o.classes));
    labels_ = setup_.upload({o.batch}, std::span<const std::int32_t>(labels));
    learning_rate_ = setup_.full({1}, 0.01);
    log_omega_ = setup_.full({o.classes}, -0.5);
    fault_ = setup_.upload({1}, std::vector<std::int32_t>{0});
    place_ = setup_.upload({1}, std::vector<std::int32_t>{0});
    losses_ = setup_.full({1}, 0);
    sgd_.emplace(setup_, network_->parameters(), SgdOptions{.momentum = 0.9, .weight_decay = 2e-4});
}

Tensor TrainingStep::run() {
    Context ctx(runtime_, &tape_, /*training=*/true);
    network_->parameters().begin_step();
    const Tensor x = images_.load(ctx);
    Context still = ctx.inference();
    const Tensor teacher_logits = options_.distils ? (*teacher_)(still, x) : Tensor();
    const Tensor logits = (*network_)(ctx, x);
    const TargetTensors targets{.labels = labels_};
    const Tensor loss = options_.distils
                            ? distillation(ctx, logits, teacher_logits, targets, {.log_omega = log_omega_}).loss
                            : cross_entropy(ctx, logits, targets);
    tape_.backward(still, loss);
    network_->parameters().complete_gradients(still);
    still.reduction().count_nonfinite({.x = network_->parameters().gradients(), .count = Out(fault_, true)});
    still.elementwise().put({.x = runtime_.tensors.alias(loss, {1}), .index = place_, .y = losses_, .fault = fault_});
    sgd_->step(still, learning_rate_, fault_);
    return loss;
}

std::unique_ptr<Recording> TrainingStep::record() {
    runtime_.stream->begin_recording();
    try {
        run();
        return runtime_.stream->end_recording();
    } catch (...) {
        runtime_.stream->abandon_recording();
        throw;
    }
}

NetworkOptions TrainingStep::network_options() const {
    return {.name = options_.network, .classes = options_.classes, .channels = options_.channels};
}

}
