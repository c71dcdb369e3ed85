// What holds of the losses for any numbers: the invariants of the specification, on the reference backend in f64.
#include "engine/ops/matmul.h"
#include "engine/rng.h"
#include "tests/train/loss_fixture.h"

namespace bkd::test {
namespace {

// `count` numbers, normal with this deviation, the same each time for the same name.
Numbers normal_numbers(const std::string& name, std::size_t count, double deviation) {
    const PhiloxKey key = philox_key(1, name);
    Numbers values;
    for (std::size_t i = 0; i < count; ++i) {
        const PhiloxCounter words = philox_draw(key, i);
        const double radius = std::sqrt(-2 * std::log((words[0] + 0.5) * 0x1p-32));
        values.push_back(deviation * radius * std::cos(6.283185307179586 * words[1] * 0x1p-32));
    }
    return values;
}

Numbers rows_of(const Numbers& values, std::initializer_list<std::size_t> rows) {
    Numbers chosen;
    for (const std::size_t row : rows)
        chosen.insert(chosen.end(), values.begin() + static_cast<std::ptrdiff_t>(4 * row),
                      values.begin() + static_cast<std::ptrdiff_t>(4 * row + 4));
    return chosen;
}

}

TEST_CASE(
    "the loss keeps the invariants of shifts, scales, permutations of classes and duplicates") {  // 2 to 4, 6 to 8, 12
    LossBench b("reference");
    const LossAndGradient base = distil(b, zb, tb, yb, {}, w1);
    Numbers shifted = zb, shifted_teacher = tb, scaled = w1;
    for (double& v : shifted) v += 1000;
    for (double& v : shifted_teacher) v -= 777;
    for (double& v : scaled) v *= 3;
    const LossAndGradient moved = distil(b, shifted, shifted_teacher, yb, {}, scaled);
    CHECK(std::abs(moved.loss - base.loss) < 1e-10);
    for (std::size_t n = 0; n < 3; ++n) {
        double sum = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            sum += base.gradient[n * 4 + i];
            CHECK(std::abs(base.gradient[n * 4 + i]) <= 3.0 / 3);
            CHECK(std::abs(moved.gradient[n * 4 + i] - base.gradient[n * 4 + i]) < 1e-10);
        }
        CHECK(std::abs(sum) < 1e-13);
    }
    CHECK(std::abs(distil(b, zb, zb, yb, {.ce_weight = 0}).loss) < 1e-14);
    CHECK(distil(b, zb, zb, yb, {.ce_weight = 0}, w1).loss > 0.1);
    Numbers twice = zb, teacher_twice = tb;
    twice.insert(twice.end(), zb.begin(), zb.end());
    teacher_twice.insert(teacher_twice.end(), tb.begin(), tb.end());
    const LossAndGradient doubled = distil(b, twice, teacher_twice, {0, 2, 1, 0, 2, 1}, {}, w1);
    CHECK(std::abs(doubled.loss - base.loss) < 1e-13);
    for (std::size_t i = 0; i < 12; ++i) CHECK(std::abs(2 * doubled.gradient[i] - base.gradient[i]) < 1e-13);
    // Classes in another order: z, teacher, omega and labels together.
    const auto turned = [](const Numbers& v) {
        Numbers out(v.size());
        for (std::size_t i = 0; i < v.size(); ++i) out[i / 4 * 4 + (i + 1) % 4] = v[i];
        return out;
    };
    const LossAndGradient other = distil(b, turned(zb), turned(tb), {1, 3, 2}, {}, turned(w1));
    CHECK(std::abs(other.loss - base.loss) < 1e-13);
    for (std::size_t i = 0; i < 12; ++i)
        CHECK(std::abs(other.gradient[i / 4 * 4 + (i + 1) % 4] - base.gradient[i]) < 1e-13);
}

TEST_CASE(
    "no weight on the distillation leaves plain cross-entropy, a high temperature its quadratic limit") {  // 10, 11
    LossBench b("reference");
    const LossAndGradient none = distil(b, zb, tb, yb, {.kd_weight = 0}, w1);
    CHECK(std::abs(none.loss - 1.36892072384) < 1e-11);
    const double limit = distil(b, z1, t1, {0}, {.temperature = 1000, .ce_weight = 0}).loss;
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < 4; ++i) mean += (z1[i] - t1[i]) / 4;
    for (std::size_t i = 0; i < 4; ++i) variance += std::pow(z1[i] - t1[i] - mean, 2) / 4;
    CHECK(limit == doctest::Approx(variance / 2).epsilon(1e-2));
}

TEST_CASE("a weighted mean with equal weights is plain cross-entropy and forgets the scale of the weights") {  // 14
    LossBench b("reference");
    const Tensor labels = b.labels(yb);
    const auto run = [&](const Numbers& omega, kernels::LossReduction reduction) {
        const Tensor weight = b.row(omega);
        return b
            .run(zb, 3,
                 [&](Context& ctx, const Tensor& z) {
                     return class_balanced_cross_entropy(ctx, z, {.labels = labels}, weight, reduction, 1);
                 })
            .loss;
    };
    using enum kernels::LossReduction;
    CHECK(std::abs(run({5, 5, 5, 5}, weighted_mean) - 1.36892072384) < 1e-11);
    CHECK(std::abs(run({0.3, 1.5, 3, 7.2}, weighted_mean) - 1.34166192486) < 1e-11);
    CHECK(std::abs(run({0.3, 1.5, 3, 7.2}, mean) - 3 * 0.715553026592) < 1e-10);
}

TEST_CASE("a mixed target is linear in lambda and hard at lambda 1") {  // 9
    LossBench b("reference");
    const Tensor a = b.labels(yb), p = b.labels(partner_yb);
    const auto at = [&](double lambda) {
        const Tensor mix = b.row({lambda});
        return b
            .run(zb, 3,
                 [&](Context& ctx, const Tensor& z) {
                     return cross_entropy(ctx, z, {.labels = a, .partner_labels = p, .mix_lambda = mix});
                 })
            .loss;
    };
    CHECK(std::abs(at(1) - 1.36892072384) < 1e-11);
    CHECK(std::abs(at(0.25) - 1.86892072384) < 1e-11);
    CHECK(std::abs(at(0.25) - (0.25 * at(1) + 0.75 * at(0))) < 1e-13);
}

TEST_CASE("no divergence is negative, and each gradient stays within what its formula allows") {  // 5, 7
    LossBench b("reference");
    double most = 0;
    for (const double deviation : {0.5, 3.0, 30.0})
        for (int batch = 0; batch < 20; ++batch) {
            const std::string name = fmt::format("{}/{}", deviation, batch);
            CAPTURE(name);
            const Numbers z = normal_numbers("z" + name, 12, deviation);
            const Numbers teacher = normal_numbers("teacher" + name, 12, deviation);
            for (const Numbers& omega : {Numbers{}, w1}) {
                const LossAndGradient kl = distil(b, z, teacher, yb, {.ce_weight = 0}, omega);
                CHECK(kl.loss >= -1e-12);
                for (const double g : kl.gradient) CHECK(std::abs(g) <= 2.0 / 3 + 1e-12);  // T / n
                const LossAndGradient ce = distil(b, z, teacher, yb, {.kd_weight = 0}, omega);
                for (const double g : ce.gradient) CHECK(std::abs(g) <= 1.0 / 3 + 1e-12);
                CHECK(distil(b, z, teacher, yb, {}, omega).loss >= ce.loss - 1e-12);
                for (const double g : kl.gradient) most = std::max(most, std::abs(g));
            }
        }
    CHECK(most > 0.6);  // the bound is nearly reached, so it says something
}

TEST_CASE("samples in another order have their gradients in that order") {  // 8
    LossBench b("reference");
    const LossAndGradient base = distil(b, zb, tb, yb, {}, w1);
    const LossAndGradient other = distil(b, rows_of(zb, {2, 0, 1}), rows_of(tb, {2, 0, 1}), {1, 0, 2}, {}, w1);
    CHECK(std::abs(other.loss - base.loss) < 1e-13);
    const Numbers expected = rows_of(base.gradient, {2, 0, 1});
    for (std::size_t i = 0; i < 12; ++i) CHECK(std::abs(other.gradient[i] - expected[i]) < 1e-13);
}

TEST_CASE("a batch with every sample twice gives each parameter the same gradient") {  // 12
    LossBench b("reference");
    const Numbers x = normal_numbers("features", 12, 1), w = normal_numbers("weights", 16, 1);
    const auto gradient_of = [&](const Numbers& features, const Numbers& teacher, const std::vector<std::int32_t>& y) {
        const auto n = static_cast<std::int64_t>(y.size());
        const Tensor input = b.rows(features, n), t = b.rows(teacher, n), labels = b.labels(y);
        const Tensor log_omega = b.row(log_of(w1));
        return b.run(w, 4, [&](Context& ctx, const Tensor& weights) {
            const Tensor z = linear(ctx, input, weights, {});
            return distillation(ctx, z, t, {.labels = labels}, {.log_omega = log_omega}).loss;
        });
    };
    const LossAndGradient once = gradient_of(x, tb, yb);
    const LossAndGradient twice =
        gradient_of(rows_of(x, {0, 1, 2, 0, 1, 2}), rows_of(tb, {0, 1, 2, 0, 1, 2}), {0, 2, 1, 0, 2, 1});
    CHECK(std::abs(twice.loss - once.loss) < 1e-13);
    for (std::size_t i = 0; i < 16; ++i) CHECK(std::abs(twice.gradient[i] - once.gradient[i]) < 1e-13);
}

TEST_CASE("the mean of two half batches is the whole one's loss, but not of a weighted mean") {  // 13
    LossBench b("reference");
    const Numbers z = rows_of(zb, {0, 1, 2, 0}), teacher = rows_of(tb, {2, 1, 0, 1});
    const std::vector<std::int32_t> y = {0, 2, 1, 3};
    const Tensor omega = b.row(w1);
    const auto difference = [&](const auto& loss) {
        const double whole = loss(z, teacher, y);
        const double halves = loss(rows_of(z, {0, 1}), rows_of(teacher, {0, 1}), {0, 2}) +
                              loss(rows_of(z, {2, 3}), rows_of(teacher, {2, 3}), {1, 3});
        return std::abs(whole - halves / 2);
    };
    using Labels = std::vector<std::int32_t>;
    CHECK(difference([&](const Numbers& rows, const Numbers& t, const Labels& labels) {
              return distil(b, rows, t, labels, {}, w1).loss;
          }) < 1e-13);
    CHECK(difference([&](const Numbers& rows, const Numbers&, const Labels& labels) {
              const Tensor targets = b.labels(labels);
              return b
                  .run(rows, static_cast<std::int64_t>(labels.size()),
                       [&](Context& ctx, const Tensor& leaf) {
                           return class_balanced_cross_entropy(ctx, leaf, {.labels = targets}, omega,
                                                               kernels::LossReduction::weighted_mean, 1);
                       })
                  .loss;
          }) > 0.01);
}

}
