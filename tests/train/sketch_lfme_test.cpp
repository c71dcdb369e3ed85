// LFME: an expert for each group of classes, trained on its classes alone; a student that distils each on its slice of
// the logits, L = (1/N) sum v_n CE_n + sum_l w_l KL_l, with w_l from the last evaluation and v_n from a number for each
// image.
#include "engine/ops/embedding.h"
#include "engine/ops/matmul.h"
#include "engine/ops/reduction.h"
#include "tests/train/loss_fixture.h"
#include "tests/train/sketch_network.h"

namespace bkd::test {
namespace {

const std::vector<std::vector<std::int32_t>> groups = {{0, 1}, {2, 3}};

// w_l: 1 while the student is below 0.3 of the expert, then falling to 0.
double self_paced(double student, double expert) {
    return student < 0.3 * expert ? 1 : std::max(0.0, (expert - student) / expert / 0.7);
}

// KL(softmax(expert / T) || softmax(z[:, G] / T)) without T^2, T = 2
Tensor group_kl(Context& ctx, const Tensor& z, const Tensor& expert, const Tensor& chooser) {
    const Tensor slice = linear(ctx, z, chooser, {});
    const Tensor zeros = ctx.empty({z.dim(0)}, DType::i32);
    ctx.elementwise().fill({.y = zeros});
    return distillation(ctx, slice, expert, {.labels = zeros}, {.temperature = 2, .kd_weight = 0.25, .ce_weight = 0})
        .loss;
}

std::vector<double> chooser_of(std::size_t group) {
    std::vector<double> rows(8, 0.0);
    for (std::size_t i = 0; i < 2; ++i) rows[i * 4 + static_cast<std::size_t>(groups[group][i])] = 1;
    return rows;
}

Tensor weighted_cross_entropy(Context& ctx, const Tensor& z, const TargetTensors& targets, const Tensor& v) {
    const Tensor rows = cross_entropy(ctx, z, targets, {.reduction = kernels::LossReduction::none});
    return reshape(ctx, mean(ctx, scale_rows(ctx, rows, v), kernels::Axes::of({0})), {1});
}

struct Lfme : SketchMethod {
    std::vector<double> paces;
    bool images_kept_their_numbers = true;
    std::vector<float> image_numbers;

    Lfme() {
        const char* names[] = {"many", "few"};
        for (std::size_t l = 0; l < 2; ++l) {
            Stage expert = Toy::stage(names[l], 1);
            expert.feeds = {{.sampler = {.classes = groups[l]}}};
            list.push_back(expert);
        }
        Stage student = Toy::stage("student", 3);
        for (std::size_t l = 0; l < 2; ++l) {
            student.companions.push_back({.name = names[l], .from = names[l], .classes = groups[l]});
            student.states.push_back({.name = fmt::format("chooser{}", l), .shape = {2, 4}});
            student.states.push_back({.name = fmt::format("w{}", l), .shape = {1}, .initial = 1});
        }
        student.states.push_back({.name = "s", .shape = {1}, .rows = State::Rows::per_image});
        student.states.push_back({.name = "best", .shape = {2}});
        list.push_back(student);
        on_begin = [this](StageContext& stage) {
            if (stage.stage().name == "student") fill(stage);
        };
        on_after_epoch = [this](StageContext& stage, const Metrics& m) {
            if (stage.stage().name == "student") pace(stage, m);
        };
        on_loss = [this](Step& s) { return s.stage().name == "student" ? student_loss(s) : plain_cross_entropy(s); };
    }
    void fill(StageContext& stage) {
        std::vector<float> best, s(static_cast<std::size_t>(stage.training().splits.at("train").set().size()));
        for (std::size_t l = 0; l < 2; ++l) {
            OpenCompanion& expert = stage.companion(l == 0 ? "many" : "few");
            const Predict predict = [&](Context& ctx, const Tensor& x) { return expert(ctx, x); };
            best.push_back(static_cast<float>(stage.evaluate(predict, "test", groups[l]).top1));
            const auto rows = chooser_of(l);
            stage.write_state(fmt::format("chooser{}", l), std::vector<float>(rows.begin(), rows.end()));
            stage.sweep(
                "train",
                [&](const SweepBatch& batch) {
                    for (const std::int32_t i : batch.indices)
                        s[static_cast<std::size_t>(i)] = 0.5F + 0.01F * static_cast<float>(i);
                },
                groups[l]);
        }
        stage.write_state("best", best);
        stage.write_state("s", s);
    }
    void pace(StageContext& stage, const Metrics& metrics) {
        const std::vector<float> best = stage.read_state("best");
        for (std::size_t l = 0; l < 2; ++l) {
            const double acc = (metrics.per_class[2 * l] + metrics.per_class[2 * l + 1]) / 2;
            paces.push_back(self_paced(acc, best[l]));
            stage.write_state(fmt::format("w{}", l), std::vector{static_cast<float>(paces.back())});
        }
    }
    Tensor student_loss(Step& s) {
        const Batch batch = s.batch();
        const Tensor z = s.network(batch.images);
        const Tensor tokens = reshape(s.ctx, batch.indices, {batch.size(), 1});
        const Tensor v = reshape(s.ctx, embedding(s.ctx, tokens, s.state("s")), {batch.size()});
        const auto numbers_of_rows = s.ctx.download(v), indices = s.ctx.download(batch.indices);
        for (std::size_t n = 0; n < indices.size(); ++n)
            images_kept_their_numbers =
                images_kept_their_numbers && std::abs(numbers_of_rows[n] - (0.5 + 0.01 * indices[n])) < 1e-6;
        Tensor loss = weighted_cross_entropy(s.ctx, z, batch.targets, v);
        for (std::size_t l = 0; l < 2; ++l) {
            const Tensor kl = group_kl(s.ctx, z, s.companion(l == 0 ? "many" : "few", batch.images),
                                       s.state(l == 0 ? "chooser0" : "chooser1"));
            loss = add(s.ctx, loss, scale_rows(s.ctx, kl, s.state(l == 0 ? "w0" : "w1")));
        }
        return loss;
    }
};

}

TEST_CASE("LFME's loss with two experts of two classes each has the golden value and gradient") {
    LossBench b("reference");
    const Numbers z = {2, -1, 0.5, 0.25, 0.1, 0.3, -0.7, 1.2, -0.5, 1.5, 0.75, -2};
    const Numbers experts[] = {{3, 0.5, 1, 0.2, 0.3, 0.9}, {-1, 0, 0.4, -0.6, -0.2, 0.8}};
    const double kl[] = {0.030893716785, 0.240483833159}, w[] = {1, 0.4};
    const Tensor labels = b.labels({0, 2, 3}), v = b.row({0.377777777777778, 0.688888888888889, 1});
    for (std::size_t l = 0; l < 2; ++l)
        CHECK(b.run(z, 3, [&](Context& ctx, const Tensor& leaf) {
                   return group_kl(ctx, leaf, b.rows(experts[l], 3), b.rows(chooser_of(l), 2));
               }).loss == doctest::Approx(kl[l]).epsilon(1e-10));
    const LossAndGradient value = b.run(z, 3, [&](Context& ctx, const Tensor& leaf) {
        Tensor loss = weighted_cross_entropy(ctx, leaf, {.labels = labels}, v);
        for (std::size_t l = 0; l < 2; ++l)
            loss =
                add(ctx, loss, scale(ctx, group_kl(ctx, leaf, b.rows(experts[l], 3), b.rows(chooser_of(l), 2)), w[l]));
        return loss;
    });
    b.check(value, 2.087080008771,
            {-0.032169393626, -0.002378765455, 0.029666743489, 0.004881415592, 0.019852958688, 0.070034104555,
             -0.234352904795, 0.144465841552, 0.001439775304, 0.229615401920, 0.124175678253, -0.355230855476});
}

TEST_CASE("LFME's weight of an expert fades as the student comes near it") {
    const double accuracies[] = {10, 18, 40, 60, 65}, expected[] = {1, 1, 0.476190476190, 0, 0};
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(self_paced(accuracies[i], 60) == doctest::Approx(expected[i]).epsilon(1e-10));
}

TEST_CASE("LFME interrupted between two epochs and taken up again has the same paces and the same bits") {
    Toy toy;
    Lfme whole, cut, resumed;
    Watch watch;
    Trainer straight(toy.training, whole.list, whole, watch);
    REQUIRE(straight.run());
    CHECK(whole.images_kept_their_numbers);

    Checkpoint checkpoint{.stage_index = 2};
    bool stop = false;
    Watch stopping;
    stopping.after_epoch = [&](StageRun& run) {
        if (run.stage().name != "student") return;
        run.save(checkpoint);
        stop = true;
    };
    stopping.stop = [&] { return stop; };
    Trainer first(toy.training, cut.list, cut, stopping);
    REQUIRE_FALSE(first.run());
    Trainer second(toy.training, resumed.list, resumed, watch);
    for (const char* name : {"many", "few"}) second.give(first.result(name));
    REQUIRE(second.run(&checkpoint));
    CHECK(second.result("student").weights == straight.result("student").weights);
    REQUIRE(whole.paces.size() == 6);
    CHECK(std::vector(whole.paces.begin() + 2, whole.paces.end()) == resumed.paces);
}

}
