// Losses of the reference backend against golden numbers computed with PyTorch in f64, gradients by its autograd. The
// names G1 to G38 are theirs.
#include "tests/kernels/reference_memory.h"

namespace bkd::kernels {
namespace {

using test::check_close;
using test::Numbers;
using test::ReferenceMemory;

const Numbers z{2, 1, 0.1, -1}, teacher{1.5, 0.5, -0.5, 0}, omega{0.1, 0.5, 1, 2.4};
const Numbers batch{2, 1, 0.1, -1, 0.5, -0.5, 1.5, 0, -1, 0, 0, 3};
const Numbers teacher_batch{1.5, 0.5, -0.5, 0, 0.2, -0.3, 2, 0.1, 0, 1, -1, 2.5};
const std::vector<std::int32_t> labels{0, 2, 1}, partner_labels{1, 0, 2};  // labels of the permutation 2, 0, 1

Numbers times(Numbers values, double factor) {
    for (double& value : values) value *= factor;
    return values;
}
Numbers plus(Numbers values, double shift) {
    for (double& value : values) value += shift;
    return values;
}
Numbers logs(Numbers values) {
    for (double& value : values) value = std::log(value);
    return values;
}

struct Computed {
    Numbers loss, dz, ce{}, kl{}, kl_per_class{};
};

Shape logits_shape(const Numbers& logits, std::int64_t samples) {
    return {samples, static_cast<std::int64_t>(logits.size()) / samples};
}

Computed cross_entropy(ReferenceMemory& m, const Numbers& logits, const Targets& targets, std::int64_t samples = 1,
                       const Numbers& weight = {}, LossReduction reduction = LossReduction::mean) {
    const Shape shape = logits_shape(logits, samples);
    const View loss = m.empty({reduction == LossReduction::none ? samples : 1}), dz = m.empty(shape);
    m.backend->loss().cross_entropy(*m.stream, {.z = m.of(shape, logits),
                                                .targets = targets,
                                                .loss = loss,
                                                .dz = dz,
                                                .weight = weight.empty() ? View{} : m.of({shape[1]}, weight),
                                                .reduction = reduction});
    return {m.read(loss), m.read(dz)};
}

struct Options {
    double temperature = 2, kd_weight = 1, ce_weight = 1;
    BkdForm form = BkdForm::eq8;
    TargetMath target_math = TargetMath::log_domain;
};

Computed distillation(ReferenceMemory& m, const Numbers& logits, const Numbers& teacher_logits, const Targets& targets,
                      const Numbers& log_omega, const Options& options = {}, std::int64_t samples = 1) {
    const Shape shape = logits_shape(logits, samples);
    const View loss = m.empty({1}), ce = m.empty({1}), kl = m.empty({1}), per_class = m.empty({shape[1]}),
               dz = m.empty(shape);
    m.backend->loss().distillation(*m.stream, {.z = m.of(shape, logits),
                                               .teacher = m.of(shape, teacher_logits),
                                               .targets = targets,
                                               .log_omega = log_omega.empty() ? View{} : m.of({shape[1]}, log_omega),
                                               .loss = loss,
                                               .ce = ce,
                                               .kl = kl,
                                               .kl_per_class = per_class,
                                               .dz = dz,
                                               .temperature = options.temperature,
                                               .kd_weight = options.kd_weight,
                                               .ce_weight = options.ce_weight,
                                               .form = options.form,
                                               .target_math = options.target_math});
    return {m.read(loss), m.read(dz), m.read(ce), m.read(kl), m.read(per_class)};
}

// paper: Eq. 1
TEST_CASE("cross-entropy of one label is that of PyTorch (G1, G2)") {
    ReferenceMemory m;
    const Computed g1 = cross_entropy(m, z, {.labels = m.integers({1}, {0})});
    check_close(g1.loss, {0.44931300238});
    check_close(g1.dz, {-0.361933648852, 0.234731492691, 0.0954347031136, 0.0317674530478});
    const Computed g2 = cross_entropy(m, z, {.labels = m.integers({1}, {3})});
    check_close(g2.loss, {3.44931300238});
    check_close(g2.dz, {0.638066351148, 0.234731492691, 0.0954347031136, -0.968232546952});
}

TEST_CASE("softmax and log-softmax are those of PyTorch (G1)") {
    ReferenceMemory m;
    const View x = m.of({1, 4}, z), p = m.empty({1, 4}), log_p = m.empty({1, 4});
    m.backend->activation().softmax_forward(*m.stream, {.x = x, .y = p});
    m.backend->activation().log_softmax_forward(*m.stream, {.x = x, .y = log_p});
    check_close(m.read(p), {0.638066351148, 0.234731492691, 0.0954347031136, 0.0317674530478});
    check_close(m.read(log_p), {-0.44931300238, -1.44931300238, -2.34931300238, -3.44931300238});
}

TEST_CASE("cross-entropy of logits 80 apart has no infinity (G3)") {
    ReferenceMemory m;
    const Numbers far{40, -40, 0};
    const Computed a = cross_entropy(m, far, {.labels = m.integers({1}, {0})});
    CHECK(std::abs(a.loss[0]) < 1e-15);
    check_close(a.dz, {-4.24835425529e-18, 1.80485138785e-35, 4.24835425529e-18}, 1e-15);
    CHECK(a.dz[2] == doctest::Approx(4.24835425529e-18).epsilon(1e-11));
    const Computed b = cross_entropy(m, far, {.labels = m.integers({1}, {1})});
    check_close(b.loss, {80});
    check_close(b.dz, {1, -1, 4.24835425529e-18});
    const Computed c = cross_entropy(m, far, {.labels = m.integers({1}, {2})});
    check_close(c.loss, {40});
    check_close(c.dz, {1, 1.80485138785e-35, -1});
}

TEST_CASE("cross-entropy takes soft and mixed targets (G4, G5)") {
    ReferenceMemory m;
    const Computed soft = cross_entropy(m, z, {.dense = m.of({1, 4}, {0.7, 0.2, 0.1, 0})});
    check_close(soft.loss, {0.83931300238});
    check_close(soft.dz, {-0.0619336488521, 0.0347314926906, -0.00456529688638, 0.0317674530478});
    const Targets targets{
        .labels = m.integers({1}, {0}), .partner_labels = m.integers({1}, {3}), .mix_lambda = m.of({1}, {0.3})};
    const Computed mixed = cross_entropy(m, z, targets);
    check_close(mixed.loss, {2.54931300238});
    check_close(mixed.dz, {0.338066351148, 0.234731492691, 0.0954347031136, -0.668232546952});
}

// paper: Eq. 3, 4
TEST_CASE("class-balanced cross-entropy has four reductions (G10)") {
    ReferenceMemory m;
    const Targets targets{.labels = m.integers({3}, labels)};
    const auto with = [&](LossReduction reduction) { return cross_entropy(m, batch, targets, 3, omega, reduction); };
    const Numbers mean_gradient{-0.0120644549617, 0.00782438308969, 0.00318115677045, 0.00105891510159,
                                0.0710324347629,  0.0261313724056,  -0.140247156686,  0.0430833495177,
                                0.00273068646661, -0.159243891265,  0.0074227754014,  0.149090429397};
    const Computed weighted = with(LossReduction::weighted_mean);
    check_close(weighted.loss, {1.34166192486});
    check_close(weighted.dz,
                {-0.0226208530533, 0.0146707182932, 0.0059646689446, 0.00198546581549, 0.13318581518, 0.0489963232605,
                 -0.262963418787, 0.0807812803457, 0.00512003712489, -0.298582296122, 0.0139177038776, 0.27954455512});
    check_close(with(LossReduction::mean).loss, {0.715553026592});
    check_close(with(LossReduction::mean).dz, mean_gradient);
    check_close(with(LossReduction::sum).loss, {2.14665907978});
    check_close(with(LossReduction::sum).dz, times(mean_gradient, 3));
    check_close(with(LossReduction::none).loss, {0.044931300238, 0.546006389941, 1.5557213896});
    check_close(with(LossReduction::none).dz, times(mean_gradient, 3));
}

TEST_CASE("class-balanced cross-entropy of mixed labels has two readings (G37, G38)") {
    ReferenceMemory m;
    const Targets mixed{.labels = m.integers({3}, labels),
                        .partner_labels = m.integers({3}, partner_labels),
                        .mix_lambda = m.of({1}, {0.25})};
    const Computed g37 = cross_entropy(m, batch, mixed, 3, omega);
    check_close(g37.loss, {1.17656323649});
    check_close(g37.dz, {0.0767421801531, -0.0937024676413, 0.0127246270818, 0.00423566040638, -0.00191445870207,
                         0.00849269603182, -0.020580325923, 0.0140020885933, 0.00477870131656, -0.0286768097142,
                         -0.237010143048, 0.260908251445});
    const Computed own =
        cross_entropy(m, batch, {.labels = m.integers({3}, labels)}, 3, omega, LossReduction::weighted_mean);
    const Computed other =
        cross_entropy(m, batch, {.labels = m.integers({3}, partner_labels)}, 3, omega, LossReduction::weighted_mean);
    check_close({0.25 * own.loss[0] + 0.75 * other.loss[0]}, {2.20605606842});
    Numbers gradient;
    for (std::size_t i = 0; i < own.dz.size(); ++i) gradient.push_back(0.25 * own.dz[i] + 0.75 * other.dz[i]);
    check_close(gradient, {0.143891587787, -0.175692126827, 0.0238586757784, 0.00794186326196, -0.00358961006637,
                           0.0159238050597, -0.0385881111057, 0.0262539161124, 0.00896006496855, -0.0537690182142,
                           -0.444394018214, 0.48920297146});
}

TEST_CASE("cross-entropy of equal logits is the logarithm of the number of classes (G32)") {
    ReferenceMemory m;
    for (const auto& [classes, want] : {std::pair{10, 2.30258509299}, {100, 4.60517018599}, {8142, 9.00479112906}})
        check_close(cross_entropy(m, Numbers(static_cast<std::size_t>(classes)), {.labels = m.integers({1}, {7})}).loss,
                    {want});
}

// paper: Eq. 5
TEST_CASE("knowledge distillation at three temperatures (G11)") {
    ReferenceMemory m;
    const Targets target{.labels = m.integers({1}, {0})};
    const Computed t1 = distillation(m, z, teacher, target, {}, {.temperature = 1});
    check_close(t1.kl, {0.0893422735478});
    check_close(t1.loss, {0.538655275928});
    check_close(t1.dz, {-0.303125827645, 0.256365681093, 0.11247528901, -0.0657151424575});
    const Computed t2 = distillation(m, z, teacher, target, {});
    check_close(t2.kl, {0.153553804309});
    check_close(t2.loss, {0.602866806689});
    check_close(t2.dz, {-0.276972151909, 0.286263245482, 0.143710293473, -0.153001387046});
    const Computed t4 = distillation(m, z, teacher, target, {}, {.temperature = 4});
    check_close(t4.kl, {0.188637912606});
    check_close(t4.loss, {0.637950914986});
    check_close(t4.dz, {-0.271506442897, 0.3051562715, 0.171658696434, -0.205308525037});
}

const Numbers g12b{0.435433245184, 0.463624454777, 0.058154944643, -0.957212644604};

// paper: Eq. 8
TEST_CASE("balanced knowledge distillation at three temperatures, by both forms of its target (G12)") {
    ReferenceMemory m;
    const Targets target{.labels = m.integers({1}, {0})};
    for (const TargetMath math : {TargetMath::log_domain, TargetMath::product}) {
        const Computed t1 = distillation(m, z, teacher, target, logs(omega), {.temperature = 1, .target_math = math});
        check_close(t1.loss, {1.88835247455});
        check_close(t1.dz, {0.171397343159, 0.276813058431, 0.0491255112908, -0.497335912881});
        const Computed t2 = distillation(m, z, teacher, target, logs(omega), {.target_math = math});
        check_close(t2.kl, {3.51207737684});
        check_close(t2.ce, {0.44931300238});
        check_close(t2.loss, {3.96139037922});
        check_close(t2.dz, g12b);
        const Computed t4 = distillation(m, z, teacher, target, logs(omega), {.temperature = 4, .target_math = math});
        check_close(t4.loss, {10.1938540813});
        check_close(t4.dz, {0.884616932319, 0.751670574947, 0.0775561552354, -1.7138436625});
    }
}

// paper: Eq. 6, 7
TEST_CASE("the unnormalised forms of equations 6 and 7 share a gradient and not a loss (G13, G14)") {
    ReferenceMemory m;
    const Targets target{.labels = m.integers({1}, {0})};
    const Numbers gradient{0.258819369651, 0.41292549371, 0.0664122759565, -0.738157139318};
    for (const TargetMath math : {TargetMath::log_domain, TargetMath::product}) {
        const Computed eq6 =
            distillation(m, z, teacher, target, logs(omega), {.form = BkdForm::eq6, .target_math = math});
        check_close(eq6.loss, {1.50131675142});
        check_close(eq6.dz, gradient);
        const Computed eq7 =
            distillation(m, z, teacher, target, logs(omega), {.form = BkdForm::eq7, .target_math = math});
        check_close(eq7.loss, {2.40378594954});
        check_close(eq7.dz, gradient);
    }
}

TEST_CASE("equal weights, shifted logits and scaled weights change nothing; half the weight halves the divergence "
          "(G15, G16)") {
    ReferenceMemory m;
    const Targets target{.labels = m.integers({1}, {0})};
    const Computed g15 = distillation(m, z, teacher, target, logs({7, 7, 7, 7}));
    check_close(g15.loss, {0.602866806689});
    check_close(g15.dz, {-0.276972151909, 0.286263245482, 0.143710293473, -0.153001387046});
    const Computed g16 = distillation(m, z, teacher, target, logs(omega), {.kd_weight = 0.5});
    check_close(g16.loss, {2.2053516908});
    check_close(g16.dz, {0.0367497981662, 0.349177973734, 0.0767948238783, -0.462722595778});
    const Computed g16s = distillation(m, plus(z, 1000), plus(teacher, -777), target, logs(times(omega, 3)));
    check_close(g16s.loss, {3.96139037922});
    check_close(g16s.dz, g12b);
}

TEST_CASE("the gradient of balanced distillation is its difference quotient (G16f)") {
    ReferenceMemory m;
    const Targets target{.labels = m.integers({1}, {0})};
    const double h = 1e-4;
    Numbers quotients;
    for (std::size_t i = 0; i < z.size(); ++i) {
        Numbers up = z, down = z;
        up[i] += h;
        down[i] -= h;
        quotients.push_back((distillation(m, up, teacher, target, logs(omega)).loss[0] -
                             distillation(m, down, teacher, target, logs(omega)).loss[0]) /
                            (2 * h));
    }
    check_close(quotients, {0.435433245094, 0.463624455012, 0.0581549448397, -0.95721264449}, 1e-10);
}

TEST_CASE("extreme logits and a certain teacher give finite losses by both forms (G17)") {
    ReferenceMemory m;
    const Numbers log_omega = logs({0.01, 1, 1.99});
    struct Extreme {
        Numbers z, teacher;
        std::int32_t label;
        double kl, loss;
        Numbers dz;
    };
    for (const Extreme& g :
         {Extreme{{40, -40, 0},
                  {-40, 40, 0},
                  0,
                  159.999999347,
                  159.999999347,
                  {1.99999999588, -1.9999999918, -4.08108414303e-09}},
          Extreme{{-40, 40, 0}, {80, 0, 0}, 1, 160.000000008, 160.000000008, {-2, 1.99999999588, 4.12230554978e-09}},
          Extreme{{0, 0, 0}, {400, 0, 0}, 2, 4.39444915467, 5.49306144334, {-1, 1, 0}}})
        for (const TargetMath math : {TargetMath::log_domain, TargetMath::product}) {
            const Computed got = distillation(m, g.z, g.teacher, {.labels = m.integers({1}, {g.label})}, log_omega,
                                              {.target_math = math});
            check_close(got.kl, {g.kl});
            check_close(got.loss, {g.loss});
            check_close(got.dz, g.dz);
        }
}

TEST_CASE("balanced distillation of a batch takes mixed and hard targets (G18, G19), and says what each class gave "
          "(G19c)") {
    ReferenceMemory m;
    const Targets hard{.labels = m.integers({3}, labels)};
    const Targets mixed{
        .labels = hard.labels, .partner_labels = m.integers({3}, partner_labels), .mix_lambda = m.of({1}, {0.25})};
    const Computed g18 = distillation(m, batch, teacher_batch, mixed, logs(omega), {}, 3);
    check_close(g18.ce, {1.86892072384});
    check_close(g18.kl, {1.76987753601});
    check_close(g18.loss, {3.63879825985});
    check_close(g18.dz,
                {0.395144415061, -0.0954585150744, 0.0193849815477, -0.319070881535, -0.0264499961932, 0.0767482742166,
                 0.0688123251672, -0.11911060319, 0.0557784952497, -0.0299042945129, -0.181913697355, 0.156039496618});
    const Computed g19 = distillation(m, batch, teacher_batch, hard, logs(omega), {}, 3);
    check_close(g19.ce, {1.36892072384});
    check_close(g19.loss, {3.13879825985});
    check_close(g19.dz,
                {0.145144415061, 0.154541484926, 0.0193849815477, -0.319070881535, 0.223550003807, 0.0767482742166,
                 -0.181187674833, -0.11911060319, 0.0557784952497, -0.279904294513, 0.0680863026452, 0.156039496618});
    check_close(g19.kl_per_class, {-0.0611606684294, -0.0608347171439, 0.0114338376845, 0.553030931891});
}

TEST_CASE("distillation of a batch beside a weighted and beside a plain cross-entropy (G20, G21)") {
    ReferenceMemory m;
    const Targets hard{.labels = m.integers({3}, labels)};
    const Computed ce = cross_entropy(m, batch, hard, 3, omega, LossReduction::weighted_mean);
    const Computed kl = distillation(m, batch, teacher_batch, hard, {}, {.ce_weight = 0}, 3);
    check_close({ce.loss[0] + kl.loss[0]}, {1.50407709831});
    Numbers sum;
    for (std::size_t i = 0; i < ce.dz.size(); ++i) sum.push_back(ce.dz[i] + kl.dz[i]);
    check_close(sum,
                {0.00569964592773, 0.0318479692235, 0.0220565323977, -0.059604147549, 0.169984368305, 0.0491857424465,
                 -0.306459738144, 0.087289627392, -0.0366640065101, -0.367472537639, 0.0480270868872, 0.356109457262});
    const Computed g21 = distillation(m, batch, teacher_batch, hard, {}, {}, 3);
    check_close(g21.kl, {0.162415173446});
    check_close(g21.loss, {1.53133589729});
    check_close(g21.dz,
                {-0.0923240506364, 0.0954210818272, 0.0479034311577, -0.0510004623485, 0.107830987887, 0.0263207915916,
                 -0.183743476043, 0.049591696564, -0.0363226707018, -0.387378024047, 0.0489549338123, 0.374745760937});
}

TEST_CASE("a student that says what the balanced teacher asks for has no divergence left (G22)") {
    ReferenceMemory m;
    const Numbers student{-2.89394994018, -0.675074115308, -0.288779754188, 1.96215772052};
    const Computed g22 =
        distillation(m, student, teacher, {.labels = m.integers({1}, {0})}, logs(omega), {.ce_weight = 0});
    CHECK(std::abs(g22.kl[0]) < 1e-15);
    check_close(g22.dz, {0, 0, 0, 0}, 1e-11);
}

TEST_CASE("a class of weight 0 keeps its zero and breaks nothing, even under a certain teacher") {
    ReferenceMemory m;
    const Numbers log_omega{-std::numeric_limits<double>::infinity(), 0, 0};
    const Targets target{.labels = m.integers({1}, {1})};
    const Computed got = distillation(m, {0, 0, 0}, {3000, 0, 0}, target, log_omega, {.ce_weight = 0});
    check_close(got.kl, {4 * (std::log(3.0) - std::log(2.0))});  // q = (0, 1/2, 1/2) though phat = (1, 0, 0)
    check_close(got.dz, {2.0 / 3, -1.0 / 3, -1.0 / 3});
}

TEST_CASE("a NaN among the logits makes the loss NaN") {
    ReferenceMemory m;
    const Numbers bad{2, std::nan(""), 0.1, -1};
    const Targets target{.labels = m.integers({1}, {0})};
    CHECK(std::isnan(cross_entropy(m, bad, target).loss[0]));
    CHECK(std::isnan(distillation(m, bad, teacher, target, {}).loss[0]));
    CHECK(std::isnan(distillation(m, z, bad, target, {}).loss[0]));
    const View loss = m.empty({1});
    m.backend->loss().focal_loss(*m.stream, {.z = m.of({1, 4}, bad), .labels = m.integers({1}, {0}), .loss = loss});
    CHECK(std::isnan(m.read(loss)[0]));
}

TEST_CASE("focal loss without focus is the weighted cross-entropy, and its gradient is its difference quotient") {
    ReferenceMemory m;
    const auto focal = [&](const Numbers& logits, double gamma) {
        const View loss = m.empty({1}), dz = m.empty({3, 4});
        m.backend->loss().focal_loss(*m.stream, {.z = m.of({3, 4}, logits),
                                                 .labels = m.integers({3}, labels),
                                                 .loss = loss,
                                                 .dz = dz,
                                                 .weight = m.of({4}, omega),
                                                 .gamma = gamma});
        return Computed{m.read(loss), m.read(dz)};
    };
    const Computed ce = cross_entropy(m, batch, {.labels = m.integers({3}, labels)}, 3, omega);
    check_close(focal(batch, 0).loss, ce.loss);
    check_close(focal(batch, 0).dz, ce.dz);
    for (const double gamma : {0.5, 1.0, 2.0}) {
        const Computed got = focal(batch, gamma);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            Numbers up = batch, down = batch;
            up[i] += 1e-5;
            down[i] -= 1e-5;
            CHECK((focal(up, gamma).loss[0] - focal(down, gamma).loss[0]) / 2e-5 ==
                  doctest::Approx(got.dz[i]).epsilon(1e-7));
        }
    }
}

}
}
