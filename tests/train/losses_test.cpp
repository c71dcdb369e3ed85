// The losses of the methods against the golden numbers G10 to G22, G37, G38 of the specification, on every backend that
// computes: reference to 1e-11, cpu to 2e-6. What a teacher asks for: loss_target_test.cpp; the invariants:
// loss_invariants_test.cpp
#include "engine/ops/elementwise.h"
#include "tests/train/loss_fixture.h"

namespace bkd::test {
namespace {

void on_each_device(const std::function<void(LossBench&)>& test) {
    for (const char* device : {"reference", "cpu"}) {
        CAPTURE(device);
        LossBench bench(device);
        test(bench);
    }
}

}

// paper: Eq. 3, 4
TEST_CASE("class-balanced cross-entropy has the three reductions of the public codes") {  // G10
    on_each_device([](LossBench& b) {
        const Tensor omega = b.row(w1), labels = b.labels(yb);
        const auto run = [&](kernels::LossReduction reduction) {
            return b.run(zb, 3, [&](Context& ctx, const Tensor& z) {
                return class_balanced_cross_entropy(ctx, z, {.labels = labels}, omega, reduction, 1);
            });
        };
        b.check(run(kernels::LossReduction::weighted_mean), 1.34166192486,
                {-0.0226208530533, 0.0146707182932, 0.0059646689446, 0.00198546581549, 0.13318581518, 0.0489963232605,
                 -0.262963418787, 0.0807812803457, 0.00512003712489, -0.298582296122, 0.0139177038776, 0.27954455512});
        const Numbers mean_gradient = {-0.0120644549617, 0.00782438308969, 0.00318115677045, 0.00105891510159,
                                       0.0710324347629,  0.0261313724056,  -0.140247156686,  0.0430833495177,
                                       0.00273068646661, -0.159243891265,  0.0074227754014,  0.149090429397};
        b.check(run(kernels::LossReduction::mean), 0.715553026592, mean_gradient);
        b.check(run(kernels::LossReduction::sum).loss, 2.14665907978);
    });
}

TEST_CASE("class weights under mixup are a weighted mean of each side, or weighted soft targets") {  // G37, G38
    on_each_device([](LossBench& b) {
        const Tensor omega = b.row(w1);
        const TargetTensors targets{
            .labels = b.labels(yb), .partner_labels = b.labels(partner_yb), .mix_lambda = b.row({0.25})};
        const auto run = [&](kernels::LossReduction reduction) {
            return b.run(zb, 3, [&](Context& ctx, const Tensor& z) {
                return class_balanced_cross_entropy(ctx, z, targets, omega, reduction, 1);
            });
        };
        b.check(
            run(kernels::LossReduction::mean), 1.17656323649,
            {0.0767421801531, -0.0937024676413, 0.0127246270818, 0.00423566040638, -0.00191445870207, 0.00849269603182,
             -0.020580325923, 0.0140020885933, 0.00477870131656, -0.0286768097142, -0.237010143048, 0.260908251445});
        b.check(
            run(kernels::LossReduction::weighted_mean), 2.20605606842,
            {0.143891587787, -0.175692126827, 0.0238586757784, 0.00794186326196, -0.00358961006637, 0.0159238050597,
             -0.0385881111057, 0.0262539161124, 0.00896006496855, -0.0537690182142, -0.444394018214, 0.48920297146});
    });
}

// paper: Eq. 5
TEST_CASE("knowledge distillation has the golden loss and gradient at temperatures 1, 2 and 4") {  // G11
    on_each_device([](LossBench& b) {
        b.check(distil(b, z1, t1, {0}, {.temperature = 1}), 0.538655275928,
                {-0.303125827645, 0.256365681093, 0.11247528901, -0.0657151424575});
        b.check(distil(b, z1, t1, {0}, {.temperature = 2}), 0.602866806689,
                {-0.276972151909, 0.286263245482, 0.143710293473, -0.153001387046});
        b.check(distil(b, z1, t1, {0}, {.temperature = 4}), 0.637950914986,
                {-0.271506442897, 0.3051562715, 0.171658696434, -0.205308525037});
    });
}

// paper: Eq. 8
TEST_CASE("balanced distillation has the golden loss and gradient at temperatures 1, 2 and 4") {  // G12, G16
    on_each_device([](LossBench& b) {
        b.check(distil(b, z1, t1, {0}, {.temperature = 1}, w1), 1.88835247455,
                {0.171397343159, 0.276813058431, 0.0491255112908, -0.497335912881});
        const Numbers g12b = {0.435433245184, 0.463624454777, 0.058154944643, -0.957212644604};
        b.check(distil(b, z1, t1, {0}, {.temperature = 2}, w1), 3.96139037922, g12b);
        b.check(distil(b, z1, t1, {0}, {.temperature = 2, .target_math = kernels::TargetMath::product}, w1),
                3.96139037922, g12b);
        b.check(distil(b, z1, t1, {0}, {.temperature = 4}, w1), 10.1938540813,
                {0.884616932319, 0.751670574947, 0.0775561552354, -1.7138436625});
        b.check(distil(b, z1, t1, {0}, {.temperature = 2, .kd_weight = 0.5}, w1), 2.2053516908,
                {0.0367497981662, 0.349177973734, 0.0767948238783, -0.462722595778});
    });
}

TEST_CASE("the unnormalised forms differ by a constant and share their gradient") {  // G13, G14
    on_each_device([](LossBench& b) {
        const Numbers gradient = {0.258819369651, 0.41292549371, 0.0664122759565, -0.738157139318};
        b.check(distil(b, z1, t1, {0}, {.form = kernels::BkdForm::eq6}, w1), 1.50131675142, gradient);
        b.check(distil(b, z1, t1, {0}, {.form = kernels::BkdForm::eq7}, w1), 2.40378594954, gradient);
    });
}

TEST_CASE(
    "uniform weights make balanced distillation plain distillation, bit for bit where log omega is 0") {  // G15, 1
    on_each_device([](LossBench& b) {
        const LossAndGradient plain = distil(b, z1, t1, {0}, {});
        b.check(distil(b, z1, t1, {0}, {}, {7, 7, 7, 7}), plain.loss, plain.gradient);
        const LossAndGradient ones = distil(b, z1, t1, {0}, {}, {1, 1, 1, 1});
        CHECK(ones.loss == plain.loss);
        CHECK(ones.gradient == plain.gradient);
    });
}

TEST_CASE("extreme logits and a certain teacher give finite losses in both forms") {  // G17
    on_each_device([](LossBench& b) {
        const Numbers omega = {0.01, 1, 1.99};
        const auto run = [&](const Numbers& z, const Numbers& t, std::int32_t y, kernels::TargetMath math) {
            return distil(b, z, t, {y}, {.target_math = math}, omega);
        };
        for (const auto math : {kernels::TargetMath::log_domain, kernels::TargetMath::product}) {
            b.check(run({40, -40, 0}, {-40, 40, 0}, 0, math), 159.999999347,
                    {1.99999999588, -1.9999999918, -4.08108414303e-09});
            b.check(run({-40, 40, 0}, {80, 0, 0}, 1, math), 160.000000008, {-2, 1.99999999588, 4.12230554978e-09});
            b.check(run({0, 0, 0}, {400, 0, 0}, 2, math), 5.49306144334, {-1, 1, 0});
        }
    });
}

TEST_CASE("a batch is the mean of its rows, with hard and with mixed targets") {  // G18, G19, G21
    on_each_device([](LossBench& b) {
        b.check(distil(b, zb, tb, yb, {}, w1), 3.13879825985,
                {0.145144415061, 0.154541484926, 0.0193849815477, -0.319070881535, 0.223550003807, 0.0767482742166,
                 -0.181187674833, -0.11911060319, 0.0557784952497, -0.279904294513, 0.0680863026452, 0.156039496618});
        b.check(distil(b, zb, tb, yb, {}), 1.53133589729,
                {-0.0923240506364, 0.0954210818272, 0.0479034311577, -0.0510004623485, 0.107830987887, 0.0263207915916,
                 -0.183743476043, 0.049591696564, -0.0363226707018, -0.387378024047, 0.0489549338123, 0.374745760937});
        const TargetTensors mixed{
            .labels = b.labels(yb), .partner_labels = b.labels(partner_yb), .mix_lambda = b.row({0.25})};
        const Tensor teacher = b.rows(tb, 3), log_omega = b.row(log_of(w1));
        const LossAndGradient g18 = b.run(zb, 3, [&](Context& ctx, const Tensor& z) {
            return distillation(ctx, z, teacher, mixed, {.log_omega = log_omega}).loss;
        });
        b.check(g18, 3.63879825985,
                {0.395144415061, -0.0954585150744, 0.0193849815477, -0.319070881535, -0.0264499961932, 0.0767482742166,
                 0.0688123251672, -0.11911060319, 0.0557784952497, -0.0299042945129, -0.181913697355, 0.156039496618});
    });
}

TEST_CASE("the public code's distillation stands beside a weighted mean of the cross-entropy") {  // G20
    on_each_device([](LossBench& b) {
        const Tensor omega = b.row(w1), labels = b.labels(yb), teacher = b.rows(tb, 3);
        const LossAndGradient g20 = b.run(zb, 3, [&](Context& ctx, const Tensor& z) {
            const Tensor kd = distillation(ctx, z, teacher, {.labels = labels}, {.ce_weight = 0}).loss;
            const auto reduction = kernels::LossReduction::weighted_mean;
            return add(ctx, class_balanced_cross_entropy(ctx, z, {.labels = labels}, omega, reduction, 1), kd);
        });
        b.check(g20, 1.50407709831,
                {0.00569964592773, 0.0318479692235, 0.0220565323977, -0.059604147549, 0.169984368305, 0.0491857424465,
                 -0.306459738144, 0.087289627392, -0.0366640065101, -0.367472537639, 0.0480270868872, 0.356109457262});
    });
}

TEST_CASE("in f32 the product form of the target is two roundings from the other one at most") {  // G19f
    LossBench b("cpu");
    constexpr double two_roundings = 5e-7;  // of a number from 2 to 4
    const double product = distil(b, zb, tb, yb, {.target_math = kernels::TargetMath::product}, w1).loss;
    CHECK(std::abs(product - 3.13879848) < two_roundings);
    CHECK(std::abs(product - distil(b, zb, tb, yb, {}, w1).loss) < two_roundings);
}

TEST_CASE("the difference quotient of the loss is its gradient") {  // G16f
    LossBench b("reference");
    constexpr double h = 1e-4;
    const double quotients[] = {0.435433245094, 0.463624455012, 0.0581549448397, -0.95721264449};
    for (std::size_t i = 0; i < 4; ++i) {
        Numbers up = z1, down = z1;
        up[i] += h, down[i] -= h;
        const double quotient = (distil(b, up, t1, {0}, {}, w1).loss - distil(b, down, t1, {0}, {}, w1).loss) / (2 * h);
        CHECK(std::abs(quotient - quotients[i]) < 1e-10);  // losses of 4 hold 1e-15, over h of 1e-4
    }
}

TEST_CASE("a student at T log of the balanced target has no distillation loss and no gradient of it") {  // G22
    on_each_device([](LossBench& b) {
        const Numbers z = {-2.89394994018, -0.675074115308, -0.288779754188, 1.96215772052};
        const LossAndGradient value = distil(b, z, t1, {0}, {.ce_weight = 0}, w1);
        CHECK(std::abs(value.loss) < (b.is_exact() ? 1e-11 : 1e-6));
        for (const double g : value.gradient) CHECK(std::abs(g) < (b.is_exact() ? 1e-10 : 1e-6));
    });
}

}
