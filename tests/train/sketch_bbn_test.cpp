// BBN in two feeds and two branches: h = concat(2 alpha f_c, 2 (1 - alpha) f_r), CE against alpha e_yc + (1 - alpha)
// e_yr, alpha = 1 - ((e - 1) / E)^2 with e from 1. alpha is a state in device memory.
#include "tests/train/sketch_network.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

namespace bkd::test {
namespace {

void write_alpha(StageContext& stage, double alpha) {
    const auto a = static_cast<float>(alpha);
    stage.write_state("alpha", std::vector{a});
    stage.write_state("double_alpha", std::vector{2 * a});
    stage.write_state("double_rest", std::vector{2 * (1 - a)});
}

Stage bbn_stage(const Toy& toy) {
    Stage stage = Toy::stage("train", 2);
    stage.parts = {{"twin", "last block"}, {"head", "linear"}};
    stage.feeds = {{.name = "c"},
                   {.name = "r", .sampler = {.rule = ByClass{.law = reversed_law(class_counts(toy.train.labels, 4))}}}};
    for (const char* name : {"alpha", "double_alpha", "double_rest"})
        stage.states.push_back({.name = name, .shape = {1}});
    return stage;
}

struct Bbn : SketchMethod {
    std::function<void(Step&, const Batch&, const Batch&)> before;
    bool exchanged = false;  // each branch is fed what is meant for the other

    Bbn() {
        on_begin = [](StageContext& stage) { write_alpha(stage, 1); };
        on_after_epoch = [](StageContext& stage, const Metrics&) {
            write_alpha(stage, 1 - std::pow(static_cast<double>(stage.epoch) / 2, 2));
        };
        on_loss = [this](Step& s) {
            const Batch c = s.batch(exchanged ? "r" : "c"), r = s.batch(exchanged ? "c" : "r");
            if (before) before(s, c, r);
            const Tensor f[] = {scale_rows(s.ctx, s.net().features(s.ctx, c.images, 1), s.state("double_alpha")),
                                scale_rows(s.ctx, s.net().features(s.ctx, r.images, 2), s.state("double_rest"))};
            const Tensor z = s.net().head(s.ctx, concat(s.ctx, f, 1));
            return cross_entropy(
                s.ctx, z,
                {.labels = c.targets.labels, .partner_labels = r.targets.labels, .mix_lambda = s.state("alpha")});
        };
    }
};

using Gradients = std::map<std::string, std::vector<double>>;

// The gradients of one step at this alpha, of a network whose branches are alike and whose head treats them alike.
Gradients gradients_of_like_branches(double alpha, bool exchanged) {
    Toy toy("reference");
    toy.training.make_network = make_sketch_network;
    Bbn method;
    method.exchanged = exchanged;
    method.on_begin = [&](StageContext& stage) {
        write_alpha(stage, alpha);
        const Context ctx(toy.runtime);
        Parameters& parameters = stage.network().parameters();
        const std::vector<float> branch = parameters.read(ctx, *parameters.find("branch0.conv.weight"));
        for (const char* name : {"branch0.conv.weight", "branch1.conv.weight"})  // both as read: rounded to f32
            parameters.write(ctx, *parameters.find(name), branch);
        Parameter& head = *parameters.find("linear.weight");
        std::vector<float> w = parameters.read(ctx, head);  // [4, 2 width]
        for (std::size_t i = 0; i < w.size(); ++i)
            if (i % 8 >= 4) w[i] = w[i - 4];
        parameters.write(ctx, head, w);
    };
    Gradients gradients;
    method.on_after_step = [&](Step& s) {
        for (const Parameter& p : s.net().parameters().all())
            if (!p.is_buffer) gradients[p.name] = numbers(toy.runtime, p.value.gradient());
    };
    StageRun run(toy.training, bbn_stage(toy), method, nothing_before);
    run.begin();
    run.begin_epoch();
    run.step();
    return gradients;
}

std::vector<double> channel_means(Step& s, const Batch& batch) {
    Context ctx = s.ctx.inference();
    const auto values = ctx.download(static_cast<SketchNetwork&>(s.net()).before_norm(ctx, batch.images));
    std::vector<double> means(SketchNetwork::width);
    for (std::size_t i = 0; i < values.size(); ++i) means[i % 4] += values[i] / static_cast<double>(values.size() / 4);
    return means;
}

}

TEST_CASE("BBN's reversed branch has no gradient in the first epoch and one in the second") {
    Toy toy("reference");
    toy.training.make_network = make_sketch_network;
    Bbn method;
    std::vector<double> largest_of_branch;
    method.on_after_step = [&](Step& s) {
        double largest = 0;
        for (const double g : numbers(toy.runtime, s.net().parameters().find("branch1.conv.weight")->value.gradient()))
            largest = std::max(largest, std::abs(g));
        largest_of_branch.push_back(largest);
    };
    StageRun run(toy.training, bbn_stage(toy), method, nothing_before);
    run.begin();
    for (int epoch = 0; epoch < 2; ++epoch) {
        run.begin_epoch();
        run.step();
        while (!run.is_epoch_done()) run.step();
        run.end_epoch();
    }
    CHECK(largest_of_branch.front() == 0);
    CHECK(largest_of_branch.back() > 1e-6);
}

TEST_CASE("BBN's shared trunk moves its running mean twice a step, in the order of the feeds") {
    Toy toy("reference");
    toy.training.make_network = make_sketch_network;
    Bbn method;
    std::vector<double> c, r;
    method.before = [&](Step& s, const Batch& a, const Batch& b) { c = channel_means(s, a), r = channel_means(s, b); };
    StageRun run(toy.training, bbn_stage(toy), method, nothing_before);
    run.begin();
    run.begin_epoch();
    run.step();
    const auto mean = numbers(toy.runtime, run.context().network().parameters().find("bn1.running_mean")->value);
    for (std::size_t i = 0; i < mean.size(); ++i)
        CHECK(mean[i] == doctest::Approx(0.9 * 0.1 * c[i] + 0.1 * r[i]).epsilon(1e-9));
}

TEST_CASE("the classes BBN's reversed feed draws are as frequent as they are rare, with one and with four threads") {
    std::vector<std::vector<std::int64_t>> results;
    for (const std::int64_t threads : {1, 4}) {
        Toy toy;  // 20, 12, 8 and 4 images of the four classes
        toy.training.make_network = make_sketch_network;
        toy.training.loader_threads = threads;
        StageContext stage(toy.training, bbn_stage(toy), nothing_before);
        const Context ctx(toy.runtime);
        std::vector<std::int64_t> drawn(4);
        std::int64_t n = 0;
        while (n < 10'000) {
            stage.feed("r").next(ctx);
            for (const double label : ctx.download(stage.feed("r").batch(ctx).targets.labels))
                ++drawn[static_cast<std::size_t>(label)], ++n;
        }
        const double law[] = {6.0 / 61, 10.0 / 61, 15.0 / 61, 30.0 / 61};  // 1 : 20/12 : 20/8 : 20/4
        for (std::size_t c = 0; c < 4; ++c) {
            const double expected = law[c] * static_cast<double>(n), sigma = std::sqrt(expected * (1 - law[c]));
            CAPTURE(c);
            CAPTURE((static_cast<double>(drawn[c]) - expected) / sigma);
            CHECK(std::abs(static_cast<double>(drawn[c]) - expected) < 3 * sigma);
        }
        results.push_back(drawn);
    }
    CHECK(results[0] == results[1]);
}

TEST_CASE("BBN's branches are each other's mirror: 1 - alpha and exchanged inputs exchange their gradients") {
    const Gradients given = gradients_of_like_branches(0.25, false), mirrored = gradients_of_like_branches(0.75, true);
    const auto check_equal = [](double a, double b) { CHECK(std::abs(a - b) <= 1e-12 * std::max(1.0, std::abs(a))); };
    const std::vector<double>&first = given.at("branch0.conv.weight"), &second = given.at("branch1.conv.weight");
    double apart = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
        check_equal(first[i], mirrored.at("branch1.conv.weight")[i]);
        check_equal(second[i], mirrored.at("branch0.conv.weight")[i]);
        apart = std::max(apart, std::abs(first[i] - second[i]));
    }
    CHECK(apart > 1e-3);  // so that not exchanging them would show
    const std::vector<double>&head = given.at("linear.weight"), &other = mirrored.at("linear.weight");
    for (std::size_t i = 0; i < head.size(); ++i) check_equal(head[i], other[i % 8 < 4 ? i + 4 : i - 4]);
    for (const char* shared : {"conv1.weight", "bn1.weight", "bn1.bias", "linear.bias"})
        for (std::size_t i = 0; i < given.at(shared).size(); ++i)
            check_equal(given.at(shared)[i], mirrored.at(shared)[i]);
}

TEST_CASE("BBN gives the same weights with one and with four loader threads") {
    std::vector<Weights> results;
    for (const std::int64_t threads : {1, 4}) {
        Toy toy;
        toy.training.make_network = make_sketch_network;
        toy.training.loader_threads = threads;
        Bbn method;
        Watch watch;
        Trainer trainer(toy.training, {bbn_stage(toy)}, method, watch);
        CHECK(trainer.run());
        results.push_back(trainer.result("train").weights);
    }
    CHECK(results[0] == results[1]);
}

}
