// What can be counted of a fast step without a device: ResNet-32 on batches of 128, by what is noted in a recording and
// by what ops are told to the plan backend: their tensors, and what a second launch of an op reads again. What a kernel
// leaves for its own last sum, mostly partial weight gradients, is not among it (docs/cuda.md).
#include "kernels/cuda/host/runtime.h"
#include "tests/train/toy.h"
#include "tools/bench/training_step.h"

#include <doctest/doctest.h>

#include <map>
#include <string_view>

namespace bkd::test {
namespace {

TrainingStepOptions resnet32(const char* device, bool distils, DType dtype) {
    return {.distils = distils, .dtype = dtype, .device = Device::parse(device)};
}

// Kernels, calls of libraries and copies in one recorded step, which does not run.
std::int64_t recorded_work(bool distils, DType dtype, bool tf32) {
    TrainingStepOptions options = resnet32("cuda", distils, dtype);
    options.backend.tf32 = tf32;
    TrainingStep step(options);
    const std::int64_t before = simt::tally().recorded;
    const auto recording = step.record();
    return simt::tally().recorded - before;
}

class Bytes final : public LaunchObserver {
public:
    void before(const Launch& launch) override {
        total += launch.bytes_read + launch.bytes_written;
        ++calls[launch.op];
        // What a second launch of the op reads again.
        const auto again = [&](std::size_t i) { total += launch.arguments[i].view.bytes(); };
        const std::string_view op = launch.op;
        if (op == "batch_norm_forward") again(0);                                       // x
        if (op == "batch_norm_backward") again(0), again(1), again(2);                  // dy, x, y
        if (op == "conv2d_backward" && launch.arguments[3].view.rank() == 4) again(2);  // dy
    }
    std::int64_t total = 0;
    std::map<std::string, int> calls{};
};

double gigabytes_of_a_step(DType dtype, Bytes& bytes) {
    TrainingStep step(resnet32("plan", false, dtype));
    step.runtime().stream->observer = &bytes;
    step.run();
    step.runtime().stream->observer = nullptr;
    return static_cast<double>(bytes.total) * 1e-9;
}

}

TEST_CASE("a recorded step of ResNet-32 is at most 240 launches, with balanced distillation 300") {
    struct Precision {
        DType dtype;
        bool tf32;
    };
    for (const auto& [dtype, tf32] : {Precision{DType::bf16, false}, {DType::f32, true}, {DType::f32, false}}) {
        const std::int64_t work = recorded_work(false, dtype, tf32), distils = recorded_work(true, dtype, tf32);
        MESSAGE(fmt::format("{}{}: {}, with distillation {}", name_of(dtype), tf32 ? " as TF32" : "", work, distils));
        CHECK(work <= 240);
        CHECK(distils <= 300);
    }
}

TEST_CASE("a step of ResNet-32 moves at most 1.05 times the bytes of fused passes") {
    Bytes f32, bf16;
    const double of_f32 = gigabytes_of_a_step(DType::f32, f32), of_bf16 = gigabytes_of_a_step(DType::bf16, bf16);
    MESSAGE(fmt::format("f32 {:.3f} GB, bf16 {:.3f} GB", of_f32, of_bf16));
    CHECK(of_f32 <= 1.05 * 2.70);
    CHECK(of_bf16 <= 1.05 * 1.35);
    CHECK(f32.calls["cross_entropy"] == 1);  // with its gradient: nothing is scaled or filled behind it
    CHECK(f32.calls["sgd_step"] == 1);
    for (const char* op : {"fill", "scale", "scale_rows", "cast", "relu_forward", "add"}) CHECK(f32.calls[op] == 0);
}

TEST_CASE("a steady step is one launch of a graph, without memory taken and without waiting") {
    struct Steps : Watch {
        simt::Tally last;
        std::int64_t steady = 0;
        void step_ended(StageRun& run, const StepReport*) override {
            const simt::Tally now = simt::tally();
            // The first steps of an epoch are computed and recorded, its last is a smaller batch.
            const std::int64_t of_epoch = (run.steps_done() - 1) % run.steps_per_epoch();
            if (of_epoch >= 3 && !run.is_epoch_done()) {
                ++steady;
                CHECK(now.graph_launches == last.graph_launches + 1);
                CHECK(now.launches == last.launches);
                CHECK(now.allocations == last.allocations);
                CHECK(now.synchronizations == last.synchronizations);
            }
            last = now;
        }
    } steps;
    Toy toy("cuda");
    toy.training.replays_steps = true;
    toy.training.log_every = 1000;
    SketchMethod method;
    method.list = {Toy::stage("train", 3)};
    method.on_loss = plain_cross_entropy;
    CHECK(Trainer(toy.training, method.list, method, steps).run());
    CHECK(steps.steady >= 4);
}

}
