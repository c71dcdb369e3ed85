// Training in bf16: how far it lies from f32, that cpu and reference agree in it, and that a run in it keeps every
// promise of one in f32.
#include "kernels/bf16.h"
#include "engine/ops/loss.h"
#include "engine/optimizer/sgd.h"
#include "tests/train/toy_run.h"
#include "train/evaluate_model.h"
#include "train/weights.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {
namespace {

using bkd_test::id_of;

// |a - b| / |b|, as vectors.
double distance(std::span<const double> a, std::span<const double> b) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return std::sqrt(difference / size);
}

// ResNet-8 on one batch of 32 pictures of random numbers, step after step.
struct ResNet8 {
    ResNet8(DeviceKind kind, DType storage)
        : runtime(Device{kind, 0}, {}, storage),
          ctx(runtime),
          network(make_network({.name = "resnet8", .classes = 10})) {
        parameters().materialise(ctx, 1, "student");
        sgd.emplace(ctx, parameters(), SgdOptions{.momentum = 0.9, .weight_decay = 2e-4});
        const Shape shape{32, 16, 16, 3};
        std::vector<double> numbers;
        for (std::int64_t i = 0; i < shape.count(); ++i) {
            const PhiloxCounter word = philox_draw({7, 7}, static_cast<std::uint64_t>(i));
            numbers.push_back(normals_from(word[0], word[1]).first);
        }
        images = ctx.upload(shape, std::span<const double>(numbers), ctx.storage());
        std::vector<std::int32_t> classes;
        for (std::int32_t i = 0; i < 32; ++i) classes.push_back(i % 10);
        labels = ctx.upload({32}, std::span<const std::int32_t>(classes));
        rate = ctx.full({1}, 0.05);
    }
    Parameters& parameters() const { return network->parameters(); }
    // Of the parameters as they are; the gradients stay.
    double loss() {
        Context training(runtime, &tape, true), back = ctx.inference();
        parameters().begin_step();
        const Tensor value = cross_entropy(training, (*network)(training, images), {.labels = labels});
        tape.backward(back, value);
        parameters().complete_gradients(back);
        return ctx.item(value);
    }
    // Images and weights to numbers that bf16 holds, whatever they are stored in.
    void round_operands() {
        const auto round = [&](const Tensor& t) {
            std::vector<double> numbers = ctx.download(t);
            for (double& x : numbers) x = to_f32(to_bf16(static_cast<float>(x)));
            ctx.assign(t, std::span<const double>(numbers));
        };
        round(images);
        round(parameters().values());
    }
    std::vector<double> losses(int steps) {
        std::vector<double> all;
        for (int i = 0; i < steps; ++i) {
            all.push_back(loss());
            sgd->step(ctx, rate);
        }
        return all;
    }

    Runtime runtime;
    Context ctx;
    std::unique_ptr<Network> network;
    std::optional<Sgd> sgd;
    Tape tape;
    Tensor images, labels, rate;
};

// Of all gradients together.
double distance(ResNet8& a, ResNet8& b) {
    a.loss(), b.loss();
    return distance(a.ctx.download(a.parameters().gradients()), b.ctx.download(b.parameters().gradients()));
}
double distance(ResNet8& a, ResNet8& b, std::string_view name) {
    a.loss(), b.loss();
    const auto of = [&](ResNet8& r) { return r.ctx.download(r.parameters().find(name)->value.gradient()); };
    return distance(of(a), of(b));
}

}

// A rounding moves some ReLU's input across 0, and with it a whole summand of every gradient below: that, not the
// rounding of the summands, is what gradients of deep layers differ by. How much one rounding does is measured on f32
// itself, with images and weights rounded once; bf16 then rounds twice a layer forward and twice backward, 28 times in
// seven layers, sqrt(28) = 5.3 times as far if they are independent. Above the last ReLU nothing can flip: the classifier's
// gradient is a mean of features (rounded twice) times dz (twice), 4 roundings of 2^-9 at most.
TEST_CASE("bf16 gradients of ResNet-8 are as far from those in f32 as roundings bring them, on cpu and on reference") {
    ResNet8 cpu(DeviceKind::cpu, DType::bf16), reference(DeviceKind::reference, DType::bf16),
        full(DeviceKind::cpu, DType::f32), rounded(DeviceKind::cpu, DType::f32);
    rounded.round_operands();
    const double once = distance(rounded, full), from_f32 = distance(cpu, full), apart = distance(cpu, reference);
    CAPTURE(once);
    CAPTURE(from_f32);
    CAPTURE(apart);
    CHECK(once > 0x1p-9);
    CHECK(from_f32 > once);
    CHECK(from_f32 < 5.3 * once);
    CHECK(apart < from_f32);
    for (ResNet8* other : {&full, &reference}) CHECK(distance(cpu, *other, "linear.weight") < 4 * 0x1p-9);
}

TEST_CASE("ten steps of ResNet-8 in bf16 have the losses of f32 within a hundredth, on cpu and on reference") {
    ResNet8 cpu(DeviceKind::cpu, DType::bf16), reference(DeviceKind::reference, DType::bf16),
        full(DeviceKind::cpu, DType::f32);
    const std::vector<double> a = cpu.losses(10), b = reference.losses(10), c = full.losses(10);
    for (std::size_t i = 0; i < 10; ++i) {
        CAPTURE(i);
        CHECK(std::abs(a[i] - b[i]) < 0.01 * b[i]);
        CHECK(std::abs(a[i] - c[i]) < 0.01 * c[i]);
    }
    CHECK(a.back() < 0.3 * a.front());
    CHECK(a != c);
    // Ten steps of 0.05 with momentum move a weight by some 0.1; what the two devices flip differs by a part of that.
    CHECK(distance(cpu.ctx.download(cpu.parameters().values()),
                   reference.ctx.download(reference.parameters().values())) < 0.02);
}

TEST_CASE("the weights that a moving average reads are its masters rounded, step after step") {
    Toy toy("cpu", {20, 12, 8, 4}, DType::bf16);
    SketchMethod method;
    Stage stage = Toy::stage();
    stage.companions = {
        {.name = "average", .kind = Companion::Kind::moving_average, .batch_norm = BatchNormMode::batch}};
    method.on_loss = [](Step& s) {
        const Batch batch = s.batch();
        CHECK(batch.images.dtype() == DType::bf16);
        s.companion("average", batch.images);
        return cross_entropy(s.ctx, s.network(batch.images), batch.targets);
    };
    StageRun run(toy.training, stage, method, nothing_before);
    const Context ctx(toy.runtime);
    run.begin();
    run.begin_epoch();
    for (int i = 0; i < 3; ++i) run.step();
    for (const Parameters* of :
         {&run.context().network().parameters(), &run.context().companion("average").network().parameters()}) {
        const std::vector<double> masters = ctx.download(of->values()), copies = ctx.download(of->copies());
        int stale = 0;
        for (std::size_t i = 0; i < masters.size(); ++i)
            stale += copies[i] != to_f32(to_bf16(static_cast<float>(masters[i])));
        CHECK(stale == 0);
    }
}

TEST_CASE("a run in bf16 says so, gives the same bits again, and goes on to them when it was stopped") {
    ToyRun toy;
    const std::vector<std::string> bf16{"compute.dtype=bf16"};
    REQUIRE(toy.train("bkd", "whole", bf16).state == RunResult::State::done);
    CHECK(toy.said("dtype=bf16"));
    toy.train("bkd", "again", bf16);
    toy.train("bkd", "full");
    const char* model = "/models/student.last.safetensors";
    CHECK(toy.bytes("again" + std::string(model)) == toy.bytes("whole" + std::string(model)));
    const auto weights = [&](const std::string& run) {
        return read_stage_result(toy.path() / (run + model), nullptr, {}).weights;
    };
    CHECK(weights("full") != weights("whole"));  // their files differ by the recipe anyhow
    for (const int epochs : {1, 3}) {
        const std::string name = "cut" + std::to_string(epochs);
        REQUIRE(toy.train("bkd", name, bf16, stop_after(epochs)).state == RunResult::State::stopped);
        if (epochs == 1) CHECK(id_of([&] { toy.resume(name, {"compute.dtype=f32"}); }) == "E1005");
        REQUIRE(toy.resume(name).state == RunResult::State::done);
        for (const std::string file : {"/models/teacher.last.safetensors", model, "/metrics.csv"})
            CHECK(toy.bytes(name + file) == toy.bytes("whole" + file));
    }
}

TEST_CASE("a model trained in bf16 is f32 in its file and evaluates there near what its run said") {
    ToyRun toy;
    const RunResult run = toy.train("ce", "run", {"compute.dtype=bf16", "train.epochs=6"});
    const std::filesystem::path model = run.folder / "models/train.last.safetensors";
    const ModelEvaluation alone =
        evaluate_model({.model = model, .data_root = toy.path(), .threads = 1, .keeps_logits = true});
    const Metrics& last = run.stages.front().last;
    CHECK(alone.evaluation.metrics.count == last.count);
    CHECK(alone.evaluation.metrics.loss == doctest::Approx(last.loss).epsilon(0.02));
    CHECK(alone.evaluation.metrics.loss != last.loss);
    CHECK(std::abs(alone.evaluation.metrics.top1 - last.top1) <= 5);
    for (const StoredTensor& tensor : read_model_file(model).tensors.tensors)
        if (tensor.name != "num_batches_tracked" && !tensor.name.ends_with(".num_batches_tracked"))
            CHECK(tensor.type == ElementType::f32);
}

}
