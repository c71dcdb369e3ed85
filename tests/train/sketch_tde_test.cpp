// TDE: cosine head; a running direction d <- mu d + mean f carried along as a state; at the end d is folded into an
// ordinary linear head on unit features, W_i <- (tau / K) (wn_i - alpha (wn_i . dh) dh) per slice of K.
#include "tests/train/sketch_network.h"

#include <doctest/doctest.h>

#include <cmath>

namespace bkd::test {
namespace {

constexpr double mu = 0.9;

double norm(std::span<const double> v) {
    double square = 0;
    for (const double x : v) square += x * x;
    return std::sqrt(square);
}

// w [c, d] -> the folded one
std::vector<double> fold(const std::vector<double>& w, const std::vector<double>& d, std::size_t slices, double tau,
                         double gamma, double alpha) {
    std::vector<double> out(w.size());
    const std::size_t width = d.size() / slices;
    for (std::size_t at = 0; at < w.size(); at += width) {
        const auto row = std::span(w).subspan(at, width), direction = std::span(d).subspan(at % d.size(), width);
        const double length = norm(row) + gamma, d_length = norm(direction);
        double along = 0;
        for (std::size_t i = 0; i < width; ++i) along += row[i] / length * direction[i] / d_length;
        for (std::size_t i = 0; i < width; ++i)
            out[at + i] =
                tau / static_cast<double>(slices) * (row[i] / length - alpha * along * direction[i] / d_length);
    }
    return out;
}

struct Tde : SketchMethod {
    std::vector<std::vector<double>> mean_features;

    explicit Tde(Runtime& runtime, std::int64_t epochs = 2) {
        Stage stage = Toy::stage("train", epochs);
        stage.batch_size = 44;  // one step an epoch
        stage.parts = {{"head", "cosine"}};
        stage.states = {{.name = "d", .shape = {SketchNetwork::width}}};
        stage.finish = Finish{.parts = {{"head", "unit_linear"}}, .values = {0.0, 1.0, 3.0}};
        list = {stage};
        on_loss = [this, &runtime](Step& s) {
            const Batch batch = s.batch();
            const Tensor f = s.net().features(s.ctx, batch.images), d = s.state("d"), sum = s.ctx.empty(d.shape());
            s.ctx.elementwise().scale({.x = d, .y = d, .factor = mu});
            s.ctx.reduction().column_sum({.x = f, .y = sum});
            s.ctx.elementwise().scale({.x = sum, .y = Out(d, true), .factor = 1.0 / static_cast<double>(batch.size())});
            mean_features.push_back(numbers(runtime, sum));
            for (double& v : mean_features.back()) v /= static_cast<double>(batch.size());
            return cross_entropy(s.ctx, s.net().head(s.ctx, f), batch.targets);
        };
        on_finish = [&runtime](FinishContext& f) {
            const auto w = numbers(runtime, f.stage.network().parameters().find("linear.weight")->value);
            const auto d = numbers(runtime, f.stage.state("d"));
            Parameters& own = f.inference.parameters();
            const Context ctx(runtime);
            ctx.assign(own.find("linear.weight")->value, std::span<const double>(fold(w, d, 1, 4, 0, f.value)));
            std::vector<double> identity(16, 0.0);
            for (std::size_t i = 0; i < 4; ++i) identity[i * 5] = 1;
            ctx.assign(own.find("identity")->value, std::span<const double>(identity));
        };
    }
};

}

TEST_CASE("TDE's fold makes the test logits of the published class an ordinary linear head") {
    const std::vector<double> f = {0.5, 1.0, -0.3, 0.4, 0.2, -0.1, 0.9, 0.6}, d = {0.4, 0.3, 0.6, -0.2};
    const std::vector<double> w = {0.3, -0.2, 0.5, 0.1, -0.4, 0.6, 0.2, 0.3, 0.1, 0.1, -0.7, 0.8};
    const std::vector<double> folded = fold(w, d, 2, 16, 1.0 / 32, 1.5);
    const double row0[] = {3.185256935802, -6.288840616840, -1.921826203135, 4.582816330553};
    for (std::size_t i = 0; i < 4; ++i) CHECK(folded[i] == doctest::Approx(row0[i]).epsilon(1e-11));
    const double logits[] = {0.618928945608, 8.072753421825,  -3.005441070793,
                             6.604468497323, -1.930983633587, 2.881231205774};
    for (std::size_t n = 0; n < 2; ++n)
        for (std::size_t c = 0; c < 3; ++c) {
            double z = 0;
            for (std::size_t i = 0; i < 4; ++i)
                z += folded[c * 4 + i] * f[n * 4 + i] / norm(std::span(f).subspan(n * 4 + i / 2 * 2, 2));
            CHECK(z == doctest::Approx(logits[n * 3 + c]).epsilon(1e-11));
        }
}

TEST_CASE("TDE's direction after two steps is mu times the first mean feature plus the second") {
    Toy toy("reference");
    toy.training.make_network = make_sketch_network;
    Tde method(toy.runtime);
    StageRun run(toy.training, method.list.front(), method, nothing_before);
    run.begin();
    for (int epoch = 0; epoch < 2; ++epoch) {
        run.begin_epoch();
        run.step();
        run.end_epoch();
    }
    const auto d = numbers(toy.runtime, run.context().state("d"));
    for (std::size_t i = 0; i < d.size(); ++i)
        CHECK(d[i] == doctest::Approx(mu * method.mean_features[0][i] + method.mean_features[1][i]).epsilon(1e-12));
}

TEST_CASE("TDE stopped after a step and taken up again has the same bits, its direction included") {
    Toy toy;
    toy.training.make_network = make_sketch_network;
    const auto train = [&](bool stops) {
        Checkpoint checkpoint;
        for (int part = stops ? 0 : 1; part < 2; ++part) {
            Tde method(toy.runtime);
            Watch watch;
            std::vector<float> direction;
            watch.after_epoch = [&](StageRun& run) {
                if (part == 0) run.save(checkpoint);
            };
            watch.stop = [&] { return part == 0; };
            watch.at_end = [&](StageRun& run) { direction = run.context().read_state("d"); };
            Trainer trainer(toy.training, method.list, method, watch);
            trainer.run(stops && part == 1 ? &checkpoint : nullptr);
            if (part == 1) return std::pair(trainer.result("train").weights, direction);
        }
        return std::pair(Weights{}, std::vector<float>{});
    };
    const auto whole = train(false), resumed = train(true);
    CHECK(whole.second.size() == 4);
    CHECK(whole == resumed);
}

TEST_CASE("TDE's alpha is swept over features computed once, and alpha 0 predicts as in training") {
    Toy toy("reference");
    int passes = 0;
    toy.training.make_network = [&](std::int64_t classes, std::span<const Part> parts) {
        auto network = std::make_unique<SketchNetwork>(classes, parts);
        network->passes = &passes;
        return network;
    };
    Tde method(toy.runtime, 1);
    StageRun run(toy.training, method.list.front(), method, nothing_before);
    run.begin();
    run.begin_epoch();
    run.step();
    const Predict as_trained = [&](Context& ctx, const Tensor& x) { return run.context().network()(ctx, x); };
    const Metrics trained = run.context().evaluate(as_trained, "test");
    passes = 0;
    const std::vector<Metrics> swept = run.sweep_finish("test");
    REQUIRE(swept.size() == 3);
    CHECK(passes == 3);  // 24 images in batches of 10
    CHECK(swept[0].loss == doctest::Approx(trained.loss).epsilon(1e-6));
    CHECK(swept[0].confusion == trained.confusion);
    CHECK(std::abs(swept[2].loss - swept[0].loss) > 1e-6);
}

}
